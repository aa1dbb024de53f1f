"""The planner: finds out all that decides an image, and makes the graph of its steps of that."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from builder.artefact import About
from builder.choosing import resolve, resolve_on_top, seed
from builder.disk.engines.registry import choose
from builder.formats import registry as formats
from builder.formats.media.flat_kickstart import flat
from builder.graph import Action, graph, make_now
from builder.identity import digest_of
from builder.kickstart import registry as commands
from builder.kickstart.layout import layout_of, without_partitions
from builder.kickstart.read import Kickstart, read, read_pre
from builder.kickstart.secret_words import plain_secrets, shown_name
from builder.kickstart.unheeded import unheeded
from builder.outlook import check_formats
from builder.packages.choice import Choice
from builder.packages.on_top import selection_on_top
from builder.packages.origins import Origins, origins
from builder.packages.repositories import key_texts, own_keys, snapshots, trusted_key
from builder.packages.requirements import requirements
from builder.packages.selection import Selection
from builder.request import Request
from builder.steps import pre, registry
from builder.steps.facts import Facts
from builder.steps.programs import version_of
from builder.store.key import store_key
from builder.store.store import Store
from host.errors import HostError, InputError
from host.progress import Progress
from images import catalogue
from images.specs import spec_of

log = logging.getLogger("ccis.planner")

_NOMINAL_DISK_BYTES = 10 << 30
"""What scripts and storage lines of an image without a disk may take for its size."""


@dataclass(frozen=True)
class Plan(Facts):
    """Everything that a build needs to know; label: what it is of, in three words.

    steps: the graph, each step by its name behind those before it.
    tools: programs and versions, for the record.
    added: packages that are there by rule, not by name, each with the reason.
    notes: what a person must be told, each with its place (file:line).
    exposed: plain secrets that an artefact would carry as they are, each with its place.
    """

    label: str
    engine_reason: str
    steps: dict[str, Action]
    tools: dict[str, str] = field(default_factory=dict)
    added: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    exposed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def packages(self) -> list[Choice]:
        """Everything that is installed from repositories."""
        return [*self.choices, *self.extra]

    @property
    def digest(self) -> str:
        """The identity of the whole build."""
        return digest_of([action.digest for action in self.steps.values()])

    @property
    def base(self) -> Action:
        """What all artefacts start from: the disk, or the tree of an image without one."""
        return self.steps["disk" if self.engine else "seal"]

    @property
    def wanted(self) -> list[Action]:
        """What a build must come to: the artefacts, what they start from, and the steps that only
        look, from which nothing starts."""
        started_from = {each.name for action in self.steps.values() for each in action.after}
        looks = (name for name, action in self.steps.items()
                 if name in registry.steps_of_an_image() and action.after
                 and name not in started_from)
        names = dict.fromkeys((self.base.name, *self.request.wanted_formats, *looks))
        return [self.steps[name] for name in names]


def make(request: Request, store: Store, say: Callable[[str], None] = log.warning) -> Plan:
    """Read and check everything that a build depends on, and name its steps.

    say: is told of mirrors that are asked again.
    The kickstart is read twice, as Anaconda does: for its %pre scripts, which run at once (or
    were run before: the store has what they left), and then in full.
    Raises InputError for whatever is wrong in kickstart, YAML or options, RemoteError when the
    repositories can't be asked, HostError when this host can't run the chosen engine.
    """
    request.check()
    release, arch = request.release, request.arch
    if arch not in release.architectures:
        raise InputError(f"{release.name} has no {arch}",
                         remedy=f"it has: {', '.join(release.architectures)}")
    if arch != os.uname().machine:
        raise HostError(f"an image for {arch} needs a host of that architecture",
                        why=f"this one is {os.uname().machine}", remedy="build it there")
    variables = _variables(request)
    of_pre = _of_pre(request)
    before = run_pre(of_pre, store) if of_pre else None
    kickstart = read(request.kickstart, release.dialect, before.root if before else None,
                     request.include_paths)
    commands.check(kickstart)
    origin = origins(kickstart, release, arch, variables,
                     catalogue.repositories(request.repositories), request.unsigned)
    selection = _selection(request, kickstart, origin, variables, store, say)
    layout = layout_of(kickstart, request.image.disk_size_bytes or _NOMINAL_DISK_BYTES, release,
                       seed=seed(selection), existing=before.table if before else None, arch=arch,
                       is_needed=request.has_disk)
    booted = layout if request.has_disk else without_partitions(layout)
    selection = replace(selection, requirements=requirements(kickstart, booted, arch))
    resolved = resolve(selection, store)
    choices = resolved.choices
    check_formats(request, kickstart, choices)
    epoch = _source_date(choices)
    engine, reason = (choose(request.engine, layout) if request.has_disk
                      else (None, "a container has none"))
    image = request.image
    more = _more(request, selection, choices)
    facts = Facts(
        request=request, kickstart=kickstart, selection=selection, choices=choices, epoch=epoch,
        layout=layout, engine=engine, about=_about(request, kickstart, epoch),
        rules=spec_of(image, rehearsal=release.rehearsal).sealed(
            arch=arch, image_format="raw", shape=image.shape, version=release.version,
            rehearsal=release.rehearsal),
        pre=of_pre,
        more=more, extra=resolve_on_top(more, choices, store) if more else [],
    )
    steps = graph(facts, request.wanted_formats, store_key(store.root))
    exposed = _exposed(kickstart, steps)
    return Plan(
        **vars(facts), label=f"{image.name} {release.name} {arch}", engine_reason=reason,
        steps=steps, exposed=exposed,
        tools={**{name: version_of(name) for name in ("rpm", "dnf")},
               **(engine.identity() if engine else {}), "ccis": _code(steps)},
        added=resolved.added,
        notes=[*_strays(kickstart),
               *((command.where, why) for command, why in unheeded(kickstart)),
               *origin.notes, *resolved.absent, *(layout.notes if engine else ()), *exposed],
    )


def _selection(
    request: Request, kickstart: Kickstart, origin: Origins, variables: Mapping[str, str],
    store: Store, say: Callable[[str], None],
) -> Selection:
    """Return what dnf is asked for, as far as repositories and their keys are concerned."""
    release, folder = request.release, store.root / "keys"
    key = trusted_key(release, variables, folder)
    keys = own_keys(origin.sources, release, variables, folder)
    return Selection(kickstart, release, request.arch, snapshots(origin.sources, say=say), key,
                     files={**origin.files, **key_texts(origin.keys, keys)}, keys=keys)


def _more(request: Request, selection: Selection, choices: Sequence[Choice]) -> Selection | None:
    if not request.layer.packages:
        return None
    where = str(catalogue.target_file(request.targets[0].name))
    return selection_on_top(selection, choices, request.layer.packages, where)


def _about(request: Request, kickstart: Kickstart, epoch: int) -> About:
    image, release = request.image, request.release
    return About(
        title=f"{release.title.removesuffix(' (rehearsal)')} {request.flavour}",
        image=image.name, flavour=request.flavour, distribution=release.distribution,
        version=release.version, arch=request.arch, epoch=epoch,
        disk_size_bytes=image.disk_size_bytes,
        kickstart={kickstart.path.name: flat(kickstart.sources, kickstart.parts)},
    )


def _strays(kickstart: Kickstart) -> list[tuple[str, str]]:
    return [(command.where, f"{shown_name(command.name)} is left out: {commands.STRAY}")
            for command in kickstart.commands if command.is_stray]


def _exposed(kickstart: Kickstart, steps: Mapping[str, Action]) -> list[tuple[str, str]]:
    """Return the plain secrets that a medium would carry, each with its place."""
    carriers = [name for name in steps
                if name in formats.FORMATS and "kickstart" in formats.get(name).uses]
    return [(one.where, f"{one.what} ({one.name}) would stand in plain text in the kickstart on "
                        f"the medium ({carriers[0]})")
            for one in plain_secrets(kickstart)] if carriers else []


def _code(steps: Mapping[str, Action]) -> str:
    """Return the identity of our own code and of what converts, as far as they make this image."""
    return digest_of({name: [action.all_inputs.get(part, "") for part in ("code", "options")]
                      for name, action in steps.items()})[:12]


def _of_pre(request: Request) -> pre.Inputs | None:
    """Return what the %pre scripts run with, None when there are none."""
    scripts = read_pre(request.kickstart, request.release.dialect, request.include_paths)
    if not scripts:
        return None
    image = request.image
    return pre.Inputs(epoch=1, scripts=tuple(scripts), arguments=image.installer_arguments,
                      disk_size_bytes=image.disk_size_bytes or _NOMINAL_DISK_BYTES,
                      bounds=image.bounds)


def run_pre(inputs: pre.Inputs, store: Store, progress: Progress | None = None) -> pre.Result:
    """Run %pre scripts, or take from the store what they made."""
    action = Action(registry.get(pre.name), inputs, store_key(store.root))
    return pre.result(make_now(action, store, progress).data)


def why_made(plan: Plan, store: Store) -> list[dict[str, object]]:
    """Say of each step whether the store has its result and, if not, which inputs changed."""
    rows: list[dict[str, object]] = []
    for action in plan.steps.values():
        hit = store.find(action.name, action.digest) is not None
        row: dict[str, object] = {"step": action.name, "digest": action.digest, "hit": hit}
        if not hit:
            row["changed"] = _changed(action, store, plan.label)
        rows.append(row)
    return rows


def _changed(action: Action, store: Store, label: str) -> list[str]:
    before = store.newest(action.name, label)
    if before is None:
        return ["never built here"]
    now = action.all_inputs
    return sorted(name for name in now.keys() | before.inputs.keys()
                  if now.get(name) != before.inputs.get(name))


def _variables(request: Request) -> Mapping[str, str]:
    if request.release.rehearsal and request.rehearsal is None:
        raise HostError(
            f"the rehearsal distribution {request.release.name} is not there",
            remedy=f"run `ccis rehearsal create {request.release.name}`",
        )
    folder = request.rehearsal or Path()
    return {"arch": request.arch, "rehearsal": quote(str(folder)),
            "rehearsals": quote(str(folder.parent))}


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
