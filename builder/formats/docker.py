"""docker: what `docker load` takes, without a second copy of the layer."""

from __future__ import annotations

from pathlib import Path

from builder.artefact import NAMING, About
from host.files import link_or_copy
from host.progress import Progress

name = "docker"
title = "container image for docker load: Docker 1.10 and later, podman, skopeo"
source = "oci"
uses = NAMING


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Give the OCI archive a second name: it has Docker's manifest.json.

    A layer may be compressed there: Docker's loader decompresses what it finds and compares the
    digest of the result with the configuration (moby, image/tarexport/load.go), and so does the
    library under podman and skopeo (containers/image, docker/internal/tarfile).
    """
    link_or_copy(source / "oci.tar", folder / "docker.tar")


def identity() -> dict[str, str]:
    """Return nothing: all that could differ is in the OCI archive."""
    return {}
