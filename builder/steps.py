"""Steps: a name, the inputs that decide its result, and the digest that these come to."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROJECT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Step:
    """One step of a build.

    inputs: everything that decides the result, by a name that a person understands.
    after: the step whose result this one starts from; its digest is one of the inputs.
    """

    name: str
    inputs: Mapping[str, str]
    after: Step | None = None

    @property
    def digest(self) -> str:
        """The identity of the step's result."""
        return digest_of({"step": self.name, **self.all_inputs()})

    def all_inputs(self) -> dict[str, str]:
        """Return the inputs with the one that stands for everything before."""
        before = {f"step {self.after.name}": self.after.digest} if self.after else {}
        return {**self.inputs, **before}


def digest_of(content: Any) -> str:
    """Return the SHA-256 of plain data, whatever the order of its keys.

    Never of what holds a password: whoever knows the rest can try out all likely ones.
    """
    return hashlib.sha256(_canonical(content)).hexdigest()


def keyed_digest_of(content: Any, key: bytes) -> str:
    """Return the HMAC-SHA-256 of plain data that holds secrets, marked as one.

    key: the store's own (builder/store_key.py), so that it says something in that store alone.
    """
    return "hmac-" + hmac.digest(key, _canonical(content), "sha256").hex()


def _canonical(content: Any) -> bytes:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return text.encode("utf-8", "surrogateescape")


def code_digest(*names: str) -> str:
    """Return the digest of our own source files: a step made by other code is another step.

    names: files and folders, relative to the project, such as "builder/root/seal.py".
    """
    texts = {}
    for name in names:
        place = _PROJECT / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            texts[str(path.relative_to(_PROJECT))] = path.read_text(encoding="utf-8")
    return digest_of(texts)
