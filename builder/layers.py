"""The steps that make the root tree: each adds a layer over what the steps before it made."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from builder.kickstart.layout import without_partitions
from builder.plan import Plan
from builder.root import (
    bootloader,
    canonical,
    drivers,
    initramfs,
    installed,
    labels,
    packages,
    scripts,
    seal,
    settings,
)
from builder.root.adapt import adapt
from builder.root.packages_on_top import install_on_top
from builder.root.pre import ROOT
from builder.steps import digest_of
from builder.store import Store
from builder.tree.bounds import check_depth
from builder.tree.sandbox import Sandbox
from builder.tree.tree import Tree
from host.beneath.root import Root
from host.mounts import overlay, read_only_overlay
from host.progress import Progress
from images import catalogue

LAYER = "layer"
_ROOT_STEPS = ("pre-install", "packages", "settings", "initramfs", "bootloader", "scripts",
               "target", "seal")

Action = Callable[[Tree], None]


def root_steps(plan: Plan) -> list[str]:
    """Return the steps that make the tree, the lowest layer first; %pre-install is rare."""
    return [name for name in _ROOT_STEPS if name in plan.steps]


def fill_pre_install(plan: Plan, store: Store, folder: Path, progress: Progress) -> None:
    """Run %pre-install before there are packages; what it makes of the tree is the lowest layer."""
    progress.start("pre-install")
    root, started_s = folder / LAYER, time.time()
    root.mkdir()
    with store.staging() as scratch:
        scripts.run_pre_install(root, _setting(plan, scratch, folder, None, progress))
    canonical.settle(root, plan.epoch, started_s, "%pre-install")


def fill_packages(plan: Plan, store: Store, folder: Path, progress: Progress) -> None:
    """Install the packages into a new tree, the first and lowest layer.

    A machine id is there from the start, derived from the plan, so that the one that systemd's
    scriptlet would draw at random does not find its way into file names; sealing removes it.
    """
    root, started_s = folder / LAYER, time.time()
    root.mkdir()
    tree = Tree(root, Sandbox(root, plan.epoch))
    initramfs.suppress(tree)
    machine_id = digest_of([choice.as_dnf_says() for choice in plan.choices])[:32]
    tree.write("/etc/machine-id", f"{machine_id}\n")
    progress.start("packages", total=len(plan.choices), unit="packages")
    problems = packages.install(plan.request, plan.choices, root, store, plan.epoch, progress,
                                plan.options.image.bounds)
    for problem in problems:
        progress.say(f"packages: {problem}")
    initramfs.allow(tree)
    labels.relabel(tree)
    canonical.settle(root, plan.epoch, started_s, "packages")


def fill_layer(
    plan: Plan, name: str, lower: Sequence[Path], store: Store, folder: Path, progress: Progress,
) -> None:
    """Run one step over the layers below (topmost first); its changes become the new layer.

    Every layer lies in the folder of its step's result, where other things of it may lie, too.
    """
    progress.start(name)
    upper, started_s = folder / LAYER, time.time()
    upper.mkdir()
    shutil.copystat(lower[0], upper)  # mode and label of / come from the topmost layer
    with store.staging() as scratch:
        (scratch / "work").mkdir()
        (scratch / "view").mkdir()
        with overlay(lower, upper, scratch / "work", scratch / "view",
                     plan.layout.root.device if plan.engine else "overlay") as view:
            tree = Tree(view, Sandbox(
                view, plan.epoch, network=_network(plan, name), bounds=plan.options.image.bounds,
                counted=(upper,)))
            if name == "scripts":
                own = scratch / "scripts"
                own.mkdir()
                scripts.run_post(tree, _setting(plan, own, folder, lower[-1], progress, upper))
            elif name == "target":
                _add_targets_layer(plan, tree, store, progress)
            else:
                _action(plan, name, lower, progress)(tree)
            if name == "seal":
                installed.note(tree, plan.options.release.rpm_database, scratch, folder)
    if canonical.settle(upper, plan.epoch, started_s, name):
        with store.staging() as scratch, read_only_overlay([upper, *lower], scratch) as view:
            check_depth(Root(view), name)


def check_drivers(plan: Plan, view: Path) -> None:
    """Raise InputError when the finished tree's initramfs lacks a driver that a target needs."""
    wanted = {str(catalogue.target_file(target.name)): target.drivers
              for target in plan.options.targets}
    drivers.check_drivers(Tree(view, Sandbox(view, plan.epoch)), wanted)


def _add_targets_layer(plan: Plan, tree: Tree, store: Store, progress: Progress) -> None:
    """Install what the targets add to the tree, then write what they want in it."""
    if plan.more and plan.extra:
        problems = install_on_top(plan.more, plan.extra, tree.root, store, plan.epoch, progress,
                                  plan.options.image.bounds, tree.sandbox.counted)
        for problem in problems:
            progress.say(f"packages: {problem}")
    options = plan.options
    adapt(tree, options.layer, str(catalogue.target_file(options.targets[0].name)))


def after_failure(plan: Plan, store: Store, progress: Progress) -> None:
    """Run the %onerror scripts: a step of the build has failed that runs none itself."""
    with store.staging() as scratch:
        scripts.run_after_failure(_setting(plan, scratch, scratch, None, progress))


def _setting(
    plan: Plan, scratch: Path, results: Path, lowest: Path | None, progress: Progress,
    *counted: Path,
) -> scripts.Setting:
    """Return what scripts run with; the installer is as the last script before them left it."""
    before = plan.pre.root if plan.pre else None
    if lowest and "pre-install" in plan.steps:
        before = lowest.parent / ROOT
    return scripts.Setting(
        plan.kickstart, plan.layout, before, plan.options.image.installer_arguments, scratch,
        results, progress, plan.options.image.bounds, counted,
    )


def _network(plan: Plan, name: str) -> bool:
    return name == "scripts" and plan.options.image.network_in_post


def _action(plan: Plan, name: str, lower: Sequence[Path], progress: Progress) -> Action:
    def configure(tree: Tree) -> None:
        layout = plan.layout if plan.engine else without_partitions(plan.layout)
        settings.configure(tree, plan.kickstart, layout)
        bootloader.write_settings(tree, plan.kickstart, layout)

    def finish(tree: Tree) -> None:
        seal.seal(tree, plan.rules)
        labels.relabel(tree)
        below = root_steps(plan)[:-1][::-1]  # as the layers lie: topmost first
        labels.restore_set_by_hand(tree, lower[below.index("scripts")].parent)

    actions: dict[str, Action] = {
        "settings": configure,
        "initramfs": lambda tree: initramfs.make(
            tree, plan.layout, progress, catalogue.all_drivers()),
        "bootloader": lambda tree: bootloader.install(tree, plan.kickstart, plan.layout),
        "seal": finish,
    }
    return actions[name]
