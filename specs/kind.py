"""What all kinds of check have in common, and the types that their parameters are made of."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from host.patterns import pattern
from specs.globs import compiled

Tier = Literal["artefact", "offline", "boot"]


class Check(BaseModel):
    """The parameters of one check; `kind` names it in a spec.

    tier: what the check looks at: the file as such, the tree inside it, or the started image.
    sealable: the builder can make it true (builder/tree/seals/), before the disk is made.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tier: ClassVar[Tier] = "offline"
    sealable: ClassVar[bool] = False

    kind: str


def _canonical(path: str) -> str:
    if not path.startswith("/") or (path != "/" and path.endswith("/")):
        raise ValueError(f"{path!r} is not a path from the root, without a / at its end")
    if any(part in ("", ".", "..") for part in path[1:].split("/") if path != "/"):
        raise ValueError(f"{path!r} has an empty part, '.' or '..'")
    return path


def _plain(path: str) -> str:
    if set(_canonical(path)) & set("*?["):
        raise ValueError(f"{path!r} is a pattern; one path is wanted here")
    return path


def _glob(text: str) -> str:
    compiled(_canonical(text))
    return text


def _regex(text: str) -> str:
    pattern(text)
    return text


GuestPath = Annotated[str, AfterValidator(_plain)]
"""A path in the image, from its root, without symbolic links on the way."""

GuestGlob = Annotated[str, AfterValidator(_glob)]
"""A path in the image that may hold *, ?, [] and ** (specs/globs.py says what they match)."""

Regex = Annotated[str, AfterValidator(_regex)]
"""A regular expression of RE2 (host.patterns): no text of an image keeps it busy."""

Mode = Annotated[str, Field(pattern=r"^[0-7]{4}$")]
"""Permission bits as four octal digits, such as "0640"."""

Names = Annotated[list[str], Field(min_length=1)]
"""At least one name; "a|b" where either will do."""
