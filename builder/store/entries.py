"""What the store knows of a result: its record beside the data, read as if anybody had written it.

A record that can't be read, of wrong types, of another step, or of data that is no longer as it was
is none: the result is made anew. Nothing here raises because of what lies in the store.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from builder.store import manifest
from builder.store.result import FILES
from host.beneath.root import Root
from host.beneath.walk import look
from host.errors import CcisError, InputError
from host.folders import is_real_folder

RECORD = "entry.json"
_DATA, _DAMAGED = "data", "damaged"
_LIMIT_BYTES = 16 << 20
_LATEST_S = 253370764800.0  # the year 9999


@dataclass(frozen=True)
class Entry:
    """A finished result. inputs: what its digest was made of, for explaining a miss later."""

    step: str
    digest: str
    path: Path
    inputs: dict[str, str]
    label: str
    size_bytes: int

    @property
    def data(self) -> Path:
        """The folder that holds the result itself."""
        return self.path / _DATA


class _Record(BaseModel):
    """entry.json. things: what is on top of the data, see _things(). bytes: on disk.

    manifest: digest of the manifest's text, empty until that is written.
    """

    model_config = ConfigDict(strict=True, extra="ignore")

    step: str
    digest: str
    inputs: dict[str, str]
    label: str
    things: dict[str, list[int]]
    bytes: int = Field(ge=0, le=1 << 50)
    manifest: str = ""


def write_entry(
    folder: Path, step: str, digest: str, inputs: dict[str, str], label: str,
) -> None:
    """Write the record of a result whose data is complete, and whose manifest is still to come."""
    _write(folder, _Record(step=step, digest=digest, inputs=inputs, label=label,
                           things=_things(folder), bytes=0))


def complete(path: Path) -> int:
    """Write the manifest of a result that was put into the store; from now on others see it.

    Return the bytes that it takes on disk. Raises OSError; then it is as if the result had never
    been put.
    """
    record = _record(path)
    if record is None:
        return 0
    written = manifest.write(path, path / _DATA)
    _write(path, record.model_copy(
        update={"manifest": written.digest, "bytes": written.size_bytes}))
    return written.size_bytes


def _write(folder: Path, record: _Record) -> None:
    text = json.dumps(record.model_dump(), indent=1)
    Root(folder).write(f"/{RECORD}", text.encode())


def read_entry(path: Path, *, is_complete: bool = True) -> Entry | None:
    """Return the entry of a folder, or None if there is none or its data was changed since.

    is_complete: off takes one without a manifest as well.
    """
    record = _record(path)
    if record is None or (is_complete and not record.manifest):
        return None
    try:
        if record.things != _things(path) or Root(path).exists(f"/{_DAMAGED}", follow=False):
            return None
    except (OSError, CcisError):
        return None
    return Entry(record.step, record.digest, path, record.inputs, record.label, record.bytes)


def flaw_of(
    path: Path, *, whole: bool = False, on_bytes: Callable[[int], None] = lambda _: None,
) -> str | None:
    """Return what is wrong with a result, None when it is as it was put; see manifest.flaw()."""
    record = _record(path)
    if record is None:
        return "its record is damaged"
    if not record.manifest:
        return "it was never finished"
    if not is_real_folder(path / _DATA):
        return "its data is missing"
    return manifest.flaw(path, path / _DATA, record.manifest, whole=whole, on_bytes=on_bytes)


def mark_damaged(path: Path, why: str) -> None:
    """Have a result be none from now on, though it is still there to be looked at."""
    with suppress(OSError, CcisError):
        Root(path).write(f"/{_DAMAGED}", why.encode("utf-8", "surrogateescape"))


def known_size(path: Path) -> int | None:
    """Return how many bytes on disk a result was said to take; None if its record is none, or says
    that it was never finished."""
    record = _record(path)
    if record is None or not (record.manifest or record.bytes):  # the latter: of an older ccis
        return None
    return record.bytes


def is_listed(path: Path) -> bool:
    """Say whether a result has a manifest: those of an older ccis have none, and are not used."""
    record = _record(path)
    return record is not None and bool(record.manifest)


def label_of(path: Path) -> str:
    """Return what a result is of, nothing if its record is none."""
    record = _record(path)
    return record.label if record else ""


def last_use(path: Path) -> float:
    """Return when a result was last used, in seconds since 1970; 0 if nothing tells.

    Some file systems know years that nobody can write (datetime.MAXYEAR).
    """
    try:
        return min(max((path / RECORD).lstat().st_mtime, 0.0), _LATEST_S)
    except OSError:
        return 0.0


def note_last_use(path: Path) -> None:
    """Note that a result was used now, where that can be noted."""
    with suppress(OSError):
        os.utime(path / RECORD, follow_symlinks=False)


def _record(path: Path) -> _Record | None:
    try:
        if not is_real_folder(path):
            return None
        text = Root(path).read(f"/{RECORD}", _LIMIT_BYTES)
        record = _Record.model_validate(json.loads(text))
    except (OSError, InputError, ValueError, ValidationError, RecursionError):
        return None
    return record if (record.step, record.digest) == (path.parent.name, path.name) else None


def _things(path: Path) -> dict[str, list[int]]:
    """Return what is on top of a result's data and in files/: of files their size and time.

    Artefacts are hard-linked into outputs, where a careless hand may change them; such a result
    must not be used again, and neither one without its layer. What is in a layer is not looked at.
    Raises OSError when the data is no folder.
    """
    found = {}
    root = Root(path)
    for folder in (f"/{_DATA}", f"/{_DATA}/{FILES}"):
        if folder != f"/{_DATA}" and not root.is_folder(folder, follow=False):
            continue
        with root.folder(folder, links=False) as opened:
            for name in sorted(os.listdir(opened)):  # noqa: PTH208 – a descriptor
                found[f"{folder}/{name}"] = _thing(look(opened, name))
    return found


def _thing(status: os.stat_result | None) -> list[int]:
    if status is None:
        return []
    kind = stat.S_IFMT(status.st_mode)
    return [kind, status.st_size, status.st_mtime_ns] if stat.S_ISREG(status.st_mode) else [kind]
