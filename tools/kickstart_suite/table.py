"""The verdicts as a table by type, and as lists with the reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tools.kickstart_suite.verdict import Outcome, Verdict

_COLUMNS: tuple[Outcome, ...] = (
    "passed", "failed", "live", "refused", "lacking", "broken", "not applicable")
_NO_KINDS = ("knownfailure", "manual", "coverage", "smoke")
_SHOWN = 240


def table(verdicts: Sequence[Verdict]) -> str:
    """Return Markdown: a row for each type (the suite's first word for a test), then reasons."""
    kinds = sorted({_kind(each) for each in verdicts})
    lines = [f"| type | {' | '.join(_COLUMNS)} |", f"|{'---|' * (len(_COLUMNS) + 1)}"]
    for kind in kinds:
        lines.append(_row(kind, [each for each in verdicts if _kind(each) == kind]))
    lines.append(_row("**all**", verdicts))
    for outcome in _COLUMNS[1:-1]:
        found = [each for each in verdicts if each.outcome == outcome]
        if found:
            lines += ["", f"## {outcome}", ""]
            lines += [f"* `{each.name}`: {_short(each.why)}" for each in found]
    reasons = Counter(each.why for each in verdicts if each.outcome == "not applicable")
    if reasons:
        lines += ["", "## not applicable", ""]
        lines += [f"* {number}: {_short(why)}" for why, number in reasons.most_common()]
    return "\n".join(lines) + "\n"


def _row(name: str, verdicts: Sequence[Verdict]) -> str:
    counts = Counter(each.outcome for each in verdicts)
    return f"| {name} | {' | '.join(str(counts[one] or '') for one in _COLUMNS)} |"


def _kind(verdict: Verdict) -> str:
    """Return the suite's first word for what a test is about, not for where it runs."""
    return next((word for word in verdict.types
                 if not word.startswith("skip-on-") and word not in _NO_KINDS), verdict.types[0])


def _short(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
