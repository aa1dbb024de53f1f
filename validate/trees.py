"""Which archives hold a root tree, and how each is opened: tar, layers of OCI and docker, Incus."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from host.errors import InputError, from_os_error
from images.record import BuildRecord
from validate import tars
from validate.archive import Archive
from validate.artefact import ArtefactFacts
from validate.layers import read_docker, read_oci
from validate.reader import arch_of, packages
from validate.streams import Budget, unpacked
from validate.view import View

_SUFFIXES = (".tar.xz", ".tar.gz", ".tar.zst", ".tar", ".tgz", ".wsl", ".oci")
BUNDLE_SUFFIX = ".eucalyptus.tar"
"""A bundle for Eucalyptus: a tar archive, but its parts are a disk (validate/bundles.py)."""
_BY_FORMAT = {"tar-xz": "tar", "tar-zst": "tar", "openvz": "tar", "wsl": "tar", "lxc": "tar",
              "oci": "oci", "docker": "docker", "incus-unified": "incus", "oci-archive": "oci"}


def is_tree(path: Path, record: BuildRecord | None) -> bool:
    """Tell whether a file is, by build.json or its name, an archive that holds a root tree."""
    if made := _format(path, record):
        return made in _BY_FORMAT
    return path.name.endswith(_SUFFIXES) and not path.name.endswith(BUNDLE_SUFFIX)


def facts_of(path: Path, record: BuildRecord | None) -> ArtefactFacts:
    """Return what is known of the file from outside."""
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise from_os_error(error, f"reading {path}") from error
    return ArtefactFacts(path, "raw", "raw", size_bytes, 0, is_archive=True,
                         ccis_format=_format(path, record))


def open_tree(facts: ArtefactFacts, record: BuildRecord | None) -> View:
    """Return what the checks see of a tree in an archive, read once from its beginning to its end.

    Raises InputError when it is no archive, is cut off, or is beyond any bound.
    """
    path = facts.path
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            found = Archive()
            _READERS[_kind(facts, stream)](found, stream)
    except OSError as error:
        raise from_os_error(error, f"reading {path}") from error
    except InputError as error:
        error.where = error.where or str(path)
        raise
    tree = found.tree()
    if tree.resolve("/usr") is None and tree.resolve("/bin") is None:
        raise InputError("holds no root tree", where=str(path))
    arch = arch_of(tree, found.read)
    return View(
        tree=tree, read=found.read, arch=arch, shape="container", artefact=facts, record=record,
        list_packages=lambda folder: packages(tree, folder, found.read),
        hash_files=found.sha256, list_xattrs=lambda: found.xattrs,
        container_faults=tuple(found.faults[:200]),
    )


def _format(path: Path, record: BuildRecord | None) -> str:
    made = record.artefacts if record else []
    return next((one.format for one in made if one.file == path.name), "")


def _kind(facts: ArtefactFacts, stream: BinaryIO) -> str:
    """Return the kind of archive: by build.json, else by the members that it begins with."""
    if facts.ccis_format:
        return _BY_FORMAT.get(facts.ccis_format, "tar")
    try:
        names = {member.name.removeprefix("./") for member in islice(
            tars.Archive(unpacked(stream), Budget()), 16)}
    except (*tars.BROKEN, OSError):
        names = set()
    stream.seek(0)
    if "oci-layout" in names:
        return "oci"
    if "manifest.json" in names or any(name.endswith("/layer.tar") for name in names):
        return "docker"
    return "incus" if "metadata.yaml" in names else "tar"


def _tar(found: Archive, stream: BinaryIO) -> None:
    found.add_layer(unpacked(stream, found.budget))


def _incus(found: Archive, stream: BinaryIO) -> None:
    found.add_layer(unpacked(stream, found.budget), below="/rootfs")


_READERS: dict[str, Callable[[Archive, BinaryIO], None]] = {
    "tar": _tar, "incus": _incus, "oci": read_oci, "docker": read_docker}
