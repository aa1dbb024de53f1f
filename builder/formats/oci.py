"""oci: the root tree as a container image, a tar of an OCI image layout.

It carries Docker's manifest.json, too, as `docker save` has written archives since Docker 25: one
file for every engine. A layout may hold files that the specification does not name.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from builder.artefact import NAMING, TREE, About
from builder.formats.archives import tar_tree
from builder.formats.containers import oci_archive, oci_documents
from builder.formats.streams.compressors import GZIP
from host.beneath.root import Root
from host.progress import Progress

name = "oci"
title = "container image as an OCI archive: podman, skopeo, Kubernetes, registries"
source = TREE
uses = NAMING


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Write the image with one gzip layer; its blobs are named by what they hold."""
    diff_id = hashlib.sha256()

    def write_layer(descriptor: int) -> None:
        tar_tree.write(
            source, descriptor, GZIP, about.epoch, on_piece=diff_id.update,
            progress=progress, step=name,
        )

    repository, tag = oci_documents.repository(about), about.version
    with (folder / "oci.tar").open("w+b") as stream:
        oci_archive.add_folder(stream, "blobs", about.epoch)
        oci_archive.add_folder(stream, "blobs/sha256", about.epoch)
        layer = oci_archive.add_blob(stream, oci_documents.LAYER, about.epoch, write_layer)
        config = oci_documents.config(about, f"sha256:{diff_id.hexdigest()}", _shell(source))
        config_blob = oci_documents.blob_of(oci_documents.CONFIG, config)
        manifest = oci_documents.manifest(config_blob, [layer], about)
        entry = oci_documents.blob_of(
            oci_documents.MANIFEST, manifest, platform=oci_documents.platform(about),
            **oci_documents.names(repository, tag),
        )
        documents = {
            config_blob.path: config,
            entry.path: manifest,
            "index.json": oci_documents.index([entry.descriptor()]),
            "manifest.json": oci_documents.docker_list(config_blob, [layer], repository, tag),
            "oci-layout": oci_documents.VERSION,
        }
        for path, content in documents.items():
            oci_archive.add(stream, path, content, about.epoch)
        oci_archive.finish(stream)


def identity() -> dict[str, str]:
    """Return the options and the versions of tar and pigz."""
    return tar_tree.identity(GZIP)


def _shell(tree: Path) -> str:
    """Return the shell that a container starts; minimal trees may come without bash."""
    return "/bin/bash" if Root(tree).exists("/usr/bin/bash", follow=False) else "/bin/sh"
