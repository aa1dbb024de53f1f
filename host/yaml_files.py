"""Reads a YAML file into a typed model; a wrong key or value is an error with file and line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from host.errors import InputError

Model = TypeVar("Model", bound=BaseModel)

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same in C, where PyYAML has it: a spec of 300 rules is read ten times as fast."""


def load(path: Path, model: type[Model]) -> Model:
    """Return the content of a YAML file as `model`.

    Raises InputError, with the file and the line of the key at fault, when the file can't be
    read, is not YAML, or does not fit the model.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot be read", where=str(path), why=str(error)) from error
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 – safe in both of its forms
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(
            "is not valid YAML", where=f"{path}{line}", why=getattr(error, "problem", str(error)),
        ) from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        line_number = _line_of(node, first["loc"])
        key = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(
            f"{key}: {first['msg'][:1].lower()}{first['msg'][1:]}", where=f"{path}:{line_number}",
            remedy=_known_keys(model, first["type"], first["loc"]),
        ) from error


def _line_of(node: yaml.Node | None, location: Sequence[int | str]) -> int:
    """Return the line of the innermost thing of `location` that the file really has."""
    line = 1 if node is None else node.start_mark.line + 1
    for part in location:
        child: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    line, child = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            child = node.value[part]
            line = child.start_mark.line + 1
        if child is None:
            continue
        node = child
    return line


def _known_keys(model: type[BaseModel], kind: str, location: Sequence[Any]) -> str | None:
    if kind != "extra_forbidden" or len(location) != 1:
        return None
    return "known keys: " + ", ".join(model.model_fields)
