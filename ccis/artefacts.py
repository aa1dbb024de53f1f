"""What `validate` and `boot` have in common: from a folder or file to an artefact and its spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import output
from host.errors import HostError, InputError

if TYPE_CHECKING:
    from images.record import BuildRecord
    from specs.model import Spec
    from validate.key import Key
    from validate.report import Report

# A guest sees the same disk in both; the smaller file is read faster.
_PREFERRED = ("qcow2", "raw", "tar-xz", "tar-zst", "wsl", "openvz", "lxc", "oci", "docker",
              "raw-zst", "raw-gz", "raw-xz", "gce", "vhd", "vhd-dynamic", "vhdx", "vdi", "vmdk",
              "ova", "vagrant-libvirt", "vagrant-virtualbox", "vagrant-vmware", "vagrant-hyperv",
              "eucalyptus", "incus-vm", "incus-unified")


KeyOption = Annotated[
    Path | None, typer.Option("--key", metavar="FILE", show_default=False,
                              help="Holds the passphrase or key of an encrypted (LUKS) image."),
]


@dataclass(frozen=True)
class Subject:
    """An artefact to look at; record: of its build, if it lies beside its build.json.

    is_own_spec: it is to meet what its image must, not what somebody asks of it.
    """

    path: Path
    record: BuildRecord | None
    spec: Spec
    is_own_spec: bool = True


def subject_of(
    target: Path, image_format: str | None, spec_name: str | None,
    overlays: Sequence[Path] = (),
) -> Subject:
    """Return the artefact that a build's folder or a file stands for, and the spec to prove.

    overlays: files that change the spec, one over the other.
    Raises InputError when the folder is of no build or has no such artefact.
    """
    from images import record as records

    folder = target if target.is_dir() else target.parent
    record = None
    if target.is_dir() or (folder / records.FILE_NAME).is_file():
        record = records.read(folder)
    spec = _overlaid(_spec(spec_name, record), overlays)
    is_own = spec_name is None and not overlays
    if target.is_dir():
        assert record is not None, "records.read raises when there is none"
        # Of a pair, the large file is the content, the other its description.
        made = {artefact.format: artefact.file
                for artefact in sorted(record.artefacts, key=lambda one: one.size_bytes)}
        wanted = (image_format,) if image_format else _PREFERRED
        name = next((made[each] for each in wanted if each in made), None)
        if name is None:
            raise InputError(f"has no artefact {' or '.join(wanted)}", where=str(folder),
                             remedy=f"it has: {', '.join(made)}")
        return Subject(folder / name, record, spec, is_own)
    if not target.is_file():
        raise InputError("there is no such file or folder", where=str(target))
    known = record is not None and any(a.file == target.name for a in record.artefacts)
    return Subject(target, record if known else None, spec, is_own)


def _spec(name: str | None, record: BuildRecord | None) -> Spec:
    """Return the spec that was asked for, or that of the image; several names: all of them.

    An image whose build.json names one that is not in this catalogue has that spec alone.
    """
    from images import catalogue
    from images.specs import adapted, spec_of
    from specs.model import joined, load

    rehearsal = record is not None and record.is_rehearsal
    if name is None and record and record.image in catalogue.image_names():
        return spec_of(catalogue.image(record.image), rehearsal=rehearsal)
    names = (name or (record.spec if record else "baseline")).split(",")
    return adapted(joined([load(one) for one in names]), rehearsal=rehearsal)


def _overlaid(spec: Spec, overlays: Sequence[Path]) -> Spec:
    from specs.model import load_overlay, overlaid

    for path in overlays:
        spec = overlaid(spec, load_overlay(path))
    return spec


def key_of(path: Path | None) -> Key | None:
    """Return the key in a file, None without one; raise InputError when there is none in it."""
    from validate.key import read

    return read(path) if path else None


def keep_proof(subject: Subject, reports: Sequence[Report]) -> None:
    """Put reports on an artefact of a build beside its build.json, where `ccis publish` looks.

    They count for these bytes alone; an artefact that is not as its build made it gets none.
    """
    from host.files import sha256_file
    from images.proof import Proof, add

    if subject.record is None or not subject.is_own_spec:
        return
    built = {artefact.file: artefact.sha256 for artefact in subject.record.artefacts}
    sha256 = built.get(subject.path.name)
    if sha256 is None or sha256_file(subject.path) != sha256:
        return
    proofs = [Proof(artefact=subject.path.name, sha256=sha256, spec=report.spec,
                    firmware=report.firmware, passed=report.passed,
                    failed=[result.rule for result in report.failures])
              for report in reports]
    try:
        add(subject.path.parent, proofs)
    except HostError as error:  # somebody else's folder: what was found is still worth printing
        output.note(f"the proof is not kept for `ccis publish`: {error}")


def report_text(report: Report) -> list[str]:
    """Return a report's lines for people: what failed with its evidence, then the counts."""
    lines = [f"label    {label}" for label in report.labels]
    for result in report.results:
        if result.status in ("failed", "unknown"):
            mark = "FAILED " if result.fails else "should "
            lines.append(f"{mark} {result.rule}: {result.title}")
            lines.append(f"         found {result.found or 'nothing'}; expected {result.expected}")
    counts = _counts([result.status for result in report.results])
    firmware = f" ({report.firmware}, {report.accelerator})" if report.firmware else ""
    verdict = "passed" if report.passed else "FAILED"
    lines.append(f"{report.artefact}{firmware}: {verdict} – {counts} in {report.duration_s:.0f} s")
    return lines


def _counts(statuses: Sequence[str]) -> str:
    kinds = [kind for kind in ("passed", "failed", "unknown", "not-applicable") if kind in statuses]
    return ", ".join(f"{statuses.count(kind)} {kind.replace('-', ' ')}" for kind in kinds)
