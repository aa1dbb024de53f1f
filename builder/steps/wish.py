"""What of a selection to dnf counts as an input, as JSON."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainSerializer, SkipValidation

from builder.packages.selection import Selection


def _wish(selection: Selection) -> dict[str, Any]:
    return {"selection": selection.wishes(), "key": selection.key.stem,
            "keys": {name: key.stem if key else None for name, key in selection.keys.items()}}


Wish = Annotated[SkipValidation[Selection], PlainSerializer(_wish)]
"""What dnf is asked for. Not where from: what it chose is an input of its own."""
