"""`ccis lint`: what the builder would do with each line of a kickstart, and what bites later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccis import output
from ccis.selection import (
    DEFAULT_RELEASE,
    IncludePathOption,
    JsonOption,
    ReleaseOption,
    folders_of,
)

if TYPE_CHECKING:
    from builder.kickstart.findings import Finding
    from builder.kickstart.lint import Findings

app = typer.Typer(add_completion=False)

_WORDS = {"honoured": "honoured", "meaningless": "without meaning", "refused": "REFUSED",
          "warning": "warning", "note": "note"}


@app.command()
def lint(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Kickstarts.",
                                                show_default=False)],
    release: ReleaseOption = DEFAULT_RELEASE,
    include_paths: IncludePathOption = None,
    problems: Annotated[bool, typer.Option(
        "--problems", help="Show only what is refused or warned of.")] = False,
    json: JsonOption = False,
) -> None:
    """Say what the builder would do with each line of kickstarts, and warn of what bites later.

    \b
    ccis lint kickstarts/*.ks
    ccis lint my.ks --release centos-stream-9 --json

    No script is run, nothing is fetched or built, and it needs no rights of root. Files that are
    on the network, or that %pre writes, are named and not looked at. Exit status 2 when a line is
    refused or can't be read.
    """
    from builder.kickstart.lint import lint as judge
    from images import catalogue

    wanted = catalogue.release(release)
    reports = [judge(path, wanted, folders_of(include_paths)) for path in files]
    content = {"release": wanted.name, "dialect": wanted.dialect,
               "files": [_content(report, problems) for report in reports]}
    output.report(content, lambda: _text(reports, problems),
                  to_json=json)
    if any(report.refused for report in reports):
        raise typer.Exit(2)


def _shown(report: Findings, problems: bool) -> list[Finding]:
    return [finding for finding in report.findings
            if not problems or finding.kind in ("refused", "warning")]


def _content(report: Findings, problems: bool) -> dict[str, Any]:
    return {
        "file": report.file, "refused": report.refused, "counts": report.counts,
        "findings": [{**asdict(finding), "file": finding.file, "line": finding.line}
                     for finding in _shown(report, problems)],
    }


def _text(reports: list[Findings], problems: bool) -> Iterator[str]:
    for number, report in enumerate(reports):
        yield from [""] * bool(number)
        yield from _lines(report, problems)


def _lines(report: Findings, problems: bool) -> list[str]:
    counts = ", ".join(f"{report.counts[kind]} {word.lower()}" for kind, word in _WORDS.items()
                       if kind in report.counts)
    lines = [f"{report.file}: {counts or 'empty'}"]
    shown = _shown(report, problems)
    place = max((len(finding.where) for finding in shown), default=0)
    name = max((len(finding.name) for finding in shown), default=0)
    for finding in shown:
        remedy = f" ({finding.remedy})" if finding.remedy else ""
        by = f"by the step {finding.says}" if finding.kind == "honoured" else finding.says
        lines.append(f"  {finding.where:<{place}}  {finding.name:<{name}}  "
                     f"{_WORDS[finding.kind]:<15}  {by}{remedy}")
    return lines
