"""The plan: what is built from what, and the identity of every step, before anything is done."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import rpm

from builder.disk.engine import Engine, choose
from builder.disk.layout import Layout
from builder.formats import get as get_format
from builder.kickstart import registry
from builder.kickstart.layout import layout_of
from builder.kickstart.read import Kickstart, read, read_pre
from builder.root.origins import origins
from builder.root.packages import Choice, Request, resolution
from builder.root.pre import CODE as SCRIPTS
from builder.root.pre import PreResult, run_pre
from builder.root.repositories import snapshots, trusted_key
from builder.root.requirements import requirements
from builder.steps import Step, code_digest, digest_of
from builder.store import Store
from host.errors import HostError, InputError
from images.image import Image
from images.release import Release
from specs.model import Rule
from specs.model import load as load_spec

_SANDBOX = ("builder/root/sandbox.py", "builder/root/filters.py", "builder/root/tree.py",
            "host/run.py")
_READING = tuple(f"builder/kickstart/{name}" for name in (
    "commands", "storage", "dialects.py", "model.py", "options.py", "parser.py", "read.py",
    "registry.py"))


@dataclass(frozen=True)
class Options:
    """What a build is asked for.

    rehearsal: the folder of the rehearsal distribution, for releases that are made of it.
    formats: None means those of the image.
    """

    image: Image
    kickstart: Path
    release: Release
    arch: str
    engine: Literal["auto", "direct", "guestfs"] = "auto"
    formats: Sequence[str] | None = None
    rehearsal: Path | None = None

    @property
    def wanted_formats(self) -> list[str]:
        """The artefacts to be made."""
        return list(self.formats or self.image.formats)


@dataclass(frozen=True)
class Plan:
    """Everything that a build needs to know; label: what it is of, in three words.

    added: packages that are there by rule, not by name, each with the reason.
    notes: what a person must be told, each with its place (file:line).
    pre: what the %pre scripts left, None when there are none.
    """

    options: Options
    label: str
    kickstart: Kickstart
    request: Request
    choices: list[Choice]
    epoch: int
    layout: Layout
    engine: Engine
    engine_reason: str
    rules: list[Rule]
    steps: dict[str, Step]
    tools: dict[str, str] = field(default_factory=dict)
    added: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    pre: PreResult | None = None

    @property
    def digest(self) -> str:
        """The identity of the whole build."""
        return digest_of([step.digest for step in self.steps.values()])


def make(options: Options, store: Store) -> Plan:
    """Read and check everything that a build depends on, and name its steps.

    The kickstart is read twice, as Anaconda does: for its %pre scripts, which run at once (or
    were run before: the store has what they left), and then in full.
    Raises InputError for whatever is wrong in kickstart, YAML or options, RemoteError when the
    repositories can't be asked, HostError when this host can't run the chosen engine.
    """
    release, arch = options.release, options.arch
    if arch not in release.architectures:
        raise InputError(f"{release.name} has no {arch}",
                         remedy=f"it has: {', '.join(release.architectures)}")
    if arch != os.uname().machine:
        raise HostError(f"an image for {arch} needs a host of that architecture",
                        why=f"this one is {os.uname().machine}", remedy="build it there")
    variables = _variables(options)
    pre = _before(options, store)
    kickstart = read(options.kickstart, release.dialect, pre.root if pre else None)
    registry.check(kickstart)
    origin = origins(kickstart, release, arch, variables)
    key = trusted_key(release, variables, store.root / "keys")
    request = Request(kickstart, release, arch, snapshots(origin.sources), key,
                      files=origin.files)
    layout = layout_of(kickstart, options.image.disk_size_bytes, release,
                       seed=f"{options.image.name} {request.digest()}",
                       existing=pre.table if pre else None, arch=arch)
    request = replace(request, requirements=requirements(kickstart, layout, arch))
    resolved = resolution(request, store)
    choices = resolved.choices
    epoch = _source_date(choices)
    packages = _packages_step(request, choices, epoch)
    engine, reason = choose(options.engine, layout)
    rules = load_spec(options.image.spec).sealed(arch=arch, image_format="raw", shape="disk")
    return Plan(
        options=options, label=f"{options.image.name} {release.name} {arch}",
        kickstart=kickstart, request=request, choices=choices, epoch=epoch, layout=layout,
        engine=engine, engine_reason=reason, rules=rules,
        steps=_steps(packages, kickstart, options, layout, engine, rules, pre),
        tools={"rpm": rpm.__version__, "dnf": _dnf_version(), **engine.identity()},
        added=resolved.added, pre=pre,
        notes=[*_strays(kickstart), *origin.notes, *resolved.absent, *layout.notes],
    )


def _strays(kickstart: Kickstart) -> list[tuple[str, str]]:
    return [(command.where, f"{command.name} is left out: {registry.STRAY}")
            for command in kickstart.commands if command.is_stray]


def _before(options: Options, store: Store) -> PreResult | None:
    scripts = read_pre(options.kickstart, options.release.dialect)
    if not scripts:
        return None
    image = options.image
    return run_pre(scripts, image.disk_size_bytes, image.installer_arguments, store)


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


def _packages_step(request: Request, choices: Sequence[Choice], epoch: int) -> Step:
    return Step("packages", {
        "packages": digest_of([choice.as_dnf_says() for choice in choices]),
        "package options": digest_of(request.selection()),
        "signing key": request.key.stem,
        "source date": str(epoch),
        "rpm and dnf": f"{rpm.__version__} {_dnf_version()}",
        "code": code_digest(
            "builder/root/packages.py", "builder/root/dnf_worker.py", "builder/root/nosync.py",
            "builder/root/labels.py", "builder/root/initramfs.py", *_SANDBOX,
        ),
    })


def _steps(
    packages: Step, kickstart: Kickstart, options: Options, layout: Layout, engine: Engine,
    rules: Sequence[Rule], pre: PreResult | None,
) -> dict[str, Step]:
    plain_layout = digest_of(layout.model_dump(mode="json"))
    before = _pre_install_step(kickstart, options, layout, pre)
    settings = Step("settings", {
        **({before.name: before.digest} if before else {}),
        "commands": digest_of([(c.name, c.words) for c in kickstart.commands]),
        "add-ons": digest_of([(a.words, a.name, a.lines) for a in kickstart.addons]),
        "layout": plain_layout,
        "certificates": digest_of([
            (c.filename, c.folder, c.kind, c.text) for c in kickstart.certificates]),
        "code": code_digest("builder/root/settings.py", *_READING, "builder/root/bootloader.py",
                            "builder/disk/fstab.py", "builder/disk/ancestry.py", *_SANDBOX),
    }, packages)
    initramfs = Step("initramfs", {
        "code": code_digest("builder/root/initramfs.py", *_SANDBOX),
    }, settings)
    bootloader = Step("bootloader", {
        "layout": plain_layout,
        "code": code_digest("builder/root/bootloader.py", "builder/root/grub_probe.py",
                            "builder/disk/ancestry.py", *_SANDBOX),
    }, initramfs)
    scripts = Step("scripts", {
        "%post": digest_of([s.identity for s in kickstart.scripts_of("%post", "%onerror")]),
        "network": str(options.image.network_in_post),
        "layout": plain_layout,
        "installer": digest_of([pre.digest if pre else "", options.image.installer_arguments]),
        "code": code_digest(
            "builder/root/scripts.py", "builder/root/disk_of_scripts.py",
            "builder/root/tree_shims.py", "builder/root/bootloader.py",
            "builder/root/grub_probe.py", "builder/disk/table.py", *SCRIPTS),
    }, bootloader)
    seal = Step("seal", {
        "rules": digest_of([rule.model_dump(mode="json") for rule in rules]),
        "code": code_digest("builder/root/seal.py", "builder/root/labels.py",
                            "builder/root/installed.py", "specs"),
    }, scripts)
    disk = Step("disk", {
        "layout": plain_layout,
        "passphrases": digest_of(list(layout.secrets())),
        "engine": digest_of([engine.name, engine.identity()]),
        "code": code_digest("builder/disk", "host/mounts.py"),
    }, seal)
    first = (before,) if before else ()
    steps = {s.name: s for s in (
        *first, packages, settings, initramfs, bootloader, scripts, seal, disk)}
    for name in options.wanted_formats:
        artefact = get_format(name)
        steps[name] = Step(name, {
            "format": digest_of(artefact.identity()), "code": code_digest("builder/formats"),
        }, disk)
    return steps


def _pre_install_step(
    kickstart: Kickstart, options: Options, layout: Layout, pre: PreResult | None,
) -> Step | None:
    """Return the step of %pre-install, None without such scripts."""
    scripts = kickstart.scripts_of("%pre-install")
    if not scripts:
        return None
    return Step("pre-install", {
        "%pre-install": digest_of([s.identity for s in scripts]),
        "layout": digest_of(layout.model_dump(mode="json")),
        "installer": digest_of([pre.digest if pre else "", options.image.installer_arguments]),
        "code": code_digest("builder/root/scripts.py", "builder/root/disk_of_scripts.py",
                            "builder/disk/table.py", *SCRIPTS),
    })


def _dnf_version() -> str:
    """Return dnf's version without importing it, which takes a third of a second."""
    spec = find_spec("dnf")
    if spec is None or not spec.submodule_search_locations:
        return "missing"
    text = (Path(spec.submodule_search_locations[0]) / "const.py").read_text(encoding="utf-8")
    found = re.search(r'VERSION\s*=\s*"([^"]+)"', text)
    return found[1] if found else "unknown"
