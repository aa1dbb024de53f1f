"""Digests of what may hold a secret: with the store's key where it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from builder.kickstart.model import Kickstart, Script
from builder.kickstart.secret_words import has_secret, looks_secret
from builder.steps import digest_of, keyed_digest_of


def careful(content: Any, key: bytes, text: str) -> str:
    """Return the digest of plain data; text: what there is to read in it. key: the store's."""
    return keyed_digest_of(content, key) if looks_secret(text) else digest_of(content)


def of_commands(kickstart: Kickstart, key: bytes) -> str:
    """Return the digest of all command lines."""
    content = [(command.name, command.words) for command in kickstart.commands]
    secret = any(has_secret(command) for command in kickstart.commands)
    return keyed_digest_of(content, key) if secret else digest_of(content)


def of_scripts(scripts: Sequence[Script], key: bytes) -> str:
    """Return the digest of scripts."""
    return careful([script.identity for script in scripts], key,
                   "\n".join(script.text for script in scripts))


def of_text(text: str, kickstart: Kickstart, key: bytes) -> str:
    """Return the digest of a kickstart's whole text, comments included."""
    secret = any(has_secret(command) for command in kickstart.commands) or looks_secret(text)
    return keyed_digest_of(text, key) if secret else digest_of(text)
