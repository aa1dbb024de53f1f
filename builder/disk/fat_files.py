"""Copies a folder into a FAT with mtools, in an order that is the same each time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from host.beneath.root import Root
from host.beneath.walk import Found, kind
from host.errors import InputError
from host.run import run

# Microsoft's FAT specification, "Long File Name": what no name may hold. mtools (4.0.32) takes
# some of it for patterns, renames others, and leaves out the names of DOS's devices.
_NEVER = frozenset('"*/:<>?\\|')
_PATTERN = frozenset("[]")
_DEVICES = frozenset(("CON", "PRN", "AUX", "NUL", "CLOCK$",
                      *(f"{port}{number}" for port in ("COM", "LPT") for number in range(1, 10))))
_NAME_UNITS, _PATH_BYTES = 255, 1000
_AT_ONCE = 500


@dataclass
class Folder:
    """The names of the folders and of the files in a folder, sorted."""

    folders: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def fill_fat(view: Path, drive: str, environment: Mapping[str, str]) -> None:
    """Copy what is in `view`, folder by folder in sorted order, to an empty FAT.

    drive: as mtools' -i takes it. environment: what mtools goes by, such as the time.
    Raises InputError for what a FAT can't hold, before anything is copied.
    """
    for path, folder in check_fat(view).items():
        here = f"::{path}"
        # Names come behind a path, so none of them is taken for an option.
        for names in _batches(folder.folders):
            run(["mmd", "-i", drive, *(f"{here}/{name}" for name in names)], env=environment)
        for names in _batches(folder.files):
            run(["mcopy", "-i", drive, "-Q", *(f"{view}{path}/{name}" for name in names),
                 f"{here}/"], env=environment)


def check_fat(top: Path, apart: Collection[str] = ()) -> dict[str, Folder]:
    """Return each folder that is not empty by its path, those above first; "": the top.

    apart: folders whose content does not count, by their paths, as other file systems go there.
    Raises InputError for what a FAT can't hold.
    """
    folders: dict[str, Folder] = {}
    taken: set[str] = set()
    for each in Root(top).walk():
        if any(each.path.startswith(f"{path}/") for path in apart):
            continue
        problem = next(_problems(each, taken), None)
        if problem is not None:
            raise InputError("a FAT file system can't hold this", where=each.path[:200],
                             why=problem, remedy="remove it in %post")
        taken.add(each.path.casefold())
        folder = folders.setdefault(each.path.rpartition("/")[0], Folder())
        (folder.folders if each.is_folder else folder.files).append(each.name)
    return folders


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the names as many at a time as fit on a command line."""
    return (names[start:start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))


def _problems(each: Found, taken: set[str]) -> Iterator[str]:
    name = each.name
    if not (each.is_folder or each.is_file):
        yield f"it is {kind(each.status.st_mode)}, and a FAT holds only files and folders"
    try:
        name.encode()
    except UnicodeEncodeError:
        yield "its name is not UTF-8"
        return
    if bad := sorted(_NEVER & set(name)) or [c for c in name if not c.isprintable()]:
        yield f"its name has {bad[0]!r} in it"
    if each.is_folder and _PATTERN & set(name):
        yield "mtools takes brackets in the name of a folder for a pattern"
    if name.endswith((".", " ")):
        yield "its name ends with a full stop or a blank, which a FAT drops"
    if name.upper() in _DEVICES:
        yield "DOS has a device of that name"
    if len(name.encode("utf-16-le")) // 2 > _NAME_UNITS:
        yield f"its name is longer than {_NAME_UNITS} characters"
    if len(each.path.encode()) > _PATH_BYTES:
        yield f"its path has more than {_PATH_BYTES} bytes"
    if each.path.casefold() in taken:
        yield "another name differs from it in case alone"
