"""Mutations of the file itself and of what the record says of it."""

from __future__ import annotations

from tests.validate.mutations.changes import (
    artefact,
    record,
)
from tests.validate.mutations.good import Change
from tests.validate.mutations.row import (
    Row,
    container,
    named_zlib,
    qcow2,
)

ARTEFACT: dict[str, Row | Change] = {
    "artefact.qcow2-features": Row(qcow2("snapshot.qcow2"), ("artefact.recorded",)),
    "artefact.compression-type": Row(named_zlib, ("artefact.recorded",)),
    "artefact.container": container("disk.raw is missing"),
    "size.artefact": Row(artefact(size_bytes=3 << 30), ("artefact.recorded",)),
    "packages.not-eol": record(source_date_epoch=1_905_000_000),
    "artefact.format": artefact(named_format="raw"),
    "artefact.self-contained": Row(artefact(backing_file="/etc/passwd"), ("artefact.sound",)),
    "artefact.sound": Row(qcow2("leaked.qcow2"), ("artefact.recorded",)),
    "artefact.virtual-size": Row(artefact(virtual_size_bytes=(1 << 30) + 512), (
        "azure.virtual-size", "gce.virtual-size", "vagrant.virtual-size", "artefact.recorded")),
    "artefact.recorded": record(artefacts=[]),
    "azure.virtual-size": Row(artefact(virtual_size_bytes=(1 << 30) + 512), ("artefact.",)),
    "gce.virtual-size": Row(artefact(virtual_size_bytes=(1 << 30) + (1 << 20)), ("artefact.",)),
    "vagrant.virtual-size": Row(
        artefact(virtual_size_bytes=(1 << 30) + (1 << 20)), ("artefact.",)),
    "brightbox.compression": Row(named_zlib, ("artefact.",)),
    "hpcloud.compression": Row(named_zlib, ("artefact.",)),
}
