"""The graph of a build: which steps an image has, and the identity of each.

A step with its inputs is an action. Its digest is made of everything that decides its result, and
of the digests of the actions before it; so equal digests mean equal results, on any host.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from builder.identity import code_identity, digest_of
from builder.secret_digests import digests
from builder.steps import notes, registry
from builder.steps.contract import Before, Inputs, Place, Step
from builder.steps.conversion import Conversion
from builder.steps.facts import Facts
from builder.steps.programs import version_of
from builder.store.store import Entry, Store
from host.errors import CcisError
from host.progress import Progress, Silent
from host.space import for_want_of_room


@dataclass(frozen=True)
class Action:
    """A step of one image.

    key: the store's, for digests that cover secrets. after: the actions whose results it starts
    from, lower layers first.
    """

    step: Step
    inputs: Inputs = field(repr=False)
    key: bytes = field(repr=False)
    after: tuple[Action, ...] = ()

    @property
    def name(self) -> str:
        """The step's name."""
        return self.step.name

    @cached_property
    def digest(self) -> str:
        """The identity of the result."""
        return digest_of({"step": self.name, **self.all_inputs})

    @cached_property
    def all_inputs(self) -> dict[str, str]:
        """Everything that the digest is made of, by names that a person understands."""
        return {
            **digests(self.inputs, self.key),
            **{f"version of {name}": version_of(name) for name in self.step.programs},
            "code": code_identity(*registry.modules_of(self.step)),
            **{f"step {each.name}": each.digest for each in self.after},
        }

    @cached_property
    def before(self) -> tuple[Action, ...]:
        """All actions that it starts from, directly or not: each behind those before it."""
        found: dict[str, Action] = {}
        for each in self.after:
            for one in (*each.before, each):
                found.setdefault(one.name, one)
        return tuple(found.values())


    @property
    def needs(self) -> tuple[Action, ...]:
        """What must be there to make it: of a conversion of a file, that file and nothing else."""
        return self.after if type(self.step) is Conversion else self.before


def graph(facts: Facts, formats: Iterable[str], key: bytes) -> dict[str, Action]:
    """Return the actions of an image by name, each behind those before it.

    formats: the artefacts that are wanted; those that they are made from come along.
    key: the store's. Where an image has no secrets, its digests are the same in every store.
    """
    actions: dict[str, Action] = {}
    for name in (*registry.steps_of_an_image(), *formats):
        _add(name, facts, actions, key)
    return dict(sorted(actions.items(), key=lambda item: len(item[1].before)))


def _add(
    name: str, facts: Facts, actions: dict[str, Action], key: bytes,
) -> Action | None:
    """Add an action and those before it; None when the image has no such step."""
    if name in actions:
        return actions[name]
    step = registry.get(name)
    inputs = step.inputs(facts)
    if inputs is None:
        return None
    found = [_add(each, facts, actions, key) for each in step.after]
    actions[name] = Action(step, inputs, key, tuple(each for each in found if each))
    return actions[name]


def carry_out(action: Action, before: Before, place: Place) -> None:
    """Have a step make its result in `place.folder`.

    Raises what the step raises; HostError when it failed because the disk of the store is full,
    whatever it took that for.
    """
    try:
        action.step.make(action.inputs, before, place)
    except (CcisError, OSError) as error:
        if full := for_want_of_room(error, place.folder, f"the step {action.name}"):
            raise full from error
        raise


def make_now(action: Action, store: Store, progress: Progress | None = None) -> Entry:
    """Return the result of an action that the planner itself needs, made unless it is there."""
    watcher = notes.Noting(progress or Silent())

    def fill(folder: Path) -> None:
        carry_out(action, {}, Place(folder, store, watcher))
        notes.write(folder, watcher.said)

    entry, _ = store.make(action.name, action.digest, inputs=action.all_inputs, label="", fill=fill,
                          say=watcher.progress.say)
    return entry
