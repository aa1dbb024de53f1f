"""The table *CentOS name ← Debian packages*: its model, and how it is read from packages/*.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from host.errors import InputError

FOLDER = Path(__file__).parent



class Edit(BaseModel):
    """A change of a file's text: `find`, a regular expression, becomes `replace`, everywhere."""

    model_config = ConfigDict(extra="forbid")
    file: str
    find: str
    replace: str


class Entry(BaseModel):
    """How one RPM is made. Paths are those after /bin, /lib, ... were moved under /usr."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    debs: list[str] = Field(default=[], alias="from")
    version: str = ""
    summary: str = ""
    description: str = ""
    arch: Literal["", "x86_64", "noarch"] = ""
    repo: Literal["BaseOS", "AppStream"] = "BaseOS"
    # Which of the Debian files come in; an entry without it takes what no other entry claims.
    files: list[str] | None = None
    drop: list[str] = []
    move: dict[str, str] = {}
    edit: list[Edit] = []
    put: dict[str, str] = {}
    link: dict[str, str] = {}
    folders: dict[str, str] = {}
    ghost: dict[str, str] = {}
    modes: dict[str, str] = {}
    caps: dict[str, str] = {}
    config: list[str] = []
    makers: list[str] = []
    # False: what the Debian packages depend on is not taken over.
    inherit: bool = True
    without: list[str] = []
    requires: list[str] = []
    requires_pre: list[str] = []
    provides: list[str] = []
    conflicts: list[str] = []
    obsoletes: list[str] = []
    recommends: list[str] = []
    users: list[str] = []
    groups: list[str] = []
    units: list[str] = []
    scripts: dict[str, str] = {}
    per_release: bool = False


class Common(BaseModel):
    """What holds for every package."""

    model_config = ConfigDict(extra="forbid")
    dropped: list[str]
    prefer: dict[str, str]
    drop_files: list[str]
    build_debs: list[str]
    owners: dict[str, str]


class Table(BaseModel):
    """The whole table. rename: Debian name → RPM name, for packages that need nothing else."""

    common: Common
    rename: dict[str, str]
    entries: dict[str, Entry]

    def overlay(self, name: str) -> Path:
        """Return the folder of extra files of a package (it need not exist)."""
        return FOLDER / "files" / name

    def folders(self) -> dict[str, str]:
        """Return every folder that an entry names, with its attributes."""
        return {path: attributes for entry in self.entries.values()
                for path, attributes in entry.folders.items()}


@cache
def load_table(folder: Path = FOLDER / "packages") -> Table:
    """Read the table.

    Raises InputError, with the file, for a wrong key, a wrong value or a name given twice.
    """
    common = _read(folder / "common.yaml")
    rename = _read(folder / "rename.yaml")
    entries: dict[str, Any] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name in ("common.yaml", "rename.yaml"):
            continue
        for name, raw in _read(path).items():
            if name in entries:
                raise InputError(f"{name} is in the table twice", where=str(path))
            try:
                entries[name] = Entry.model_validate(raw or {})
            except ValidationError as error:
                raise InputError(f"{name} is wrong", where=str(path), why=str(error)) from error
    try:
        return Table(common=Common.model_validate(common), rename=rename, entries=entries)
    except ValidationError as error:
        raise InputError("the table is wrong", where=str(folder), why=str(error)) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise InputError("cannot read the table", where=str(path), why=str(error)) from error
    if not isinstance(content, dict):
        raise InputError("this must be a mapping", where=str(path))
    return content
