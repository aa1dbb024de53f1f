"""The specification for people: docs/spec/, a page per spec, made from the rules themselves.

`python -m specs.pages` writes the pages; tests/specs/test_specs_pages.py keeps them in step.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from specs.model import Rule, Spec, load, names
from specs.scope import Scope

DOCS = Path(__file__).parents[1] / "docs" / "spec"
_INDEX = "README.md"
_TIERS = {"artefact": "the file", "offline": "the tree in it", "boot": "the running system"}


def pages() -> dict[str, str]:
    """Return the text of every page by its name below docs/spec."""
    found = {_INDEX: _index()}
    for name in names():
        found[f"{name.replace('/', '-')}.md"] = _page(name)
    return found


def _index() -> str:
    lines = [
        "# The specification of CentOS's images", "",
        "Made from `specs/` by `python -m specs.pages`: do not edit. What an image must be stands "
        "once, as data; the builder seals by it, `ccis validate` and `ccis boot` prove by it, and "
        "these pages tell it.", "",
        "| spec | what for | version | rules | must | sealed |", "|---|---|---|---|---|---|",
    ]
    for name in names():
        spec = load(name)
        rules = [*spec.rules, *(spec.if_there if not spec.rules else [])]
        must = sum(rule.severity == "must" for rule in rules)
        lines.append(f"| [{name}]({name.replace('/', '-')}.md) | {spec.title} | {spec.version} "
                     f"| {len(rules)} | {must} | {sum(rule.seal for rule in rules)} |")
    lines += ["", *_OVERLAY, ""]
    return "\n".join(lines)


_OVERLAY = (
    "## An overlay in five minutes",
    "",
    "A provider, or another SIG, writes a file of its own that extends one of these:",
    "",
    "```yaml",
    "name: example-cloud",
    "title: Images for Example Cloud",
    "extends: targets/openstack",
    "without: [openstack.zeroconf]",
    "rules:",
    "  - id: example.agent",
    "    title: Our agent starts by itself",
    "    rationale: Backups of machines are its work.",
    "    check: {kind: unit_enabled, units: [example-agent.service]}",
    "waivers:",
    "  - rule: services.enabled-within",
    "    owner: cloud-team@example.org",
    "    reason: our agent is not on the list yet",
    "    expires: 2027-03-31",
    "```",
    "",
    "`ccis validate image.qcow2 --spec ./example-cloud.yaml` proves it;",
    "`ccis spec diff targets/openstack ./example-cloud.yaml` shows what it changes.",
    "A rule with the id of an inherited one takes its place. A waiver lets an image pass until",
    "its last day; after it the rule fails again. The kinds of check and their parameters are in",
    "`specs/kinds/`.",
    "",
    "Rules that the field has and this specification has not, and why: [rejected.md](rejected.md).",
)


def _page(name: str) -> str:
    spec = load(name)
    base = {rule.id: rule for rule in load(spec.extends).rules} if spec.extends else {}
    own = [rule for rule in [*spec.rules, *(spec.if_there if not spec.rules else [])]
           if base.get(rule.id) != rule]
    lines = [f"# {spec.title}", "",
             f"Spec `{name}`, version {spec.version}. Made from `specs/{name}.yaml` by "
             "`python -m specs.pages`: do not edit.", ""]
    if spec.extends:
        target = spec.extends.replace("/", "-")
        lines += [f"All of [{spec.extends}]({target}.md) holds, and what follows here.", ""]
    if spec.without:
        lines += ["Not asked of these images: "
                  + ", ".join(f"`{one}`" for one in spec.without) + ".", ""]
    groups: dict[str, list[Rule]] = {}
    for rule in own:
        groups.setdefault(rule.id.partition(".")[0], []).append(rule)
    for group, rules in groups.items():
        lines += [f"## {group}", "", "| rule | what is demanded | why | | looks at | since |",
                  "|---|---|---|---|---|---|"]
        lines += [_row(rule) for rule in rules]
        lines.append("")
    lines += list(_waivers(spec))
    return "\n".join(lines).rstrip("\n") + "\n"


def _row(rule: Rule) -> str:
    made = f"{rule.severity}, made so by the builder" if rule.seal else rule.severity
    about = _scope(rule.applies_to)
    cells = [f"`{rule.id}`", rule.title + (f" ({about})" if about else ""), rule.rationale, made,
             _TIERS[rule.tier], str(rule.since)]
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _scope(scope: Scope) -> str:
    words = [f"{', '.join(each)}" for each in (scope.architectures, scope.formats, scope.firmware)
             if each]
    if scope.releases:
        words.append("releases " + (scope.releases if isinstance(scope.releases, str)
                                    else ", ".join(scope.releases)))
    if scope.rehearsal is False:
        words.append("not of the rehearsal")
    return "; ".join(words)


def _waivers(spec: Spec) -> Iterator[str]:
    if spec.waivers:
        yield from ("## Waived", "")
        yield from (f"* `{one.rule}` until {one.expires}, by {one.owner}: {one.reason}"
                    for one in spec.waivers)


def main() -> None:
    """Write the pages, and remove those of specs that are gone."""
    DOCS.mkdir(parents=True, exist_ok=True)
    found = pages()
    for path in DOCS.glob("*.md"):
        if path.name not in found and path.name != "rejected.md":
            path.unlink()
    for name, text in found.items():
        (DOCS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
