"""Says of each line of a kickstart what the builder does with it, and what will bite later.

Nothing is run, fetched or built: no scripts, no network, no rights of root.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builder.kickstart import registry
from builder.kickstart.findings import Finding
from builder.kickstart.hazards import HAZARDS
from builder.kickstart.layout import layout_of
from builder.kickstart.read import Kickstart, survey
from host.errors import CcisError
from images.release import Release

log = logging.getLogger("ccis.lint")

# Large enough for every layout: whether one fits is a matter of the image, not of the kickstart.
_DISK_BYTES = 1 << 40
_STORAGE = ("part", "partition", "autopart", "raid", "volgroup", "logvol", "btrfs", "reqpart")


@dataclass(frozen=True)
class Findings:
    """What there is to say of one kickstart, in the order of its lines."""

    file: str
    findings: list[Finding] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether a build would refuse the file."""
        return any(finding.kind == "refused" for finding in self.findings)

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each kind."""
        return dict(Counter(finding.kind for finding in self.findings))


def lint(path: Path, release: Release, folders: Sequence[Path] = ()) -> Findings:
    """Read one kickstart as far as it can be read, and judge every line of it.

    folders: of this host, where its parts may be besides its own folder.
    Nothing is raised for anything that a file may hold: what can't be read is a finding.
    """
    try:
        read = survey(path, release.dialect, folders)
    except CcisError as error:
        return Findings(str(path), [_problem(error, str(path))])
    kickstart = read.kickstart
    findings = [_problem(error, str(path)) for error in read.problems]
    findings += [Finding(verdict.status.kind, verdict.name, verdict.status.reason, verdict.where)
                 for verdict in registry.verdicts(kickstart)]
    findings += [
        Finding("note", "%include", f"{name} is not looked at: %pre writes it, or it is on the "
                "network", where) for where, name in read.unread_includes
    ]
    for hazard in HAZARDS:
        findings += hazard(kickstart)
    if not any(finding.kind == "refused" for finding in findings) and not read.unread_includes:
        findings += _of_layout(kickstart, release)
    files = {name: number for number, name in enumerate(kickstart.sources)}
    findings.sort(key=lambda each: (files.get(each.file, -1), each.line or 0))
    return Findings(str(path), findings)


def _of_layout(kickstart: Kickstart, release: Release) -> list[Finding]:
    """Plan the disk and return what was dropped from it, or why there is none.

    A layout that rests on what %pre does to the disk can't be planned without running it.
    """
    if not kickstart.find(*_STORAGE) or kickstart.scripts_of("%pre"):
        return []
    try:
        layout = layout_of(kickstart, _DISK_BYTES, release, "lint")
    except CcisError as error:
        return [_problem(error, str(kickstart.path))]
    except Exception as error:  # a bug of ours, and no reason to say nothing of the other lines
        log.exception("planning the disk of %s", kickstart.path)
        return [Finding("refused", "", "the disk can't be planned: "
                        f"{type(error).__name__}: {error}", str(kickstart.path))]
    return [Finding("warning", "layout", says, where) for where, says in layout.notes]


def _problem(error: CcisError, file: str) -> Finding:
    says = f"{error.what}: {error.why}" if error.why else error.what
    return Finding("refused", "", says, error.where or file, error.remedy)
