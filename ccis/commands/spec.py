"""`ccis spec`: the specification for people: its specs, what one demands, what differs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import output
from ccis.selection import JsonOption

if TYPE_CHECKING:
    from specs.model import Rule, Spec

app = typer.Typer(add_completion=False)

SpecName = Annotated[str, typer.Argument(help="A spec's name or file; several: A,B.",
                                         show_default=False)]


def _load(name: str) -> Spec:
    from specs.model import joined, load

    return joined([load(one) for one in name.split(",")])


@app.command("list")
def list_specs(json: JsonOption = False) -> None:
    """List the specs that come with ccis.

    \b
    ccis spec list
    """
    from specs.model import load, names

    found = [(name, load(name)) for name in names()]
    data = [{"name": name, "title": one.title, "version": one.version, "rules": len(one.rules)}
            for name, one in found]
    output.report(data, lambda: [
        f"{one['name']:24} {one['rules']:4} rules  version {one['version']}  {one['title']}"
        for one in data], to_json=json)


@app.command()
def show(
    name: SpecName,
    rule: Annotated[str | None, typer.Option(help="One rule, in full.")] = None,
    json: JsonOption = False,
) -> None:
    """Show what a spec demands, with all that it extends.

    \b
    ccis spec show baseline
    ccis spec show targets/aws --rule aws.time
    """
    from host.errors import InputError

    found = _load(name)
    rules = [one for one in found.rules if rule in (None, one.id)]
    if not rules:
        raise InputError(f"{found.name} has no rule {rule}",
                         remedy=f"`ccis spec show {name}` lists them")
    data = {**found.model_dump(mode="json", exclude={"rules", "if_there", "parts", "without"}),
            "rules": [one.model_dump(mode="json") for one in rules]}
    output.report(data, lambda: _full(rules[0]) if rule else _lines(found), to_json=json)


def _lines(found: Spec) -> list[str]:
    lines = [f"{found.title} ({found.name}, version {found.version}): {len(found.rules)} rules"]
    for one in found.rules:
        mark = "sealed" if one.seal else ""
        lines.append(f"  {one.severity:6} {one.tier:8} {one.id:34} {one.title}"
                     + (f"  [{mark}]" if mark else ""))
    lines += [f"  waived {one.rule}: {one.owner}, until {one.expires}: {one.reason}"
              for one in found.waivers]
    return lines


def _full(one: Rule) -> list[str]:
    scope = {key: value for key, value in one.applies_to.model_dump().items() if value is not None}
    return [
        f"{one.id}: {one.title}", f"  why       {one.rationale}", f"  severity  {one.severity}",
        f"  looks at  {one.tier}", f"  since     version {one.since}",
        f"  sealed    {'yes: the builder makes it so' if one.seal else 'no'}",
        f"  about     {scope or 'every image'}",
        f"  check     {one.check.model_dump(exclude_defaults=True, mode='json')}",
    ]


@app.command()
def diff(old: SpecName, new: SpecName, json: JsonOption = False) -> None:
    """Show which rules one spec has and another has not, or has otherwise.

    \b
    ccis spec diff baseline targets/azure
    ccis spec diff baseline ./overlay.yaml
    """
    before = {one.id: one for one in _load(_path(old)).rules}
    after = {one.id: one for one in _load(_path(new)).rules}
    data = {
        "added": sorted(set(after) - set(before)), "dropped": sorted(set(before) - set(after)),
        "changed": sorted(each for each in set(before) & set(after)
                          if before[each] != after[each]),
    }
    output.report(data, lambda: [
        *(f"+ {each}: {after[each].title}" for each in data["added"]),
        *(f"- {each}: {before[each].title}" for each in data["dropped"]),
        *(f"~ {each}: {', '.join(_fields(before[each], after[each]))}"
          for each in data["changed"]),
    ] or ["no difference"], to_json=json)


def _path(name: str) -> str:
    return str(Path(name).absolute()) if name.endswith((".yaml", ".yml")) else name


def _fields(one: Rule, other: Rule) -> list[str]:
    """Return the fields that differ, with both values where they are short."""
    mine, its = one.model_dump(mode="json"), other.model_dump(mode="json")
    return [f"{key} {mine[key]} -> {its[key]}" if len(str(mine[key])) + len(str(its[key])) < 160
            else key for key in mine if mine[key] != its[key]]
