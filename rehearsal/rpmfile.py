"""Writes one RPM package: lead, signature header, header, zstd-compressed cpio payload.

Why not rpmbuild: it wants every file unpacked on disk, classifies each with libmagic and starts
about ten shells per package, which costs several times the work itself. What is written here is
the format of rpm 4.x (https://rpm-software-management.github.io/rpm/manual/format_v4.html).
"""

from __future__ import annotations

import hashlib
import struct
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from host.run import run
from rehearsal.model import Dependency, Package, PackagedFile
from rehearsal.rpmheader import BINARY, I18N, INT16, INT32, STRING, STRING_ARRAY, Header

SENSE_EQUAL, SENSE_PREREQ, SENSE_RPMLIB = 1 << 3, 1 << 6, 1 << 24
_SENSES = {"": 0, "<": 2, ">": 4, "=": 8, "<=": 10, ">=": 12}
_PHASES = {"pre": 1 << 9, "post": 1 << 10, "preun": 1 << 11, "postun": 1 << 12}
_SCRIPTS = {"pre": (1023, 1085), "post": (1024, 1086), "preun": (1025, 1087),
            "postun": (1026, 1088), "pretrans": (1151, 1153), "posttrans": (1152, 1154)}
_RELATIONS = {"requires": (1049, 1048, 1050), "provides": (1047, 1112, 1113),
              "conflicts": (1054, 1053, 1055), "obsoletes": (1090, 1114, 1115),
              "recommends": (5046, 5048, 5047)}
_RPMLIB = {"CompressedFileNames": "3.0.4-1", "PayloadFilesHavePrefix": "4.0-1",
           "FileDigests": "4.6.0-1", "PayloadIsZstd": "5.4.18-1"}
FLAG_CONFIG, FLAG_DOC, FLAG_MISSING_OK, FLAG_NOREPLACE = 1, 2, 8, 16
FLAG_GHOST, FLAG_LICENSE = 64, 128
VERIFY_ALL = 0xFFFFFFFF
VERIFY_CHANGING = VERIFY_ALL & ~(1 | 2 | 32)  # content, size and time of a %ghost may change

Signer = Callable[[Path], bytes]


def write_rpm(package: Package, folder: Path, sign: Signer) -> Path:
    """Write `package` into `folder` and return the file's path.

    sign: given a file, returns its detached binary OpenPGP signature.
    """
    files = sorted(package.files, key=lambda file: file.path)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".rpm.") as scratch_name:
        scratch = Path(scratch_name)
        plain = scratch / "payload.cpio"
        with plain.open("wb") as stream:
            _write_cpio(stream, files)
        plain_digest, plain_bytes = _digest(plain), plain.stat().st_size
        payload = scratch / "payload.zst"
        run(["zstd", "-q", "-3", plain, "-o", payload])
        plain.unlink()
        header = _header(package, files, _digest(payload), plain_digest).pack()
        unsigned = scratch / "header"
        unsigned.write_bytes(header)
        signature = Header(62)
        signature.put(268, BINARY, sign(unsigned))
        signature.put(269, STRING, hashlib.sha1(header).hexdigest())  # noqa: S324 - the format's
        signature.put(273, STRING, hashlib.sha256(header).hexdigest())
        signature.put(1000, INT32, [len(header) + payload.stat().st_size])
        signature.put(1007, INT32, [plain_bytes])
        packed = signature.pack()
        whole = scratch / "whole"
        with whole.open("wb") as stream:
            stream.write(_lead(package) + packed + bytes(-len(packed) % 8) + header)
            stream.write(payload.read_bytes())
        target = folder / package.filename
        whole.rename(target)
    return target


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _lead(package: Package) -> bytes:
    name = f"{package.name}-{package.version}-{package.release}".encode()[:65]
    return struct.pack(">4sBBHH66sHH16x", b"\xed\xab\xee\xdb", 3, 0, 0, 1, name, 1, 5)


def _write_cpio(stream: IO[bytes], files: Iterable[PackagedFile]) -> None:
    """Write the files as cpio's `newc` format, names relative to "./" as rpm does."""
    for number, file in enumerate(files, 1):
        if file.flags & FLAG_GHOST:
            continue
        _write_entry(stream, f".{file.path}", file.mode, file.content, number, file.mtime_s)
    _write_entry(stream, "TRAILER!!!", 0, b"", 0, 0)


def _write_entry(
    stream: IO[bytes], name: str, mode: int, content: bytes, inode: int, mtime_s: int,
) -> None:
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, mtime_s, len(content), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08x" % value for value in fields) + encoded
    stream.write(head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4))


def _header(package: Package, files: list[PackagedFile], payload: str, plain: str) -> Header:
    header = Header(63)
    header.put(100, STRING_ARRAY, ["C"])
    for tag, text in ((1000, package.name), (1001, package.version), (1002, package.release),
                      (1014, package.license), (1021, "linux"), (1022, package.arch),
                      (1007, "localhost"), (1011, "ccis rehearsal"), (1020, package.url),
                      (1044, package.source_rpm), (1064, "4.18.0"), (1124, "cpio"),
                      (1125, "zstd"), (1126, "3"), (5062, "utf-8")):
        header.put(tag, STRING, text)
    for tag, text in ((1004, package.summary), (1005, package.description),
                      (1016, "Unspecified")):
        header.put(tag, I18N, [text])
    if package.epoch:
        header.put(1003, INT32, [package.epoch])
    header.put(1006, INT32, [package.build_time_s])
    header.put(1009, INT32, [sum(len(file.content) for file in files)])
    header.put(5092, STRING_ARRAY, [payload])
    header.put(5093, INT32, [8])
    header.put(5097, STRING_ARRAY, [plain])
    _put_files(header, files)
    _put_relations(header, package, any(file.caps for file in files))
    for phase, script in package.scripts.items():
        tag, program_tag = _SCRIPTS[phase]
        header.put(tag, STRING, script.body)
        header.put(program_tag, STRING_ARRAY, list(script.interpreter))
        if len(script.interpreter) == 1:
            header.put(program_tag, STRING, script.interpreter[0])
    return header


def _put_files(header: Header, files: list[PackagedFile]) -> None:
    if not files:
        return
    folders = sorted({file.folder for file in files})
    number = {folder: index for index, folder in enumerate(folders)}
    header.put(1116, INT32, [number[file.folder] for file in files])
    header.put(1117, STRING_ARRAY, [file.basename for file in files])
    header.put(1118, STRING_ARRAY, folders)
    header.put(1028, INT32, [file.size for file in files])
    header.put(1030, INT16, [file.mode for file in files])
    header.put(1033, INT16, [0 for _ in files])
    header.put(1034, INT32, [file.mtime_s for file in files])
    header.put(1035, STRING_ARRAY, [file.digest for file in files])
    header.put(1036, STRING_ARRAY, [file.target for file in files])
    header.put(1037, INT32, [file.flags for file in files])
    header.put(1039, STRING_ARRAY, [file.user for file in files])
    header.put(1040, STRING_ARRAY, [file.group for file in files])
    header.put(1045, INT32, [VERIFY_CHANGING if file.flags & FLAG_GHOST else VERIFY_ALL
                             for file in files])
    header.put(1095, INT32, [1 for _ in files])
    header.put(1096, INT32, [index for index, _ in enumerate(files, 1)])
    header.put(1097, STRING_ARRAY, [file.lang for file in files])
    header.put(5011, INT32, [8])
    if any(file.caps for file in files):
        header.put(5010, STRING_ARRAY, [file.caps for file in files])


def _put_relations(header: Header, package: Package, caps: bool) -> None:
    relations = {name: list(getattr(package, name)) for name in _RELATIONS}
    evr = f"{package.epoch}:" if package.epoch else ""
    evr += f"{package.version}-{package.release}"
    relations["provides"].append(Dependency(package.name, "=", evr))
    if package.arch != "noarch":
        relations["provides"].append(Dependency(f"{package.name}(x86-64)", "=", evr))
    rpmlib = _RPMLIB | ({"FileCaps": "4.6.1-1"} if caps else {})
    relations["requires"] += [
        Dependency(f"rpmlib({name})", "<=", version, "rpmlib") for name, version in rpmlib.items()
    ]
    for relation, items in relations.items():
        tags = _RELATIONS[relation]
        unique = sorted(set(items), key=lambda item: (item.name, item.phase, item.version))
        header.put(tags[0], STRING_ARRAY, [item.name for item in unique])
        header.put(tags[1], INT32, [_sense(item) for item in unique])
        header.put(tags[2], STRING_ARRAY, [item.version for item in unique])


def _sense(item: Dependency) -> int:
    extra = SENSE_RPMLIB if item.phase == "rpmlib" else _PHASES.get(item.phase, 0)
    return _SENSES[item.sense] | extra
