"""packages: dnf installs into an empty tree; every signature is checked first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.booting import kernel_plugins
from builder.identity import digest_of
from builder.packages import install as packages
from builder.packages import scriptlets
from builder.packages.choice import Choice
from builder.sandbox.sandbox import Sandbox
from builder.steps import contract
from builder.steps.contract import Before, Place
from builder.steps.frames import lowest_layer
from builder.steps.wish import Wish
from builder.tree import labels
from builder.tree.tree import Tree

if TYPE_CHECKING:
    from builder.steps.facts import Facts

name = "packages"
after = ()
programs = ("rpm", "dnf", "setfiles", "sqlite")


class Inputs(contract.Inputs):
    """selection: options of the installation. choices: the packages, with their checksums.

    files: what is written beside them (`repo --install`), by path. may_fail: packages with a
    scriptlet that may fail.
    """

    may_hold_secrets = ("files",)

    selection: Wish
    choices: tuple[Choice, ...]
    files: dict[str, str]
    may_fail: tuple[str, ...]


def inputs(facts: Facts) -> Inputs:
    """Every image is made of packages."""
    return Inputs(**facts.common, selection=facts.selection, choices=tuple(facts.choices),
                  files=dict(facts.selection.files),
                  may_fail=tuple(facts.request.image.scriptlets_may_fail))


def make(inputs: Inputs, before: Before, place: Place) -> None:
    """Install, then label; InputError for a scriptlet that failed.

    A machine id is there from the start, derived from the packages, so that the one that systemd's
    scriptlet would draw at random does not find its way into file names; sealing removes it.
    """
    with lowest_layer(name, inputs, place) as root:
        tree = Tree(root, Sandbox(root, inputs.epoch))
        kernel_plugins.suppress(tree)
        machine_id = digest_of([choice.as_dnf_says() for choice in inputs.choices])[:32]
        tree.write("/etc/machine-id", f"{machine_id}\n")
        place.progress.start(name, total=len(inputs.choices), unit="packages")
        problems = packages.install(inputs.selection, inputs.choices, root, place.store,
                                    inputs.epoch, place.progress, inputs.bounds)
        scriptlets.check(problems, inputs.may_fail, place.progress.say)
        kernel_plugins.allow(tree)
        labels.relabel(tree)
