"""The plan: what is built from what, and the identity of every step, before anything is done."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

import rpm

from builder import formats
from builder.artefact import About
from builder.disk.engine import Engine, choose
from builder.disk.layout import Layout
from builder.formats.tools.flat_kickstart import flat
from builder.kickstart import registry
from builder.kickstart.layout import layout_of, without_partitions
from builder.kickstart.read import Kickstart, read, read_pre
from builder.kickstart.secret_words import plain_secrets, shown_name
from builder.options import Options
from builder.plan_steps import all_steps, packages_step
from builder.root.origins import origins
from builder.root.packages import Choice, Request, resolution
from builder.root.packages_on_top import request_on_top, resolve_on_top
from builder.root.pre import PreResult, run_pre
from builder.root.repositories import snapshots, trusted_key
from builder.root.requirements import requirements
from builder.steps import Step, digest_of
from builder.store import Store
from builder.store_key import store_key
from host.errors import HostError, InputError
from images import catalogue
from specs.model import Rule
from specs.model import load as load_spec

_NOMINAL_DISK_BYTES = 10 << 30
"""What scripts and storage lines of an image without a disk may take for its size."""


@dataclass(frozen=True)
class Plan:
    """Everything that a build needs to know; label: what it is of, in three words.

    engine: what makes the disk; None: the image has none, and `layout` is only what scripts see.
    about: what artefacts may say of themselves.
    added: packages that are there by rule, not by name, each with the reason.
    notes: what a person must be told, each with its place (file:line).
    more: what the targets' packages are asked for with, None when they add none.
    extra: those packages, which come on top of `choices`.
    pre: what the %pre scripts left, None when there are none.
    exposed: plain secrets that an artefact would carry as they are, each with its place.
    """

    options: Options
    label: str
    kickstart: Kickstart
    request: Request
    choices: list[Choice]
    epoch: int
    layout: Layout
    engine: Engine | None
    engine_reason: str
    rules: list[Rule]
    steps: dict[str, Step]
    about: About
    tools: dict[str, str] = field(default_factory=dict)
    added: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    pre: PreResult | None = None
    more: Request | None = None
    extra: list[Choice] = field(default_factory=list)
    exposed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def packages(self) -> list[Choice]:
        """Everything that is installed from repositories."""
        return [*self.choices, *self.extra]

    @property
    def digest(self) -> str:
        """The identity of the whole build."""
        return digest_of([step.digest for step in self.steps.values()])

    @property
    def base(self) -> Step:
        """The step that all artefacts start from: the disk, or the tree of an image without one."""
        return self.steps["disk" if self.engine else "seal"]


def make(options: Options, store: Store) -> Plan:
    """Read and check everything that a build depends on, and name its steps.

    The kickstart is read twice, as Anaconda does: for its %pre scripts, which run at once (or
    were run before: the store has what they left), and then in full.
    Raises InputError for whatever is wrong in kickstart, YAML or options, RemoteError when the
    repositories can't be asked, HostError when this host can't run the chosen engine.
    """
    options.check()
    release, arch = options.release, options.arch
    if arch not in release.architectures:
        raise InputError(f"{release.name} has no {arch}",
                         remedy=f"it has: {', '.join(release.architectures)}")
    if arch != os.uname().machine:
        raise HostError(f"an image for {arch} needs a host of that architecture",
                        why=f"this one is {os.uname().machine}", remedy="build it there")
    variables = _variables(options)
    pre = _before(options, store)
    kickstart = read(options.kickstart, release.dialect, pre.root if pre else None,
                     options.include_paths)
    registry.check(kickstart)
    origin = origins(kickstart, release, arch, variables)
    key = trusted_key(release, variables, store.root / "keys")
    request = Request(kickstart, release, arch, snapshots(origin.sources), key,
                      files=origin.files)
    layout = layout_of(kickstart, options.image.disk_size_bytes or _NOMINAL_DISK_BYTES, release,
                       seed=request.digest(), existing=pre.table if pre else None, arch=arch,
                       is_needed=options.has_disk)
    booted = layout if options.has_disk else without_partitions(layout)
    request = replace(request, requirements=requirements(kickstart, booted, arch))
    resolved = resolution(request, store)
    choices = resolved.choices
    epoch = _source_date(choices)
    tools = {"rpm": rpm.__version__, "dnf": _dnf_version()}
    secret = store_key(store.root)
    packages = packages_step(request, choices, epoch, " ".join(tools.values()), secret)
    engine, reason = (choose(options.engine, layout) if options.has_disk
                      else (None, "a container has none"))
    image = options.image
    rules = load_spec(image.spec).sealed(arch=arch, image_format="raw", shape=image.shape)
    about = _about(options, kickstart, epoch)
    more = _more(options, request, choices)
    extra = resolve_on_top(more, choices, store) if more else []
    steps = all_steps(packages, kickstart, options, layout, engine, rules, pre, extra, about,
                      secret)
    exposed = _exposed(kickstart, steps)
    return Plan(
        options=options, label=f"{options.image.name} {release.name} {arch}",
        kickstart=kickstart, request=request, choices=choices, epoch=epoch, layout=layout,
        engine=engine, engine_reason=reason, rules=rules, about=about,
        steps=steps, exposed=exposed,
        tools={**tools, **(engine.identity() if engine else {}), "ccis": _code(steps)},
        added=resolved.added, pre=pre, more=more, extra=extra,
        notes=[*_strays(kickstart), *origin.notes, *resolved.absent,
               *(layout.notes if engine else ()), *exposed],
    )


def _more(options: Options, request: Request, choices: Sequence[Choice]) -> Request | None:
    if not options.layer.packages:
        return None
    where = str(catalogue.target_file(options.targets[0].name))
    return request_on_top(request, choices, options.layer.packages, where)


def _about(options: Options, kickstart: Kickstart, epoch: int) -> About:
    image, release = options.image, options.release
    return About(
        title=f"{release.title.removesuffix(' (rehearsal)')} {options.flavour}",
        image=image.name, flavour=options.flavour, distribution=release.distribution,
        version=release.version, arch=options.arch, epoch=epoch,
        disk_size_bytes=image.disk_size_bytes,
        kickstart={kickstart.path.name: flat(kickstart.sources, kickstart.parts)},
    )


def _strays(kickstart: Kickstart) -> list[tuple[str, str]]:
    return [(command.where, f"{shown_name(command.name)} is left out: {registry.STRAY}")
            for command in kickstart.commands if command.is_stray]


def _exposed(kickstart: Kickstart, steps: Mapping[str, Step]) -> list[tuple[str, str]]:
    """Return the plain secrets that a medium would carry, each with its place."""
    carriers = [name for name in steps
                if name in formats.FORMATS and "kickstart" in formats.get(name).uses]
    return [(one.where, f"{one.what} ({one.name}) would stand in plain text in the kickstart on "
                        f"the medium ({carriers[0]})")
            for one in plain_secrets(kickstart)] if carriers else []


def _code(steps: Mapping[str, Step]) -> str:
    """Return the identity of our own code and of what converts, as far as they make this image."""
    return digest_of({name: [step.inputs.get(part, "") for part in ("code", "format")]
                      for name, step in steps.items()})[:12]


def _before(options: Options, store: Store) -> PreResult | None:
    scripts = read_pre(options.kickstart, options.release.dialect, options.include_paths)
    if not scripts:
        return None
    image = options.image
    return run_pre(scripts, image.disk_size_bytes or _NOMINAL_DISK_BYTES,
                   image.installer_arguments, store, bounds=image.bounds)


def explain(plan: Plan, store: Store) -> list[dict[str, object]]:
    """Say of each step whether the store has its result and, if not, which inputs changed."""
    rows: list[dict[str, object]] = []
    for step in plan.steps.values():
        hit = store.find(step.name, step.digest) is not None
        row: dict[str, object] = {"step": step.name, "digest": step.digest, "hit": hit}
        if not hit:
            row["changed"] = _changed(step, store, plan.label)
        rows.append(row)
    return rows


def _changed(step: Step, store: Store, label: str) -> list[str]:
    before = store.newest(step.name, label)
    if before is None:
        return ["never built here"]
    now = step.all_inputs()
    return sorted(name for name in now.keys() | before.inputs.keys()
                  if now.get(name) != before.inputs.get(name))


def _variables(options: Options) -> Mapping[str, str]:
    if options.release.rehearsal and options.rehearsal is None:
        raise HostError(
            f"the rehearsal distribution {options.release.name} is not there",
            remedy=f"run `ccis rehearsal create {options.release.name}`",
        )
    return {"arch": options.arch, "rehearsal": str(options.rehearsal)}


def _source_date(choices: Sequence[Choice]) -> int:
    """Return SOURCE_DATE_EPOCH, by default the time when the newest package was built.

    Source: https://reproducible-builds.org/specs/source-date-epoch/
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given:
        if not given.isdigit():
            raise InputError("SOURCE_DATE_EPOCH is no number of seconds", why=repr(given))
        return int(given)
    return max((choice.build_time for choice in choices), default=1)


def _dnf_version() -> str:
    """Return dnf's version without importing it, which takes a third of a second."""
    spec = find_spec("dnf")
    if spec is None or not spec.submodule_search_locations:
        return "missing"
    text = (Path(spec.submodule_search_locations[0]) / "const.py").read_text(encoding="utf-8")
    found = re.search(r'VERSION\s*=\s*"([^"]+)"', text)
    return found[1] if found else "unknown"
