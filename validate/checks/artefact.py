"""Proofs on the artefact's file."""

from __future__ import annotations

from host.files import sha256_file
from specs.kinds.artefact import (
    ArtefactFormat,
    ArtefactRecorded,
    ArtefactSelfContained,
    ArtefactSound,
    ArtefactVirtualSize,
)
from validate.artefact import faults
from validate.registry import Finding, proves, verdict
from validate.view import View

_NO_FILE = Finding(None, "not a disk image", "")


@proves(ArtefactFormat)
def artefact_format(check: ArtefactFormat, view: View) -> Finding:
    """Compare content and name."""
    facts = view.artefact
    if facts is None:
        return _NO_FILE
    return Finding(facts.format == facts.named_format, facts.format, facts.named_format)


@proves(ArtefactSelfContained)
def artefact_self_contained(check: ArtefactSelfContained, view: View) -> Finding:
    """Look at the header for other files."""
    facts = view.artefact
    if facts is None:
        return _NO_FILE
    wrong = [f"backing file {facts.backing_file}"] if facts.backing_file is not None else []
    wrong += ["an external data file"] if facts.external_data else []
    return verdict(wrong, "the whole disk", "no backing file, no external data file")


@proves(ArtefactSound)
def artefact_sound(check: ArtefactSound, view: View) -> Finding:
    """Ask qemu-img."""
    expected = "nothing found by qemu-img check"
    if view.artefact is None or view.artefact.format == "raw":
        return Finding(None, "nothing to check in a raw image", expected)
    if not view.artefact.self_contained:
        return Finding(False, "not opened: it names other files", expected)
    wrong = faults(view.artefact)
    return Finding(wrong is None, wrong or "nothing found", expected)


@proves(ArtefactVirtualSize)
def artefact_virtual_size(check: ArtefactVirtualSize, view: View) -> Finding:
    """Divide."""
    if view.artefact is None:
        return _NO_FILE
    size_bytes = view.artefact.virtual_size_bytes
    good = size_bytes % check.multiple_bytes == 0 and size_bytes <= check.max_bytes
    return Finding(
        good, f"{size_bytes} bytes",
        f"a multiple of {check.multiple_bytes} bytes, at most {check.max_bytes}",
    )


@proves(ArtefactRecorded)
def artefact_recorded(check: ArtefactRecorded, view: View) -> Finding:
    """Find the file in build.json, and compare sizes and digest."""
    expected = "name, size, virtual size and SHA-256 as in build.json"
    facts = view.artefact
    if facts is None or view.record is None:
        return Finding(None, "no build.json was given", expected)
    path = facts.published or facts.path
    one = next((one for one in view.record.artefacts if one.file == path.name), None)
    if one is None:
        return Finding(False, f"build.json has no {path.name}", expected)
    wrong = []
    if one.size_bytes != facts.size_bytes:
        wrong.append(f"{facts.size_bytes} bytes, not {one.size_bytes}")
    if one.virtual_size_bytes not in (None, facts.virtual_size_bytes):
        wrong.append(f"a disk of {facts.virtual_size_bytes} bytes, not {one.virtual_size_bytes}")
    if not wrong and (digest := sha256_file(path)) != one.sha256:
        wrong.append(f"SHA-256 {digest}, not {one.sha256}")
    return verdict(wrong, "the same", expected)
