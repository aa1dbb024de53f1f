"""An artefact as a file: its format and virtual size, read without trusting it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from host.errors import HostError, InputError, ProgramError, from_os_error
from host.run import run
from validate.programs import bounded, need

_QCOW2_MAGIC = b"QFI\xfb"
_EXTERNAL_DATA = 1 << 2
_NAME_BYTES_MAX = 1023
_CHECK_S = 600
_MEMORY_BYTES = 4 << 30
_SAID_BYTES_MAX = 1 << 20

KNOWN = {".qcow2": "qcow2", ".raw": "raw"}
"""The formats that can be validated, by the ending of the file's name."""


@dataclass(frozen=True)
class ArtefactFacts:
    """What the file's first bytes and its length say.

    backing_file: the other file that this one is a change of. external_data: the clusters are
    in another file. Either way it is not the whole disk, and opening it would open others.
    """

    path: Path
    format: Literal["qcow2", "raw"]
    named_format: str
    size_bytes: int
    virtual_size_bytes: int
    backing_file: str | None = None
    external_data: bool = False

    @property
    def self_contained(self) -> bool:
        """Whether it may be opened at all."""
        return self.backing_file is None and not self.external_data


def inspect(path: Path) -> ArtefactFacts:
    """Return the facts about an artefact's file.

    The qcow2 header is read here, not by qemu-img, which would open the files that a hostile
    header names (CVE-2024-32498; layout: QEMU, docs/interop/qcow2.txt).
    Raises InputError for an unknown ending, an empty file or a broken header.
    """
    named = KNOWN.get(path.suffix)
    if named is None:
        raise InputError(
            "is not an artefact that can be validated", where=str(path),
            remedy=f"give a file that ends in {' or '.join(KNOWN)}",
        )
    try:
        if not path.is_file():
            raise InputError("is not a file", where=str(path))
        size_bytes = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(512)
            if head[:4] != _QCOW2_MAGIC:
                return _raw(path, named, size_bytes)
            return _qcow2(path, named, size_bytes, head, stream)
    except OSError as error:
        raise from_os_error(error, f"reading {path}") from error


def _raw(path: Path, named: str, size_bytes: int) -> ArtefactFacts:
    if size_bytes == 0 or named == "qcow2":
        why = "it is empty" if size_bytes == 0 else "it does not begin as a qcow2 does"
        raise InputError(f"is not a {named} image", where=str(path), why=why)
    return ArtefactFacts(path, "raw", named, size_bytes, size_bytes)


def _qcow2(
    path: Path, named: str, size_bytes: int, head: bytes, stream: BinaryIO,
) -> ArtefactFacts:
    try:
        version, backing_at, backing_bytes, cluster_bits, virtual = struct.unpack_from(
            ">IQIIQ", head, 4,
        )
        features = struct.unpack_from(">Q", head, 72)[0] if version >= 3 else 0
    except struct.error as error:
        raise InputError("is cut off in its qcow2 header", where=str(path)) from error
    if version not in (2, 3) or not 9 <= cluster_bits <= 21 or virtual == 0:
        raise InputError(
            "has a broken qcow2 header", where=str(path),
            why=f"version {version}, cluster bits {cluster_bits}, virtual size {virtual}",
        )
    backing = None
    if backing_at:
        stream.seek(min(backing_at, size_bytes))
        backing = stream.read(min(backing_bytes, _NAME_BYTES_MAX)).decode(errors="replace")
    return ArtefactFacts(
        path, "qcow2", named, size_bytes, virtual, backing, bool(features & _EXTERNAL_DATA),
    )


def faults(facts: ArtefactFacts) -> str | None:
    """Return what `qemu-img check` finds wrong, or None; a raw image has nothing to check.

    Must not be called unless the artefact is self-contained. Raises HostError without qemu-img.
    """
    if facts.format == "raw":
        return None
    need("qemu-img")
    try:
        done = run(
            bounded(
                ["prlimit", f"--as={_MEMORY_BYTES}", "qemu-img", "check", "-U", "-f", "qcow2",
                 facts.path], _SAID_BYTES_MAX),
            timeout_s=_CHECK_S, check=False,
        )
    except ProgramError as error:
        return str(error)
    except HostError as error:
        if "did not end" in error.what:
            return error.what
        raise
    if done.status == 0:
        return None
    said = (done.stderr + done.stdout).strip().splitlines()
    return "; ".join(said[-4:]) or f"qemu-img check ended with status {done.status}"
