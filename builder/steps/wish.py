"""What of a request to dnf counts as an input, as JSON."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainSerializer, SkipValidation

from builder.root.request import Request


def _wish(request: Request) -> dict[str, Any]:
    return {"selection": request.selection(), "key": request.key.stem}


Wish = Annotated[SkipValidation[Request], PlainSerializer(_wish)]
"""What dnf is asked for. Not where from: what it chose is an input of its own."""
