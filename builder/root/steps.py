"""The steps that make the root tree: each adds a layer over what the steps before it made."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from builder.plan import Plan
from builder.root import bootloader, initramfs, labels, packages, scripts, seal, settings
from builder.root.sandbox import Sandbox
from builder.root.tree import Tree
from builder.store import Store
from host.mounts import overlay
from host.progress import Progress

LAYER = "layer"
ROOT_STEPS = ("packages", "settings", "initramfs", "bootloader", "scripts", "seal")

Action = Callable[[Tree], None]


def fill_packages(plan: Plan, store: Store, folder: Path, progress: Progress) -> None:
    """Install the packages into a new tree, the first and lowest layer.

    A machine id is there from the start, derived from the plan, so that the one that systemd's
    scriptlet would draw at random does not find its way into file names; sealing removes it.
    """
    root = folder / LAYER
    root.mkdir()
    initramfs.suppress(root)
    (root / "etc/machine-id").write_text(plan.steps["packages"].digest[:32] + "\n")
    progress.start("packages", total=len(plan.choices), unit="packages")
    problems = packages.install(plan.request, plan.choices, root, store, plan.epoch, progress)
    for problem in problems:
        progress.say(f"packages: {problem}")
    initramfs.allow(root)
    labels.relabel(Tree(root, Sandbox(root, plan.epoch)))


def fill_layer(
    plan: Plan, name: str, lower: Sequence[Path], store: Store, folder: Path, progress: Progress,
) -> None:
    """Run one step over the layers below (topmost first); its changes become the new layer."""
    progress.start(name)
    upper = folder / LAYER
    upper.mkdir()
    shutil.copystat(lower[-1], upper)  # mode and label of / come from the topmost layer
    with store.staging() as scratch:
        (scratch / "work").mkdir()
        (scratch / "view").mkdir()
        with overlay(lower, upper, scratch / "work", scratch / "view") as view:
            sandbox = Sandbox(view, plan.epoch, network=_network(plan, name))
            _action(plan, name, progress)(Tree(view, sandbox))


def _network(plan: Plan, name: str) -> bool:
    return name == "scripts" and plan.options.image.network_in_post


def _action(plan: Plan, name: str, progress: Progress) -> Action:
    def configure(tree: Tree) -> None:
        settings.configure(tree, plan.kickstart, plan.layout)
        bootloader.write_settings(tree, plan.kickstart, plan.layout)

    def finish(tree: Tree) -> None:
        seal.seal(tree, plan.rules)
        labels.relabel(tree)

    actions: dict[str, Action] = {
        "settings": configure,
        "initramfs": lambda tree: initramfs.make(tree, plan.layout, progress),
        "bootloader": lambda tree: bootloader.install(tree, plan.kickstart, plan.layout),
        "scripts": lambda tree: scripts.run_post(tree, plan.kickstart, plan.layout, progress),
        "seal": finish,
    }
    return actions[name]
