"""The steps of a build and the inputs that decide the result of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from builder import formats
from builder.artefact import DISK, TREE, About
from builder.disk.engine import Engine
from builder.disk.layout import Layout
from builder.kickstart.read import Kickstart
from builder.options import Options
from builder.root.packages import Choice, Request
from builder.root.pre import CODE as SCRIPTS
from builder.root.pre import PreResult
from builder.secret_digests import careful, of_commands, of_scripts, of_text
from builder.steps import Step, code_digest, digest_of, keyed_digest_of
from images import catalogue
from specs.model import Rule

_PROGRAMS = ("host/run.py", "host/variables.py")
_SANDBOX = ("builder/tree", "builder/root/canonical.py", "builder/root/databases.py",
            "builder/root/sqlite_worker.py", "host/beneath", "host/jail.py", "host/sparse.py",
            "host/clean_room.py", *_PROGRAMS)
_READING = tuple(f"builder/kickstart/{name}" for name in (
    "commands", "storage", "dialects.py", "model.py", "options.py", "parser.py", "read.py",
    "registry.py", "lines.py", "sources.py"))


def packages_step(
    request: Request, choices: Sequence[Choice], epoch: int, tools: str, key: bytes,
) -> Step:
    """Return the first step; tools: the versions of rpm and dnf; key: the store's."""
    files = dict(request.files)
    return Step("packages", {
        **({"repository files": careful(files, key, "\n".join(files.values()))}
           if files else {}),
        "packages": digest_of([choice.as_dnf_says() for choice in choices]),
        "package options": digest_of(request.selection()),
        "signing key": request.key.stem,
        "source date": str(epoch),
        "rpm and dnf": tools,
        "code": code_digest(
            "builder/root/packages.py", "builder/root/signatures.py", "builder/root/dnf_worker.py",
            "builder/root/dnf_lock.py", "builder/root/dnf_process.py", "builder/root/labels.py",
            "builder/root/initramfs.py",
            *_SANDBOX,
        ),
    })


def all_steps(
    packages: Step, kickstart: Kickstart, options: Options, layout: Layout, engine: Engine | None,
    rules: Sequence[Rule], pre: PreResult | None, more: Sequence[Choice], about: About,
    key: bytes,
) -> dict[str, Step]:
    """Return every step by its name, the first one first.

    key: the store's, for the digests that cover secrets; where a kickstart has none, all digests
    are the same in every store. engine: None for an image without a disk.
    more: the packages that the targets add.
    """
    plain_layout = digest_of(layout.model_dump(mode="json"))
    before = _pre_install_step(kickstart, options, layout, pre, key)
    addons = [(a.words, a.name, a.lines) for a in kickstart.addons]
    certificates = [(c.filename, c.folder, c.kind, c.text) for c in kickstart.certificates]
    settings = Step("settings", {
        **({before.name: before.digest} if before else {}),
        "commands": of_commands(kickstart, key),
        "add-ons": careful(addons, key, str(addons)),
        "layout": plain_layout,
        "disk": str(options.has_disk),
        "certificates": careful(certificates, key, str(certificates)),
        "code": code_digest("builder/root/settings.py", *_READING, "builder/root/bootloader.py",
                            "builder/disk/fstab.py", "builder/disk/ancestry.py", *_SANDBOX),
    }, packages)
    initramfs = Step("initramfs", {
        "drivers": digest_of(catalogue.all_drivers()),
        "code": code_digest("builder/root/initramfs.py", *_SANDBOX),
    }, settings)
    bootloader = Step("bootloader", {
        "layout": plain_layout,
        "code": code_digest("builder/root/bootloader.py", "builder/root/grub_probe.py",
                            "builder/disk/ancestry.py", *_SANDBOX),
    }, initramfs)
    scripts = Step("scripts", {
        "%post": of_scripts(kickstart.scripts_of("%post", "%onerror"), key),
        "network": str(options.image.network_in_post),
        "layout": plain_layout,
        "installer": digest_of([pre.digest if pre else "", options.image.installer_arguments]),
        "code": code_digest(
            "builder/root/scripts.py", "builder/root/disk_of_scripts.py",
            "builder/root/tree_shims.py", "builder/root/bootloader.py",
            "builder/root/grub_probe.py", "builder/disk/table.py", *SCRIPTS),
    }, bootloader if engine else initramfs)
    last = _target_step(options, more, scripts) or scripts
    seal = Step("seal", {
        "rules": digest_of([rule.model_dump(mode="json") for rule in rules]),
        "code": code_digest("builder/root/seal.py", "builder/root/labels.py",
                            "builder/root/installed.py", "specs", *_SANDBOX),
    }, last)
    made = [
        *((before,) if before else ()), packages, settings, initramfs,
        *((bootloader,) if engine else ()), scripts, *((last,) if last is not scripts else ()),
        seal,
    ]
    if engine:
        made.append(Step("disk", {
            "layout": plain_layout,
            **({"passphrases": keyed_digest_of(list(layout.secrets()), key)}
               if any(layout.secrets()) else {}),
            "engine": digest_of([engine.name, engine.identity()]),
            "code": code_digest("builder/disk", "host/mounts.py", "host/beneath",
                                     *_PROGRAMS),
        }, seal))
    if options.drivers and engine:
        made.append(_drivers_step(options, seal))
    steps = {step.name: step for step in made}
    for name in options.wanted_formats:
        _add_format(steps, name, about, kickstart, key)
    return steps


def _add_format(
    steps: dict[str, Step], name: str, about: About, kickstart: Kickstart, key: bytes,
) -> Step:
    """Add the step of a format, and before it those of the formats that it is made from."""
    if name in steps:
        return steps[name]
    wish = formats.get(name)
    if wish.source == DISK:
        before = steps["disk"]
    else:
        before = steps["seal"] if wish.source == TREE else _add_format(
            steps, wish.source, about, kickstart, key)
    file = "builder/formats/" + name.replace("-", "_") + ".py"
    steps[name] = Step(name, {
        "format": digest_of(dict(wish.identity())),
        "about": digest_of(_identity(about.only(wish.uses))),
        **({"kickstart": of_text("\n".join(about.kickstart.values()), kickstart, key)}
           if "kickstart" in wish.uses else {}),
        "code": code_digest(file, "builder/formats/tools", "builder/artefact.py", "host/beneath",
                                     *_PROGRAMS),
    }, before)
    return steps[name]


def _identity(about: About) -> dict[str, Any]:
    """Return what decides an artefact, but for the kickstart; packages follow from the tree."""
    return asdict(replace(about, packages=(), comps=(), kickstart={}))


def _target_step(options: Options, more: Sequence[Choice], scripts: Step) -> Step | None:
    """Return the step that adds the targets' layer, None when it changes nothing."""
    if options.layer.is_empty:
        return None
    return Step("target", {
        "layer": digest_of(options.layer.model_dump(mode="json")),
        "packages": digest_of([choice.as_dnf_says() for choice in more]),
        "code": code_digest("builder/root/adapt.py", "builder/root/packages_on_top.py",
                            "builder/root/dnf_worker.py", "builder/root/dnf_process.py",
                            *_SANDBOX),
    }, scripts)


def _drivers_step(options: Options, seal: Step) -> Step:
    """Return the step that only looks: whether the initramfs has what the targets need.

    Nothing comes after it, so that targets that need different drivers share one disk.
    """
    return Step("drivers", {
        "drivers": digest_of({each.name: each.drivers for each in options.targets}),
        "code": code_digest("builder/root/drivers.py", "builder/root/initramfs_names.py",
                            "builder/root/initramfs.py", *_SANDBOX),
    }, seal)


def _pre_install_step(
    kickstart: Kickstart, options: Options, layout: Layout, pre: PreResult | None, key: bytes,
) -> Step | None:
    """Return the step of %pre-install, None without such scripts."""
    scripts = kickstart.scripts_of("%pre-install")
    if not scripts:
        return None
    return Step("pre-install", {
        "%pre-install": of_scripts(scripts, key),
        "layout": digest_of(layout.model_dump(mode="json")),
        "installer": digest_of([pre.digest if pre else "", options.image.installer_arguments]),
        "code": code_digest("builder/root/scripts.py", "builder/root/disk_of_scripts.py",
                            "builder/disk/table.py", *SCRIPTS),
    })
