"""Digests of a step's inputs: with the store's key where they hold a secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from builder.identity import digest_of, keyed_digest_of
from builder.kickstart.model import Kickstart
from builder.kickstart.secret_words import has_secret, looks_secret
from builder.steps.inputs import Inputs


def digests(inputs: Inputs, key: bytes) -> dict[str, str]:
    """Return the digest of each field of some inputs, by name. key: the store's."""
    return {name: keyed_digest_of(value, key) if _is_secret(inputs, name) else digest_of(value)
            for name, value in inputs.as_json().items()}


def _is_secret(inputs: Inputs, name: str) -> bool:
    """Say whether a field of those that may hold secrets holds one, as far as can be told."""
    if name not in inputs.may_hold_secrets:
        return False
    value = getattr(inputs, name)
    if isinstance(value, Kickstart):
        return any(has_secret(command) for command in value.commands) or looks_secret(
            "\n".join([*(each.text for each in value.certificates),
                       *(line for each in value.addons for line in (*each.words, *each.lines))]))
    return inputs.is_secret(name) or any(map(looks_secret, _texts(inputs.as_json()[name])))


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in plain data, each as it stands."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
