"""An artefact as a file: its format and virtual size, read without trusting it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

from host import block
from host.errors import HostError, InputError, ProgramError, from_os_error
from host.jail import bounded, need
from host.run import Completed, run
from images.record import BuildRecord
from validate.qcow2 import MAGIC, Header, read_header

_CHECK_S = 600
_MEMORY_BYTES = 4 << 30
_SAID_BYTES_MAX = 1 << 20
_NOT_CHECKED = 1
"""qemu-img(1), "check": the check could not be done, as for an image that can't be opened."""
_DISK_BYTES_MAX = 1 << 46
"""64 TiB, the largest disk of a large cloud (Google's Hyperdisk); sparse files can claim more."""
_CUT_OFF = "exceeding the end of the file"

KNOWN = {".qcow2": "qcow2", ".raw": "raw"}
"""The formats that can be validated, by the ending of the file's name."""


@dataclass(frozen=True)
class ArtefactFacts:
    """What the file's first bytes and its length say.

    backing_file: the other file that this one is a change of. external_data: the clusters are
    in another file. Either way it is not the whole disk, and opening it would open others.
    published: the file that the disk came in; None: it is this one.
    is_archive: no disk, but an archive that holds a root tree (validate/trees.py).
    ccis_format: the name of the format that it was made as (builder/formats), "" if unknown.
    """

    path: Path
    format: Literal["qcow2", "raw"]
    named_format: str
    size_bytes: int
    virtual_size_bytes: int
    backing_file: str | None = None
    external_data: bool = False
    ccis_format: str = ""
    is_archive: bool = False
    published: Path | None = None

    @property
    def self_contained(self) -> bool:
        """Whether it may be opened at all."""
        return self.backing_file is None and not self.external_data


def inspect(path: Path) -> ArtefactFacts:
    """Return the facts about an artefact's file.

    The qcow2 header is read here, not by qemu-img, which would open the files that a hostile
    header names (CVE-2024-32498).
    Raises InputError for an unknown ending, what is no regular file, an empty file, a broken
    header, or a qcow2 whose content is encrypted.
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
        # What is a file now may be a FIFO in a moment, and keep us waiting for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise InputError("is not a file", where=str(path))
            if stream.read(len(MAGIC)) != MAGIC:
                return _raw(path, named, status.st_size)
            return _qcow2(path, named, status.st_size, stream)
    except OSError as error:
        raise from_os_error(error, f"reading {path}") from error


def inspected(path: Path, record: BuildRecord | None) -> ArtefactFacts:
    """Return the facts about an artefact's file, with the format that build.json gives it."""
    return replace(inspect(path), ccis_format=made_as(path, record))


def made_as(path: Path, record: BuildRecord | None) -> str:
    """Return the format that build.json gives a file, "" when it gives none."""
    made = record.artefacts if record else []
    return next((one.format for one in made if one.file == path.name), "")


def _raw(path: Path, named: str, size_bytes: int) -> ArtefactFacts:
    if size_bytes == 0 or named == "qcow2":
        why = "it is empty" if size_bytes == 0 else "it does not begin as a qcow2 does"
        raise InputError(f"is not a {named} image", where=str(path), why=why)
    return ArtefactFacts(path, "raw", named, size_bytes, size_bytes)


def _qcow2(path: Path, named: str, size_bytes: int, stream: BinaryIO) -> ArtefactFacts:
    try:
        header: Header = read_header(stream, size_bytes)
    except InputError as error:
        error.where = str(path)
        raise
    return ArtefactFacts(
        path, "qcow2", named, size_bytes, header.virtual_size_bytes, header.backing_file,
        header.external_data,
    )


def faults(facts: ArtefactFacts) -> str | None:
    """Return what `qemu-img check` finds wrong, or None; a raw image has nothing to check.

    Must not be called unless the artefact is self-contained. Raises HostError without qemu-img.
    """
    if facts.format == "raw":
        return None
    done = _checked(facts)
    if isinstance(done, str):
        return done
    if done.status == 0:
        return None
    said = (done.stderr + done.stdout).strip().splitlines()
    if any(_CUT_OFF in line for line in said):
        return f"the file is cut off: it names clusters behind its end at {facts.size_bytes} bytes"
    return "; ".join(said[-4:]) or f"qemu-img check ended with status {done.status}"


def unreadable(facts: ArtefactFacts) -> str | None:
    """Return why an artefact is not worth opening: it is cut off, or QEMU refuses it. Else None.

    Its disk could be read up to some place only, and what is said of that would mislead.
    Must not be called unless the artefact is self-contained. Raises HostError without qemu-img.
    """
    if facts.virtual_size_bytes > _DISK_BYTES_MAX:
        return f"a disk of {facts.virtual_size_bytes} bytes is more than any cloud takes"
    if facts.format == "raw":
        return None
    done = _checked(facts)
    hopeless = isinstance(done, str) or done.status == _NOT_CHECKED or _CUT_OFF in done.stderr
    return faults(facts) if hopeless else None


def _checked(facts: ArtefactFacts) -> Completed | str:
    """Return what `qemu-img check` said and its status, or why it did not get to an end."""
    need("qemu-img")
    assert facts.self_contained
    try:
        return run(
            bounded(
                ["prlimit", f"--as={_MEMORY_BYTES}", "qemu-img", "check",
                 block.name(facts.path, facts.format)], _SAID_BYTES_MAX),
            timeout_s=_CHECK_S, check=False, log_stdout=False,
        )
    except ProgramError as error:
        return str(error)
    except HostError as error:
        if "did not end" in error.what:
            return error.what
        raise
