"""Digests of a step's inputs: with the store's key where they hold a secret."""

from __future__ import annotations

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
    return inputs.is_secret(name) or looks_secret(str(inputs.as_json()[name]))
