"""Options that several commands share, said once: a dataclass whose fields are options.

A command takes the dataclass as one parameter; Typer, which knows no such thing, sees the fields in
its place. Each field is written as a parameter would be: `Annotated[…, typer.Option(…)]`, default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")


def spread(command: Callable[..., T]) -> Callable[..., T]:
    """Return a command for Typer: the fields of its dataclasses are its parameters, where these
    stood. Goes below `@app.command()`."""
    hints = get_type_hints(command, include_extras=True)
    own = signature(command).parameters
    groups = {name: hints[name] for name in own if is_dataclass(hints[name])}
    seen = [parameter for name in own for parameter in (
        _parameters(groups[name]) if name in groups
        else [own[name].replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY)])]

    @wraps(command)
    def call(**given: Any) -> T:
        made = {name: group(**{field.name: given.pop(field.name) for field in fields(group)})
                for name, group in groups.items()}
        return command(**given, **made)

    call.__signature__ = Signature(seen)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in seen}
    return call


def _parameters(group: type) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [Parameter(field.name, Parameter.KEYWORD_ONLY, annotation=hints[field.name],
                      default=Parameter.empty if field.default is MISSING else field.default)
            for field in fields(group)]
