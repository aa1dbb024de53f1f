"""What a validation found: one result per rule, as data, JSON and JUnit XML."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from host.text import printable
from specs.kind import Tier
from specs.model import Firmware, Rule, Severity
from specs.waiver import Waiver
from validate.registry import Finding

Status = Literal["passed", "failed", "not-applicable", "unknown", "waived"]

_TEXT_MAX = 2000


class Result(BaseModel):
    """One rule and what came of it.

    status: `unknown` when the image could not be asked, which is no better than `failed`; `waived`
    when it failed, and a waiver that still holds lets it.
    found, expected: evidence for a reader who has only the report.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: str
    title: str
    severity: Severity
    tier: Tier
    status: Status
    found: str
    expected: str

    @property
    def fails(self) -> bool:
        """Whether this result alone keeps an image from being published."""
        return self.severity == "must" and self.status in ("failed", "unknown")


class Report(BaseModel):
    """A validation. firmware: the one that the image was started by, None: it was not started.

    labels: what the image's record says of content that upstream has not accepted, in words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    artefact: str
    spec: str
    firmware: Firmware | None = None
    accelerator: str | None = None
    duration_s: float
    labels: list[str] = []
    results: list[Result]

    @property
    def passed(self) -> bool:
        """Whether every `must` rule that applies is met, and at least one was looked at."""
        looked = any(result.status == "passed" for result in self.results)
        return looked and not any(result.fails for result in self.results)

    @property
    def failures(self) -> list[Result]:
        """The results that keep the image from being published."""
        return [result for result in self.results if result.fails]

    @property
    def warnings(self) -> list[Result]:
        """The `should` rules that are not met."""
        return [
            result for result in self.results
            if result.status in ("failed", "unknown") and not result.fails
        ]

    def count(self, status: Status) -> int:
        """Return how many results have this status."""
        return sum(result.status == status for result in self.results)


def result(rule: Rule, finding: Finding | None, *, status: Status | None = None) -> Result:
    """Join a rule and what its check found; finding None: the rule is not about this image."""
    if finding is None:
        finding = Finding(None, "not about this image", "")
    known: Status = (
        "not-applicable" if finding.ok is None else "passed" if finding.ok else "failed"
    )
    return Result(
        rule=rule.id, title=rule.title, severity=rule.severity, tier=rule.tier,
        status=status or known, found=_printable(finding.found),
        expected=_printable(finding.expected),
    )


def waived(results: Sequence[Result], waivers: Sequence[Waiver], today: date) -> list[Result]:
    """Return results with waivers applied: what one lets pass, and says of one that has expired."""
    by_rule = {one.rule: one for one in waivers}
    found = []
    for each in results:
        waiver = by_rule.get(each.rule)
        if waiver is None or each.status not in ("failed", "unknown"):
            found.append(each)
            continue
        status: Status = "waived" if waiver.holds(today) else each.status
        found.append(each.model_copy(update={
            "status": status, "found": f"{each.found} ({_printable(waiver.said(today))})"}))
    return found


def to_json(reports: Report | Sequence[Report]) -> str:
    """Return one report, or several, as JSON; `passed` stands in each for readers' comfort."""
    def data(report: Report) -> dict[str, object]:
        return {**report.model_dump(mode="json"), "passed": report.passed}

    value = data(reports) if isinstance(reports, Report) else [data(one) for one in reports]
    return json.dumps(value, indent=2).replace("\x7f", "\\u007f") + "\n"


def to_junit(reports: Sequence[Report]) -> str:
    """Return reports as JUnit XML: a suite each, a case per rule; a missed `should` is skipped."""
    root = ET.Element("testsuites")
    for report in reports:
        name = printable(report.artefact) + (f" ({report.firmware})" if report.firmware else "")
        suite = ET.SubElement(
            root, "testsuite", name=name, tests=str(len(report.results)),
            failures=str(len(report.failures)), time=f"{report.duration_s:.1f}",
        )
        if report.labels:
            properties = ET.SubElement(suite, "properties")
            for label in report.labels:
                ET.SubElement(properties, "property", name="label", value=printable(label))
        for one in report.results:
            case = ET.SubElement(suite, "testcase", name=one.rule, classname=one.tier)
            if one.fails:
                failure = ET.SubElement(case, "failure", message=one.title)
                failure.text = f"found: {one.found}\nexpected: {one.expected}"
            elif one.status != "passed":
                ET.SubElement(case, "skipped", message=f"{one.status}: {one.found}")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """Make text out of an image safe to show and to keep in XML: no controls, no flood."""
    clean = printable(text[:_TEXT_MAX], keep="\n\t")
    return clean if len(text) <= _TEXT_MAX else clean + " …"
