"""The package groups of a medium: those of its repositories, joined and cut to what is on it."""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from pathlib import Path

import createrepo_c

from host.errors import InputError

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
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "comps.xml")
        try:
            createrepo_c.decompress_file(
                str(file), str(plain), createrepo_c.AUTO_DETECT_COMPRESSION)
            # Out of a repository whose index was checked: its size is no secret to us.
            return ElementTree.parse(plain).getroot()  # noqa: S314
        except (ElementTree.ParseError, createrepo_c.CreaterepoCError) as error:
            raise InputError("is no comps file", where=str(file), why=str(error)) from error
