"""The kinds of check a rule may use: one module per topic; a new module is found by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from host.discovery import modules_in
from specs.kind import Check


def _all_kinds() -> dict[str, type[Check]]:
    modules_in(__name__)
    return {kind.model_fields["kind"].default: kind for kind in Check.__subclasses__()}


KINDS: dict[str, type[Check]] = _all_kinds()
"""Every kind by the name that a spec calls it."""

if TYPE_CHECKING:
    AnyCheck = Check
else:
    AnyCheck = Annotated[
        Union[tuple(KINDS.values())],  # noqa: UP007 – made of what was found
        Field(discriminator="kind"),
    ]
