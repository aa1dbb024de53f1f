"""What an image must be: a spec is a list of rules, read from specs/*.yaml."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from host.errors import InputError
from host.yaml_files import load as load_yaml
from specs.kind import Tier
from specs.kinds import AnyCheck

FOLDER = Path(__file__).parent

Severity = Literal["must", "should"]
Shape = Literal["disk", "container"]
Firmware = Literal["bios", "uefi"]


class Scope(BaseModel):
    """What a rule is about; a list that is not given means all.

    shapes: disk, an image with partitions and kernel; container, a bare root tree.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architectures: list[Literal["x86_64", "aarch64", "ppc64le", "s390x"]] | None = None
    formats: list[str] | None = None
    shapes: list[Shape] | None = None
    firmware: list[Firmware] | None = None

    def covers(
        self, *, arch: str, image_format: str, shape: Shape, firmware: Firmware | None = None,
    ) -> bool:
        """Tell whether the rule is about this image; firmware None: no boot is asked about."""
        given: list[tuple[Iterable[str] | None, str]] = [
            (self.architectures, arch), (self.formats, image_format), (self.shapes, shape),
        ]
        if firmware is not None:
            given.append((self.firmware, firmware))
        return all(allowed is None or value in allowed for allowed, value in given)


class Rule(BaseModel):
    """One thing that must be so, told once for the builder and the validator.

    severity: `must` fails an image, `should` is reported and lets it pass.
    seal: the builder makes it true before the disk is made; the validator proves it either way.
    check: what to look at and what to find; its kind decides the rule's tier.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9]*\.[a-z0-9]+(-[a-z0-9]+)*$")
    title: str = Field(min_length=1)
    rationale: str = Field(min_length=1)
    severity: Severity = "must"
    applies_to: Scope = Scope()
    seal: bool = False
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


class Spec(BaseModel):
    """One file of specs/: `extends` brings another spec's rules, before its own.

    A rule with the id of an inherited one takes its place; `without` drops inherited rules.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    extends: str | None = None
    without: list[str] = []
    rules: list[Rule] = []

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

    def sealed(self, *, arch: str, image_format: str, shape: Shape) -> list[Rule]:
        """Return the rules that the builder makes true for such an image, in order."""
        return [
            rule for rule in self.rules
            if rule.seal and rule.applies_to.covers(
                arch=arch, image_format=image_format, shape=shape,
            )
        ]


def load(name_or_path: str | Path) -> Spec:
    """Return a spec with all that it extends.

    name_or_path: a name in specs/ (`baseline`, `targets/aws`), or the path of a YAML file.
    Raises InputError, with file and line, when it is not there or a key or value is wrong.
    """
    return _load(_file(name_or_path, FOLDER), ())


def _load(path: Path, seen: tuple[Path, ...]) -> Spec:
    if path in seen:
        raise InputError("extends itself", where=str(path))
    spec = load_yaml(path, Spec)
    if spec.extends is None:
        if spec.without:
            raise InputError("`without` has nothing to drop from: no `extends`", where=str(path))
        return spec
    base = _load(_file(spec.extends, path.parent), (*seen, path))
    unknown = sorted(set(spec.without) - {rule.id for rule in base.rules})
    if unknown:
        raise InputError(
            f"without: {base.name} has no rule {', '.join(unknown)}", where=str(path),
        )
    own = {rule.id: rule for rule in spec.rules}
    inherited = [
        own.pop(rule.id, rule) for rule in base.rules if rule.id not in spec.without
    ]
    return spec.model_copy(update={"rules": [*inherited, *own.values()]})


def _file(name_or_path: str | Path, folder: Path) -> Path:
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        return Path(text) if Path(text).exists() else folder / text
    candidates = [folder / f"{text}.yaml", FOLDER / f"{text}.yaml"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    known = sorted(str(path.relative_to(FOLDER))[:-5] for path in FOLDER.rglob("*.yaml"))
    raise InputError(
        f"no spec is called {text!r}", where=str(FOLDER), remedy=f"known: {', '.join(known)}",
    )
