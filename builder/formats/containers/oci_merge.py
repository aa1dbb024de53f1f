"""Puts the OCI archives of several architectures into one, under a common index."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from builder.formats.containers import oci_archive, oci_documents
from builder.formats.containers.oci_documents import INDEX, Blob
from host.errors import InputError


def merge(archives: Sequence[Path], destination: Path, epoch: int) -> None:
    """Write one archive with the images of all of them; each must hold one image.

    The layout's index.json points to a single index of all platforms, because that is what
    `skopeo copy --all` and engines take for one image; several entries side by side would be
    several images. Raises InputError when an archive is none, or two are of one platform.
    """
    entries: list[dict[str, Any]] = []
    named: dict[str, Any] = {}
    with destination.open("w+b") as stream:
        oci_archive.add_folder(stream, "blobs", epoch)
        oci_archive.add_folder(stream, "blobs/sha256", epoch)
        there: set[str] = set()
        for path in archives:
            entry = _copy_blobs(path, stream, there, epoch)
            named = {"annotations": entry.pop("annotations", {})}
            if any(entry["platform"] == other["platform"] for other in entries):
                raise InputError(f"two images are for {entry['platform']}", where=str(path))
            entries.append(entry)
        entries.sort(key=lambda each: json.dumps(each["platform"], sort_keys=True))
        inner = oci_documents.index(entries)
        blob = oci_documents.blob_of(INDEX, inner, **named)
        oci_archive.add(stream, blob.path, inner, epoch)
        oci_archive.add(stream, "index.json", oci_documents.index([blob.descriptor()]), epoch)
        oci_archive.add(stream, "oci-layout", oci_documents.VERSION, epoch)
        oci_archive.finish(stream)


def _copy_blobs(path: Path, stream: BinaryIO, there: set[str], epoch: int) -> dict[str, Any]:
    """Copy the blobs that are not there yet and return the image's entry in index.json."""
    try:
        with tarfile.open(path, "r:") as archive:
            entry: dict[str, Any]
            (entry,) = _document(archive, "index.json")["manifests"]
            digest = entry["digest"]
            manifest = _document(archive, Blob("", digest, 0).path)
            for each in (digest, manifest["config"]["digest"],
                         *(layer["digest"] for layer in manifest["layers"])):
                if each not in there:
                    _copy(archive, each, stream, epoch)
                    there.add(each)
            return {"mediaType": entry["mediaType"], "digest": digest, "size": entry["size"],
                    "platform": entry["platform"], "annotations": entry.get("annotations", {})}
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise InputError(
            "not an OCI archive of one image", where=str(path), why=str(error),
        ) from error


def _copy(archive: tarfile.TarFile, digest: str, stream: BinaryIO, epoch: int) -> None:
    source = archive.extractfile(Blob("", digest, 0).path)
    if source is None:
        raise KeyError(digest)

    def copy(descriptor: int) -> None:
        with open(descriptor, "wb", closefd=False) as sink:
            shutil.copyfileobj(source, sink, 1 << 20)

    with source:
        blob = oci_archive.add_blob(stream, "", epoch, copy)
    if blob.digest != digest:
        raise ValueError(f"blob {digest} has the content of {blob.digest}")


def _document(archive: tarfile.TarFile, name: str) -> Any:
    stream = archive.extractfile(name)
    if stream is None:
        raise KeyError(name)
    with stream:
        return json.load(stream)
