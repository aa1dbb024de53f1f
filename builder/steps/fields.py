"""What of a kickstart counts as an input, as JSON: never where in a file it stands."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainSerializer, SkipValidation

from builder.kickstart.model import Kickstart, Script


def _lines(kickstart: Kickstart) -> dict[str, Any]:
    """Return the lines, each with the dialect that took it: another may read it in another way."""
    return {
        "dialect": kickstart.dialect,
        "commands": [[each.name, *each.words, each.dialect] for each in kickstart.commands],
        "add-ons": [[each.name, each.words, each.lines] for each in kickstart.addons],
        "certificates": [[each.filename, each.folder, each.kind, each.text]
                         for each in kickstart.certificates],
    }


def _script(script: Script) -> list[Any]:
    return list(script.identity)


Lines = Annotated[SkipValidation[Kickstart], PlainSerializer(_lines)]
"""What commands, add-ons and certificates say (Kickstart.lines())."""

ScriptText = Annotated[SkipValidation[Script], PlainSerializer(_script)]
"""One script: all but its place."""
