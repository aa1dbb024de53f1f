"""Which archives hold a root tree, and how each is opened: tar, layers of OCI and docker, Incus."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

from host.errors import InputError, from_os_error
from images.record import BuildRecord
from validate.archive import Archive, unpacked
from validate.artefact import ArtefactFacts
from validate.documents import parse_json
from validate.reader import arch_of, packages
from validate.view import View

_JSON_BYTES_MAX = 4 << 20
_MEMBERS_MAX = 4096
_SUFFIXES = (".tar.xz", ".tar.gz", ".tar.zst", ".tar", ".tgz", ".wsl", ".oci")
_BY_FORMAT = {"tar-xz": "tar", "tar-zst": "tar", "openvz": "tar", "wsl": "tar", "lxc": "tar",
              "oci": "oci", "docker": "docker", "incus-unified": "incus", "oci-archive": "oci"}
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "ppc64le": "ppc64le", "s390x": "s390x"}


def is_tree(path: Path, record: BuildRecord | None) -> bool:
    """Tell whether a file is, by build.json or its name, an archive that holds a root tree."""
    made = _format(path, record)
    return made in _BY_FORMAT if made else path.name.endswith(_SUFFIXES)


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
    with unpacked(stream) as content:
        try:
            with tarfile.open(fileobj=content, mode="r|") as archive:
                names = {member.name.removeprefix("./") for _, member in zip(
                    range(16), archive, strict=False)}
        except (tarfile.TarError, OSError, EOFError, ValueError):
            names = set()
    stream.seek(0)
    if "oci-layout" in names:
        return "oci"
    if "manifest.json" in names or any(name.endswith("/layer.tar") for name in names):
        return "docker"
    return "incus" if "metadata.yaml" in names else "tar"


def _tar(found: Archive, stream: BinaryIO) -> None:
    with unpacked(stream) as content:
        found.add_layer(content)


def _incus(found: Archive, stream: BinaryIO) -> None:
    with unpacked(stream) as content:
        found.add_layer(content, below="/rootfs")


class Slice:
    """A member of an archive as a stream that can begin again."""

    def __init__(self, stream: BinaryIO, at: int, size: int) -> None:
        self._stream, self._start, self._size, self._at = stream, at, size, 0

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes."""
        left = self._size - self._at
        count = left if count < 0 else min(count, left)
        self._stream.seek(self._start + self._at)
        piece = self._stream.read(count)
        self._at += len(piece)
        return piece

    def seek(self, to: int) -> None:
        """Begin again at a place."""
        self._at = to


def members_of(stream: BinaryIO) -> dict[str, Slice]:
    """Return the regular members of a plain tar, by name."""
    found: dict[str, Slice] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                if len(found) > _MEMBERS_MAX:
                    raise InputError("has more members than any image")
                if member.isreg():
                    found[member.name.removeprefix("./")] = Slice(
                        stream, member.offset_data, member.size)
    except tarfile.TarError as error:
        raise InputError("is no whole tar archive", why=str(error)) from error
    return found


def _json(members: dict[str, Slice], name: str) -> Any:
    if name not in members:
        raise InputError(f"has no {name}")
    members[name].seek(0)
    text = members[name].read(_JSON_BYTES_MAX).decode(errors="replace")
    return parse_json(name, text)


def _blob(members: dict[str, Slice], descriptor: Any, found: Archive) -> str:
    """Return the name of what a descriptor is about; what of it is wrong goes to the faults."""
    digest = str(descriptor.get("digest", "")) if isinstance(descriptor, dict) else ""
    kind, _, value = digest.partition(":")
    name = posixpath.join("blobs", kind, value)
    if kind != "sha256" or name not in members:
        raise InputError(f"has no blob {digest[:100]}")
    blob = members[name]
    whole, size = hashlib.sha256(), 0
    blob.seek(0)
    while piece := blob.read(1 << 20):
        whole.update(piece)
        size += len(piece)
    blob.seek(0)
    if whole.hexdigest() != value:
        found.faults.append(f"blob {digest[:30]}… has another digest")
    if size != descriptor.get("size"):
        found.faults.append(f"blob {digest[:30]}… has {size} bytes")
    return name


def _oci(found: Archive, stream: BinaryIO) -> None:
    """OCI image layout (image-layout.md): index, manifest, configuration, layers."""
    members = members_of(stream)
    _json(members, "oci-layout")
    index = _json(members, "index.json")
    first = _first(index, "manifests")
    manifest = _json(members, _blob(members, first, found))
    config = _json(members, _blob(members, manifest.get("config"), found))
    layers = manifest.get("layers")
    if not isinstance(layers, list) or not layers:
        raise InputError("has no layers")
    names = [_blob(members, layer, found) for layer in layers]
    _configured(found, config, len(names))
    for name in names:
        with unpacked(cast("BinaryIO", members[name])) as content:
            found.add_layer(content)


def _docker(found: Archive, stream: BinaryIO) -> None:
    """docker save: manifest.json names the configuration and the layers."""
    members = members_of(stream)
    image = _first({"images": _json(members, "manifest.json")}, "images")
    config = _json(members, str(image.get("Config", "")))
    layers = image.get("Layers")
    if not isinstance(layers, list) or not layers:
        raise InputError("has no layers")
    if not image.get("RepoTags"):
        found.faults.append("manifest.json has no RepoTags")
    _configured(found, config, len(layers))
    for name in layers:
        if str(name) not in members:
            raise InputError(f"has no layer {str(name)[:100]}")
        with unpacked(cast("BinaryIO", members[str(name)])) as content:
            found.add_layer(content)


def _first(document: Any, key: str) -> dict[str, Any]:
    found = document.get(key) if isinstance(document, dict) else None
    if not isinstance(found, list) or not found or not isinstance(found[0], dict):
        raise InputError(f"names no {key}")
    return found[0]


def _configured(found: Archive, config: Any, layers: int) -> None:
    """Note what is wrong with an image's configuration (image-spec, config.md)."""
    if not isinstance(config, dict):
        raise InputError("has no configuration")
    inner = config.get("config") if isinstance(config.get("config"), dict) else {}
    assert isinstance(inner, dict)
    if config.get("os") != "linux":
        found.faults.append(f"the configuration is for {config.get('os')}")
    if str(config.get("architecture")) not in _MACHINES:
        found.faults.append(f"the configuration is for {config.get('architecture')}")
    if not inner.get("Cmd") and not inner.get("Entrypoint"):
        found.faults.append("the configuration names no program to start")
    if inner.get("User") not in (None, "", "root", "0"):
        found.faults.append(f"it starts as {inner.get('User')}")
    if not any(str(each).startswith("PATH=") for each in inner.get("Env") or []):
        found.faults.append("the configuration sets no PATH")
    rootfs = config.get("rootfs")
    told = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(told, list) or len(told) != layers:
        found.faults.append(f"the configuration tells of other layers: {json.dumps(told)[:100]}")


_READERS: dict[str, Callable[[Archive, BinaryIO], None]] = {
    "tar": _tar, "incus": _incus, "oci": _oci, "docker": _docker}
