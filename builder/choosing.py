"""Which packages an image gets: asked of dnf once, and kept while wish and repositories stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from builder.graph import Action, make_now
from builder.identity import digest_of
from builder.packages.choice import Choice
from builder.packages.selection import Selection
from builder.steps import registry, resolution
from builder.store.key import store_key
from builder.store.store import Store
from images.record import Package


@dataclass(frozen=True)
class Resolution:
    """What dnf chose.

    added: names that a rule added, each with the reason.
    absent: what a rule would add and no repository has, which is no error: where the rule comes
    from (file:line), and what to tell a person.
    """

    choices: list[Choice]
    added: list[tuple[str, str]]
    absent: list[tuple[str, str]]


def resolve(selection: Selection, store: Store) -> Resolution:
    """Return the packages that the kickstart's wish comes to, dependencies included.

    The answer is kept: it is asked anew only when the wish or a repository changes.
    Raises InputError for a package, group or module that no repository has (with near names)
    and for a wish that can't be met; RemoteError when metadata can't be had or is not signed
    right.
    """
    action = Action(registry.get(resolution.name), resolution.inputs_of(selection),
                    store_key(store.root))
    answer = resolution.result(make_now(action, store).data)
    choices = [
        Choice(Package(**{key: row[key] for key in Package.model_fields}), row["size_bytes"],
               row["location"], row["build_time"])
        for row in answer["packages"]
    ]
    asked = list(zip(selection.requirements, answer["required"], strict=True))
    return Resolution(
        choices, [(name, one.reason) for one, name in asked if name],
        [(one.where or str(selection.kickstart.path),
          f"no repository has {' or '.join(one.names)}, added elsewhere because of this: "
          f"{one.reason}") for one, name in asked if not name])


def resolve_on_top(selection: Selection, choices: Sequence[Choice], store: Store) -> list[Choice]:
    """Return what a target's packages come to beyond `choices`, in dnf's order.

    selection: of packages_on_top.selection_on_top(). The answer is kept, as that of resolve().
    Raises what that raises: InputError for a package that no repository has or that %packages
    excludes, RemoteError for repositories.
    """
    there = {choice.location for choice in choices}
    return [choice for choice in resolve(selection, store).choices if choice.location not in there]


def seed(selection: Selection) -> str:
    """Return what every UUID of the image's disk derives from: the wish, and where it is met."""
    return digest_of(resolution.inputs_of(selection).as_json())
