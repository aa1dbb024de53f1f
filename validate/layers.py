"""Containers' images as their layers: OCI's archives (image-layout.md) and those of docker save."""

from __future__ import annotations

import hashlib
import posixpath
from typing import Annotated, BinaryIO, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from host.errors import InputError
from validate import tars
from validate.archive import Archive
from validate.documents import parse_json
from validate.streams import Budget, unpacked

_JSON_BYTES_MAX = 4 << 20
_MEMBERS_MAX = 4096
_LAYERS_MAX = 512
"""Docker itself stops at 127."""
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "ppc64le": "ppc64le", "s390x": "s390x"}


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


def members_of(stream: BinaryIO, faults: list[str]) -> dict[str, Slice]:
    """Return the regular members of a plain tar, by name; what of them is odd goes to the faults.

    Raises InputError for what is no whole tar archive.
    """
    found: dict[str, Slice] = {}
    try:
        for member in tars.Archive(stream, Budget(), seekable=True):
            if len(found) > _MEMBERS_MAX:
                raise InputError("has more members than any image")
            name = member.name.removeprefix("./")
            if name in found:
                faults.append(f"{name} is in it twice")
            if member.isreg() and not member.issparse():
                found[name] = Slice(stream, member.offset_data, member.size)
            elif not member.isdir():
                faults.append(f"{name} is no regular file")
    except tars.BROKEN as error:
        raise InputError("is no whole tar archive", why=str(error)[:200]) from error
    return found


class _Layout(BaseModel):
    version: str = Field(default="", alias="imageLayoutVersion")


class _Descriptor(BaseModel):
    digest: str
    size: int


class _Index(BaseModel):
    manifests: Annotated[list[_Descriptor], Field(min_length=1)]


class _Manifest(BaseModel):
    config: _Descriptor
    layers: Annotated[list[_Descriptor], Field(min_length=1, max_length=_LAYERS_MAX)]


def _listed(value: object) -> object:
    return [] if value is None else value


Words = Annotated[list[str], BeforeValidator(_listed)]


class _Process(BaseModel):
    Cmd: Words = []
    Entrypoint: Words = []
    Env: Words = []
    User: str | None = None


class _Root(BaseModel):
    diff_ids: list[str] = []


class _Configuration(BaseModel):
    os: str = "?"
    architecture: str = "?"
    config: _Process = _Process()
    rootfs: _Root = _Root()


class _Saved(BaseModel):
    Config: str
    Layers: Annotated[list[str], Field(min_length=1, max_length=_LAYERS_MAX)]
    RepoTags: Words = []


class _AllSaved(BaseModel):
    images: Annotated[list[_Saved], Field(min_length=1)]


Document = TypeVar("Document", bound=BaseModel)


def _document(members: dict[str, Slice], name: str, model: type[Document], key: str = "",
              ) -> Document:
    """Return a JSON document; key: of the list that it is, when it is no object."""
    if name not in members:
        raise InputError(f"has no {name[:100]}")
    members[name].seek(0)
    content = members[name].read(_JSON_BYTES_MAX)
    found = parse_json(name, content.decode(errors="replace"))
    try:
        return model.model_validate({key: found} if key else found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise InputError(f"{name[:100]} is not what an image has there",
                         why=f"{where}: {first['msg']}"[:200]) from error


def _blob(members: dict[str, Slice], descriptor: _Descriptor, found: Archive) -> str:
    """Return the name of what a descriptor is about; what of it is wrong goes to the faults."""
    kind, _, value = descriptor.digest.partition(":")
    name = posixpath.join("blobs", kind, value)
    if kind != "sha256" or name not in members:
        raise InputError(f"has no blob {descriptor.digest[:100]}")
    blob = members[name]
    whole, size = hashlib.sha256(), 0
    blob.seek(0)
    while piece := blob.read(1 << 20):
        whole.update(piece)
        size += len(piece)
    blob.seek(0)
    if whole.hexdigest() != value:
        found.fault(f"blob {descriptor.digest[:30]}… has another digest")
    if size != descriptor.size:
        found.fault(f"blob {descriptor.digest[:30]}… has {size} bytes")
    return name


def read_oci(found: Archive, stream: BinaryIO) -> None:
    """Lay the layers of an OCI archive over each other: index, manifest, configuration, layers."""
    members = members_of(stream, found.faults)
    _document(members, "oci-layout", _Layout)
    index = _document(members, "index.json", _Index)
    manifest = _document(members, _blob(members, index.manifests[0], found), _Manifest)
    config = _document(members, _blob(members, manifest.config, found), _Configuration)
    _configured(found, config, len(manifest.layers))
    digests = {layer.digest: _blob(members, layer, found) for layer in manifest.layers}
    _laid(found, members, [digests[layer.digest] for layer in manifest.layers])


def read_docker(found: Archive, stream: BinaryIO) -> None:
    """Lay the layers of a docker archive over each other: manifest.json names them."""
    members = members_of(stream, found.faults)
    image = _document(members, "manifest.json", _AllSaved, "images").images[0]
    config = _document(members, image.Config, _Configuration)
    if not image.RepoTags:
        found.fault("manifest.json has no RepoTags")
    _configured(found, config, len(image.Layers))
    _laid(found, members, image.Layers)


def _laid(found: Archive, members: dict[str, Slice], names: list[str]) -> None:
    for name in names:
        if name not in members:
            raise InputError(f"has no layer {name[:100]}")
        members[name].seek(0)
        found.add_layer(unpacked(cast("BinaryIO", members[name]), found.budget))


def _configured(found: Archive, config: _Configuration, layers: int) -> None:
    """Note what is wrong with an image's configuration (image-spec, config.md)."""
    inner = config.config
    if config.os != "linux":
        found.fault(f"the configuration is for {config.os}")
    if config.architecture not in _MACHINES:
        found.fault(f"the configuration is for {config.architecture}")
    if not inner.Cmd and not inner.Entrypoint:
        found.fault("the configuration names no program to start")
    if inner.User not in (None, "", "root", "0"):
        found.fault(f"it starts as {inner.User}")
    if not any(each.startswith("PATH=") for each in inner.Env):
        found.fault("the configuration sets no PATH")
    if len(config.rootfs.diff_ids) != layers:
        found.fault(f"the configuration tells of {len(config.rootfs.diff_ids)} other layers")
