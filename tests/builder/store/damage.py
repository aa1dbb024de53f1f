"""Results of every kind, and what can happen to them: for the tests of the store's integrity."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import stat
from array import array
from collections.abc import Callable
from pathlib import Path

from builder.store import manifest
from host.beneath.root import Root

TIME_NS = 1_700_000_000 * 10**9
MIB = 1 << 20
NOISE = random.Random(1).randbytes(3 * MIB + 17)
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")


def layer(folder: Path) -> None:
    """A layer with one of everything that a tree can hold."""
    top = folder / "layer"
    (top / "usr/bin").mkdir(parents=True)
    (top / "usr/bin/su").write_bytes(b"#!/bin/sh\n")
    (top / "usr/bin/su").chmod(0o4755)
    (top / "usr/bin/sudo").hardlink_to(top / "usr/bin/su")
    (top / "usr/large").write_bytes(NOISE)
    (top / "usr/empty").touch()
    (top / "link").symlink_to("usr/bin")
    os.mknod(top / "removed", stat.S_IFCHR, 0)  # a whiteout of overlayfs
    os.setxattr(top / "usr/bin", "trusted.overlay.opaque", b"y")
    os.setxattr(top / "usr/empty", "security.capability", CAPABILITY)
    for found in Root(top).walk():
        found.set_time(TIME_NS)


def disk(folder: Path) -> None:
    """A disk of 64 MiB with a few MiB in it."""
    with (folder / "image").open("wb") as stream:
        stream.truncate(64 * MIB)
        stream.write(NOISE)
        stream.seek(40 * MIB)
        stream.write(b"x" * 100)
    (folder / "installed.json").write_text("[1, 2, 3]")


def artefact(folder: Path) -> None:
    """A format's files and their sums."""
    (folder / "files").mkdir()
    content = NOISE[:2 * MIB]
    (folder / "files/qcow2").write_bytes(content)
    sums = {"qcow2": hashlib.sha256(content).hexdigest()}
    (folder / "sums.json").write_text(json.dumps(sums))


def answer(folder: Path) -> None:
    """What dnf said, and nothing else."""
    (folder / "packages.json").write_text('{"packages": []}')


def empty(folder: Path) -> None:
    """A look, such as that for drivers: that it is there says all."""


ENTRIES = {each.__name__: each for each in (layer, disk, artefact, answer, empty)}


def flip(path: Path, at: int = 5) -> None:
    """Change a byte as a program does that then sets the time back."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.seek(at)
        old = stream.read(1)
        stream.seek(at)
        stream.write(bytes([old[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def quietly(path: Path, entry: Path) -> None:
    """Change a byte as a bad disk does: the kernel knows nothing of it."""
    flip(path)
    stamps = array("q", (manifest._stamp(found) for found in Root(entry / "data").walk()))
    (entry / "stamps").write_bytes(stamps.tobytes())


RECORDS: dict[str, Callable[[Path], object]] = {
    "record is a list": lambda path: (path / "entry.json").write_text("[]"),
    "record is garbage": lambda path: (path / "entry.json").write_bytes(b"\xff\xfe{"),
    "record is missing": lambda path: (path / "entry.json").unlink(),
    "record of a wrong type": lambda path: change_record(path, bytes="many"),
    "record without a manifest": lambda path: change_record(path, manifest=""),
    "record of another manifest": lambda path: change_record(path, manifest="0" * 64),
    "manifest is missing": lambda path: (path / "manifest.json").unlink(),
    "manifest is garbage": lambda path: (path / "manifest.json").write_bytes(b"\xff"),
    "manifest is a folder": lambda path: ((path / "manifest.json").unlink(),
                                          (path / "manifest.json").mkdir()),
    "data is missing": lambda path: shutil.rmtree(path / "data"),
    "data is a file": lambda path: (shutil.rmtree(path / "data"), (path / "data").touch()),
    "something was added": lambda path: (path / "data/new").touch(),
}
LAYERS: dict[str, Callable[[Path], object]] = {
    "the layer is missing": shutil.rmtree,
    "a file is missing": lambda top: (top / "usr/empty").unlink(),
    "a file was added": lambda top: keeping_time(top, (top / "usr/bin/x").touch),
    "a whiteout is missing": lambda top: keeping_time(top, (top / "removed").unlink),
    "a byte is another one": lambda top: flip(top / "usr/bin/su"),
    "a byte far inside is another one": lambda top: flip(top / "usr/large", 3 * MIB + 3),
    "a mode": lambda top: (top / "usr/bin/su").chmod(0o755),
    "an owner": lambda top: os.chown(top / "usr/empty", 7, -1),
    "a group": lambda top: os.chown(top / "usr/empty", -1, 7),
    "the mode of a folder": lambda top: (top / "usr").chmod(0o700),
    "a time": lambda top: os.utime(top / "usr/empty", (1, 1)),
    "where a link leads": lambda top: keeping_time(top, lambda: relink(top / "link")),
    "an attribute": lambda top: os.removexattr(top / "usr/empty", "security.capability"),
    "what overlayfs keeps": lambda top: os.removexattr(top / "usr/bin", "trusted.overlay.opaque"),
    "another kind": lambda top: keeping_time(top, lambda: as_fifo(top / "usr/empty")),
    "a hard link is a copy": lambda top: keeping_time(top, lambda: as_copy(top / "usr/bin/sudo")),
    "shorter": lambda top: os.truncate(top / "usr/large", 2 * MIB),
}
ARTEFACTS: dict[str, Callable[[Path], object]] = {
    "the artefact is missing": lambda data: (data / "files/qcow2").unlink(),
    "the artefact was written": lambda data: (data / "files/qcow2").write_bytes(bytes(2 * MIB)),
    "its sum is another one": lambda data: flip(data / "sums.json", 15),
    "its sums are missing": lambda data: (data / "sums.json").unlink(),
}
DISKS: dict[str, Callable[[Path], object]] = {
    "the image is missing": lambda data: (data / "image").unlink(),
    "the image was written": lambda data: os.utime(data / "image"),
    "the image is shorter": lambda data: os.truncate(data / "image", 60 * MIB),
    "what is beside it": lambda data: flip(data / "installed.json", 1),
}


def change_record(path: Path, **values: object) -> None:
    record = path / "entry.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | values))


def keeping_time(top: Path, change: Callable[[], object]) -> None:
    """Change something in a layer and hide it, as far as a program can."""
    change()
    for found in Root(top).walk():
        found.set_time(TIME_NS)


def relink(path: Path) -> None:
    path.unlink()
    path.symlink_to("usr/lib")


def as_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def as_copy(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    path.chmod(0o4755)


TABLE = [
    *((kind, what, damage) for kind in ENTRIES for what, damage in RECORDS.items()),
    *(("layer", what, lambda path, damage=damage: damage(path / "data/layer"))
      for what, damage in LAYERS.items()),
    *(("artefact", what, lambda path, damage=damage: damage(path / "data"))
      for what, damage in ARTEFACTS.items()),
    *(("disk", what, lambda path, damage=damage: damage(path / "data"))
      for what, damage in DISKS.items()),
]
