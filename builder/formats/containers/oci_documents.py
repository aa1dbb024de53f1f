"""The JSON documents of an OCI image: config, manifest, index, and Docker's own list.

Source: the OCI image specification 1.1 (config.md, manifest.md, image-index.md, image-layout.md,
annotations.md); for manifest.json the Docker Image Specification 1.3.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from builder.artefact import About
from builder.formats.containers.architectures import go_name

CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
VERSION = b'{"imageLayoutVersion":"1.0.0"}'
"""The content of the file oci-layout."""

# As Docker's convention for platforms has it; without it, some engines take the image for another.
_VARIANTS = {"arm64": "v8", "arm": "v7"}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Blob:
    """What a descriptor says of a blob; size in bytes, digest as sha256:HEX."""

    media: str
    digest: str
    size_bytes: int
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where it lies in an image layout."""
        return "blobs/" + self.digest.replace(":", "/")

    def descriptor(self) -> dict[str, Any]:
        """Return it as other documents point to it."""
        return {
            "mediaType": self.media, "digest": self.digest, "size": self.size_bytes, **self.more,
        }


def blob_of(media: str, content: bytes, **more: Any) -> Blob:
    """Describe a document."""
    return Blob(media, "sha256:" + hashlib.sha256(content).hexdigest(), len(content), more)


def encode(document: Any) -> bytes:
    """Return a document's bytes, the same for the same content: its digest is its name."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def platform(about: About) -> dict[str, str]:
    """Return the platform that an index chooses an image by."""
    architecture = go_name(about.arch)
    variant = {"variant": _VARIANTS[architecture]} if architecture in _VARIANTS else {}
    return {"architecture": architecture, "os": "linux", **variant}


def labels(about: About) -> dict[str, str]:
    """Return what the image says of itself, by the predefined keys of annotations.md."""
    return {
        "org.opencontainers.image.created": _time(about.epoch),
        "org.opencontainers.image.description": f"{about.title} for {about.arch}",
        "org.opencontainers.image.title": repository(about),
        "org.opencontainers.image.version": about.version,
    }


def repository(about: About) -> str:
    """Return the image's name without a tag, such as centos-stream-container-base."""
    return f"{about.distribution}-{about.flavour}".lower()


def config(about: About, diff_id: str, shell: str) -> bytes:
    """Return the image's configuration.

    diff_id: the digest of the layer's archive before it is compressed. shell: what runs when a
    user names no command.
    """
    created = _time(about.epoch)
    return encode({
        "created": created,
        **platform(about),
        "config": {"Cmd": [shell], "Env": [f"PATH={_PATH}", "container=oci"],
                   "Labels": labels(about)},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created": created, "created_by": f"ccis build {about.image}"}],
    })


def manifest(config_blob: Blob, layers: Sequence[Blob], about: About) -> bytes:
    """Return the image's manifest."""
    return encode({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config_blob.descriptor(),
        "layers": [layer.descriptor() for layer in layers], "annotations": labels(about),
    })


def index(entries: Sequence[Mapping[str, Any]]) -> bytes:
    """Return an index of descriptors: of images of several platforms, or a layout's index.json."""
    return encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)})


def names(repository_name: str, tag: str) -> dict[str, dict[str, str]]:
    """Return the annotations by which engines name what they load from a layout.

    ref.name is the layout's own tag; Docker and podman take the full name from containerd's.
    """
    return {"annotations": {
        "io.containerd.image.name": f"docker.io/library/{repository_name}:{tag}",
        "org.opencontainers.image.ref.name": tag,
    }}


def docker_list(config_blob: Blob, layers: Sequence[Blob], repository_name: str, tag: str) -> bytes:
    """Return manifest.json, the table of contents that `docker load` looks for."""
    return encode([{
        "Config": config_blob.path, "RepoTags": [f"{repository_name}:{tag}"],
        "Layers": [layer.path for layer in layers],
    }])


def _time(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
