"""What an image must be: a spec is a list of rules, read from specs/*.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from host.errors import InputError
from host.yaml_files import load as load_yaml
from specs.kind import Tier
from specs.kinds import AnyCheck
from specs.scope import Firmware as Firmware
from specs.scope import Scope
from specs.scope import Shape as Shape
from specs.waiver import Waiver

FOLDER = Path(__file__).parent
PARTS = FOLDER / "parts"

Severity = Literal["must", "should"]


class Rule(BaseModel):
    """One thing that must be so, told once for the builder and the validator.

    severity: `must` fails an image, `should` is reported and lets it pass.
    seal: the builder makes it true before the disk is made; the validator proves it either way.
    check: what to look at and what to find; its kind decides the rule's tier.
    since: the version of the specification that brought it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9]*\.[a-z0-9]+(-[a-z0-9]+)*$")
    title: str = Field(min_length=1)
    rationale: str = Field(min_length=1)
    severity: Severity = "must"
    applies_to: Scope = Scope()
    seal: bool = False
    since: int = Field(default=1, ge=1)
    check: AnyCheck

    @model_validator(mode="after")
    def _can_be_sealed(self) -> Self:
        if self.seal and not self.check.sealable:
            raise ValueError(f"{self.id}: a check of kind {self.check.kind} can't be sealed")
        return self

    @property
    def tier(self) -> Tier:
        """What must be looked at: the artefact's file, the tree inside it, or its boot."""
        return self.check.tier


class Part(BaseModel):
    """One file of specs/parts/: rules on one topic, which a spec takes in by `parts`.

    since, applies_to: of every rule in it that does not say otherwise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    since: int = Field(default=1, ge=1)
    applies_to: Scope = Scope()
    rules: list[Rule]

    def completed(self) -> list[Rule]:
        """Return its rules with what the file says for all of them."""
        return [
            rule.model_copy(update={
                "since": max(rule.since, self.since),
                "applies_to": rule.applies_to if "applies_to" in rule.model_fields_set
                else self.applies_to,
            }) for rule in self.rules
        ]


class Spec(BaseModel):
    """One file of specs/: `extends` brings another spec's rules, before its own.

    version: counts up whenever the demands change; rules say since which one they hold.
    parts: files of specs/parts/ whose rules come before its own.
    A rule with the id of an inherited one takes its place; `without` drops inherited rules.
    if_there: rules that take the place of others with their ids, and are nothing without them.
    waivers: rules that may be broken for a while.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*(\+[a-z0-9][a-z0-9-]*)*$")
    title: str
    version: int = Field(default=1, ge=1)
    extends: str | None = None
    parts: list[str] = []
    without: list[str] = []
    rules: list[Rule] = []
    if_there: list[Rule] = []
    waivers: list[Waiver] = []

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        ids = [rule.id for rule in self.rules]
        twice = sorted({rule_id for rule_id in ids if ids.count(rule_id) > 1})
        if twice:
            raise ValueError(f"rules with the same id: {', '.join(twice)}")
        return self

    def of_tier(self, tier: Tier) -> list[Rule]:
        """Return the rules of one tier, in the spec's order."""
        return [rule for rule in self.rules if rule.tier == tier]

    def sealed(
        self, *, arch: str, image_format: str, shape: Shape, version: str | None = None,
        rehearsal: bool = False,
    ) -> list[Rule]:
        """Return the rules that the builder makes true for such an image, in order."""
        return [
            rule for rule in self.rules
            if rule.seal and rule.applies_to.covers(
                arch=arch, image_format=image_format, shape=shape, version=version,
                rehearsal=rehearsal,
            )
        ]


def joined(specs: Sequence[Spec]) -> Spec:
    """Return one spec with the rules of all of these: an image that serves several targets.

    Raises InputError when two of them demand different things under one id.
    """
    first, *others = specs
    rules, names = {rule.id: rule for rule in first.rules}, [first.name]
    waivers = list(first.waivers)
    for spec in others:
        for rule in spec.rules:
            if rules.setdefault(rule.id, rule) != rule:
                raise InputError(f"{' and '.join([*names, spec.name])} contradict each other",
                                 why=f"rule {rule.id} is not the same in them")
        names.append(spec.name)
        waivers += [one for one in spec.waivers if one not in waivers]
    return first.model_copy(update={
        "name": "+".join(dict.fromkeys(names)), "rules": list(rules.values()),
        "title": "; ".join(dict.fromkeys(one.title for one in specs)), "waivers": waivers,
        "version": max(one.version for one in specs),
    })


def overlaid(spec: Spec, overlay: Spec) -> Spec:
    """Return a spec with an overlay over it: rules added, replaced, dropped, or waived.

    `without` and `if_there` of an overlay are about the rules that are there; its waivers are
    about a rule of the spec, or the one who wrote it must hear of it.
    Raises InputError for a waiver of no rule.
    """
    there = {rule.id for rule in spec.rules} - set(overlay.without)
    own = {rule.id: rule for rule in overlay.rules}
    own |= {rule.id: rule for rule in overlay.if_there if rule.id in there}
    rules = [own.pop(rule.id, rule) for rule in spec.rules if rule.id in there]
    rules += own.values()
    known = {rule.id for rule in rules}
    if stray := sorted({one.rule for one in overlay.waivers} - known):
        raise InputError(f"{overlay.name} waives {', '.join(stray)}",
                         why=f"{spec.name} has no such rule")
    return spec.model_copy(update={
        "name": f"{spec.name}+{overlay.name}", "rules": rules,
        "waivers": [*spec.waivers, *overlay.waivers],
    })


def load_overlay(path: Path) -> Spec:
    """Return an overlay, for overlaid(): what it drops, replaces and waives is in another spec.

    Raises InputError, with file and line, when it is not there, extends a spec, or is wrong.
    """
    overlay: Spec = _read(path, _changed(path), Spec)
    if overlay.extends is not None or overlay.parts:
        raise InputError("extends a spec, so it is no overlay", where=str(path),
                         remedy="leave out `extends` and `parts`, or use it as --spec")
    return overlay


def load(name_or_path: str | Path) -> Spec:
    """Return a spec with all that it extends.

    name_or_path: a name in specs/ (`baseline`, `targets/aws`), or the path of a YAML file.
    Raises InputError, with file and line, when it is not there or a key or value is wrong.
    """
    return _load(_file(name_or_path, FOLDER), ())


def _load(path: Path, seen: tuple[Path, ...]) -> Spec:
    if path in seen:
        raise InputError("extends itself", where=str(path))
    spec: Spec = _read(path, _changed(path), Spec)
    inherited: dict[str, Rule] = {}
    waivers: list[Waiver] = []
    if spec.extends is None:
        if spec.without and not spec.if_there:
            raise InputError("`without` has nothing to drop from: no `extends`", where=str(path))
    else:
        base = _load(_file(spec.extends, path.parent), (*seen, path))
        inherited, waivers = {rule.id: rule for rule in base.rules}, base.waivers
        unknown = sorted(set(spec.without) - set(inherited))
        if unknown:
            raise InputError(
                f"without: {base.name} has no rule {', '.join(unknown)}", where=str(path),
            )
        for dropped in spec.without:
            del inherited[dropped]
    for name in spec.parts:
        for rule in _read(
                PARTS / f"{name}.yaml", _changed(PARTS / f"{name}.yaml"), Part).completed():
            inherited[rule.id] = rule
    inherited.update({rule.id: rule for rule in spec.rules})
    inherited.update({rule.id: rule for rule in spec.if_there if rule.id in inherited})
    known = {*inherited, *(rule.id for rule in spec.if_there)}
    if stray := sorted({one.rule for one in spec.waivers} - known):
        raise InputError(f"waives {', '.join(stray)}", where=str(path),
                         why="there is no such rule")
    return spec.model_copy(update={
        "rules": list(inherited.values()), "waivers": [*waivers, *spec.waivers]})


Document = TypeVar("Document", Spec, Part)


@lru_cache(maxsize=256)
def _read(path: Path, changed: tuple[int, int], model: type[Document]) -> Document:
    """Return a file's content; a baseline that ten targets extend is read once."""
    return load_yaml(path, model)


def _changed(path: Path) -> tuple[int, int]:
    """Return what tells a file from what it was: time and length; zeros: load_yaml says why."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _file(name_or_path: str | Path, folder: Path) -> Path:
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        return Path(text) if Path(text).exists() else folder / text
    candidates = [folder / f"{text}.yaml", FOLDER / f"{text}.yaml"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    raise InputError(
        f"no spec is called {text!r}", where=str(FOLDER), remedy=f"known: {', '.join(names())}",
    )


def names() -> list[str]:
    """Return the names of all specs that come with ccis, as load() takes them."""
    files = (path.relative_to(FOLDER) for path in FOLDER.rglob("*.yaml"))
    return sorted(str(path)[:-5] for path in files if path.parts[0] != PARTS.name)
