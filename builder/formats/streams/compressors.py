"""The compressors of streams: all processors, and the same bytes whatever their number."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

from host.run import run


@dataclass(frozen=True)
class Compressor:
    """A program that compresses standard input to standard output.

    options: what shapes its output. threads: the option that says how many it starts.
    """

    program: str
    options: tuple[str, ...]
    threads: str

    def command(self) -> list[str]:
        """Return its command line for this host; two threads at least, see below."""
        count = max(2, len(os.sched_getaffinity(0)))
        return [self.program, *self.options, self.threads.format(count)]

    def identity(self) -> dict[str, str]:
        """Return the options and the version of the program."""
        return {
            self.program: " ".join(self.options),
            f"{self.program} version": _version(self.program),
        }


# With two threads or more xz and pigz cut their input into blocks of a fixed size, each compressed
# on its own; one thread would make a single block, other bytes. xz's default size is free to
# change with the version (xz(1), --block-size), so it is named. zstd -T0 has no worker on one
# processor, with other bytes again.
#
# Of a container's tree of 174 MB: xz -6 takes more than 80 s of a processor, -3 48 s for 45.7 MB,
# -1 18 s for 47.8 MB; zstd -10 7.2 s for 51.9 MB, -6 2.4 s for 54.1 MB.
XZ = Compressor("xz", ("--compress", "--stdout", "-1", "--block-size=12MiB"), "--threads={}")
ZSTD = Compressor("zstd", ("--compress", "--stdout", "--quiet", "-6"), "-T{}")
# Without name and time in the header.
GZIP = Compressor("pigz", ("--stdout", "--no-name", "-6"), "-p{}")


@cache
def _version(program: str) -> str:
    done = run([program, "--version"])
    return (done.stdout or done.stderr).splitlines()[0]
