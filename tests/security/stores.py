"""What the tests of the store share: a store of their own, and how a result is put into it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from builder.store.store import Store

CCIS = Path(sys.executable).with_name("ccis")
VICTIM = "what must stay as it is"


def fill(folder: Path) -> None:
    """A result as they are: a layer with a setuid program in it, and an artefact."""
    (folder / "layer/usr/bin").mkdir(parents=True)
    (folder / "layer/usr/bin/su").write_text("#!/bin/sh\n")
    (folder / "layer/usr/bin/su").chmod(0o4755)
    (folder / "files").mkdir()
    (folder / "files/qcow2").write_text("the disk")


def make(store: Store, digest: str, how: Callable[[Path], None] = fill) -> tuple[Path, bool]:
    entry, cached = store.make("step", digest, inputs={"in": digest}, label="an image", fill=how)
    return entry.path, cached
