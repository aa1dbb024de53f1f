"""qemu-img, as the disk formats use it: all processors, and the same bytes each time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from host.run import run


def convert(
    raw: Path, destination: Path, qemu_format: str, options: str = "", *,
    flags: Sequence[str] = (),
) -> None:
    """Convert a raw disk image; holes and zeroes take no room where the format has none.

    options: of the format (qemu-img -o). flags: more words, such as -c to compress.

    Compressing on all processors (-m 16) without -W writes the clusters in their order, so that
    two conversions give the same bytes; -W would save a third of the time for zstd.
    """
    words = ["-o", options] if options else []
    run(["qemu-img", "convert", "-f", "raw", "-O", qemu_format, "-m", "16", *flags, *words,
         raw, destination])


@cache
def version() -> str:
    """Return the version of qemu-img, part of the identity of what it writes."""
    return run(["qemu-img", "--version"]).stdout.splitlines()[0]
