"""Hostile images: qcow2 headers that name a file of the host's, in every way that there is."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

MIB = 1 << 20
CLUSTER = 1 << 16
DATA_FILE, BACKING_FORMAT = 0x44415441, 0xE2792ACA


def header(
    *, name: bytes = b"", features: int = 0, crypt: int = 0,
    extensions: list[tuple[int, bytes]] | None = None, size_bytes: int = MIB, version: int = 3,
) -> bytes:
    """The first cluster of a qcow2, with empty tables behind it, whole enough to be opened."""
    packed = b"".join(
        struct.pack(">II", magic, len(data)) + data.ljust(-(-len(data) // 8) * 8, b"\0")
        for magic, data in [*(extensions or []), (0, b"")])
    start = 104 if version == 3 else 72
    at = start + len(packed) if name else 0
    first = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", version, at, len(name), 16, size_bytes, crypt, 1,
        3 * CLUSTER, CLUSTER, 1, 0, 0)
    if version == 3:
        first += struct.pack(">QQQII", features, 0, 0, 4, 104)
    tables = bytearray(4 * CLUSTER)
    tables[:len(first + packed + name)] = first + packed + name
    tables[CLUSTER:CLUSTER + 8] = struct.pack(">Q", 2 * CLUSTER)  # one block of reference counts
    tables[2 * CLUSTER:2 * CLUSTER + 8] = struct.pack(">4H", 1, 1, 1, 1)
    return bytes(tables)


def pseudo(path: Path) -> bytes:
    return b"json:" + json.dumps({"driver": "raw", "file": {
        "driver": "file", "filename": str(path)}}).encode()


NAMED: dict[str, Callable[[Path], bytes]] = {
    "absolute": lambda secret: header(name=bytes(secret)),
    "relative": lambda secret: header(name=secret.name.encode()),
    "file:": lambda secret: header(name=b"file:" + bytes(secret)),
    "json:": lambda secret: header(name=pseudo(secret)),
    "nbd:": lambda _secret: header(name=b"nbd:127.0.0.1:10809:exportname=x"),
    "fat:": lambda secret: header(name=b"fat:" + bytes(secret.parent)),
    "version 2": lambda secret: header(name=bytes(secret), version=2),
    "with a format": lambda secret: header(
        name=bytes(secret), extensions=[(BACKING_FORMAT, b"raw")]),
    "data file": lambda secret: header(
        features=1 << 2, extensions=[(DATA_FILE, bytes(secret))]),
    "data file json:": lambda secret: header(
        features=1 << 2, extensions=[(DATA_FILE, pseudo(secret))]),
    "data file without its bit": lambda secret: header(extensions=[(DATA_FILE, bytes(secret))]),
}


def wrapped(path: Path, inside: bytes) -> Path:
    """A sound qcow2 whose disk begins with these bytes: what a reader that probes believes."""
    raw = path.with_suffix(".inside")
    raw.write_bytes(inside)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, path], check=True)
    raw.unlink()
    return path
