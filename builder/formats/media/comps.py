"""The package groups of a medium: those of its repositories, joined and cut to what is on it."""

from __future__ import annotations

import bz2
import gzip
import lzma
import xml.etree.ElementTree as ElementTree
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from host.beneath.root import Root
from host.errors import InputError

_LIMIT_BYTES = 64 << 20  # Fedora's has 2 MB
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def joined(files: Sequence[Path], packages: Iterable[str]) -> str:
    """Return one comps.xml out of several; the first group of an id counts.

    packages: the names of what is on the medium. What is not is left out of the groups, and a
    group that nothing is left of out of all, as pungi does it for a compose (comps_filter).
    Raises InputError for a file that is no comps.
    """
    there = set(packages)
    result = ElementTree.Element("comps")
    seen: set[tuple[str, str]] = set()
    for file in files:
        for item in _parsed(file):
            key = (item.tag, item.findtext("id", ""))
            if key not in seen:
                seen.add(key)
                result.append(item)
    groups = {item.findtext("id", "") for item in result.findall("group") if _cut(item, there)}
    for item in list(result):
        if item.tag == "group" and item.findtext("id", "") not in groups:
            result.remove(item)
        for entry in item.findall("grouplist") + item.findall("optionlist"):
            for group in entry.findall("groupid"):
                if (group.text or "").strip() not in groups:
                    entry.remove(group)
    for item in result.findall("environment"):
        if item.find("grouplist/groupid") is None:
            result.remove(item)
    ElementTree.indent(result)
    return f"{_HEAD}{ElementTree.tostring(result, encoding='unicode')}\n"


def _cut(group: ElementTree.Element, there: set[str]) -> bool:
    """Leave out what is not on the medium; say whether anything is left."""
    found = False
    for listing in group.findall("packagelist"):
        for package in listing.findall("packagereq"):
            if (package.text or "").strip() in there:
                found = True
            else:
                listing.remove(package)
    return found


def _parsed(file: Path) -> ElementTree.Element:
    """Return the root of a comps.xml, as it is or compressed: expat bounds what entities make."""
    try:
        with Root(file.parent).open(f"/{file.name}") as raw, _plain(raw) as stream:
            text = stream.read(_LIMIT_BYTES + 1)
        if len(text) > _LIMIT_BYTES:
            raise InputError("is too large for a comps file", where=str(file),
                             why=f"it unpacks to more than {_LIMIT_BYTES >> 20} MiB")
        return ElementTree.fromstring(text)  # noqa: S314
    except (ElementTree.ParseError, OSError, EOFError, lzma.LZMAError, zlib.error,
            zstandard.ZstdError) as error:
        raise InputError("is no comps file", where=str(file), why=str(error)) from error


def _plain(raw: BinaryIO) -> BinaryIO:
    """Return what reads a file unpacked, by its first bytes."""
    head = raw.read(4)
    raw.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    if head == b"\xfd7zX":
        return cast(BinaryIO, lzma.LZMAFile(raw))
    if head.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(raw))
    if head == b"\x28\xb5\x2f\xfd":
        return zstandard.ZstdDecompressor().stream_reader(raw)
    return raw
