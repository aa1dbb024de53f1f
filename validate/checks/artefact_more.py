"""Proofs on the artefact's file: a qcow2's features, length, the release's end, the container."""

from __future__ import annotations

from datetime import date

from specs.kinds.artefact import ArtefactContainer, ArtefactSize, Qcow2Features, ReleaseSupported
from validate.qcow2 import features
from validate.registry import Finding, proves, verdict
from validate.view import View


@proves(Qcow2Features)
def qcow2_features(check: Qcow2Features, view: View) -> Finding:
    """Read the header."""
    expected = f"version 3, whole, {' or '.join(check.compression)}, no snapshots"
    facts = view.artefact
    if facts is None or facts.format != "qcow2":
        return Finding(None, "not a qcow2", expected)
    found = features(facts.path)
    wrong = [] if found.version == 3 else [f"version {found.version}"]
    wrong += [word for word, bad in (("dirty", found.dirty), ("corrupt", found.corrupt)) if bad]
    wrong += [f"{found.snapshots} snapshots"] if found.snapshots else []
    wrong += ["bitmaps"] if found.bitmaps else []
    if found.compression not in check.compression:
        wrong.append(f"packed by {found.compression}")
    return verdict(wrong, f"version 3, {found.compression}", expected)


@proves(ArtefactSize)
def artefact_size(check: ArtefactSize, view: View) -> Finding:
    """Compare."""
    if view.artefact is None:
        return Finding(None, "no file", "")
    size = view.artefact.size_bytes
    return Finding(size <= check.max_bytes, f"{size} bytes", f"at most {check.max_bytes} bytes")


@proves(ReleaseSupported)
def release_supported(check: ReleaseSupported, view: View) -> Finding:
    """Count the days from the build's own time to the release's end."""
    expected = f"maintained for {check.days} days after the build"
    if view.record is None or (end := check.ends.get(view.record.version)) is None:
        return Finding(None, "no build.json, or a release without a known end", expected)
    left = (end - date.fromtimestamp(view.record.source_date_epoch)).days
    return Finding(left >= check.days, f"{left} days", expected)


@proves(ArtefactContainer)
def artefact_container(check: ArtefactContainer, view: View) -> Finding:
    """Take what the reader of the format found."""
    expected = "a container as its format demands"
    if view.container_faults is None:
        return Finding(None, "no container", expected)
    return verdict(list(view.container_faults), "whole", expected)
