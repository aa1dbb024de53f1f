"""Makes the package of one job: Debian's files, moved and edited, with the table's additions."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from host.errors import InputError
from rehearsal import bytecode, scriptlets
from rehearsal.deb import read_deb
from rehearsal.layout import arrange, matches
from rehearsal.makers import MAKERS, Making
from rehearsal.mapping import Job
from rehearsal.model import Dependency, Package, PackagedFile
from rehearsal.rpmfile import FLAG_CONFIG, FLAG_GHOST, FLAG_NOREPLACE
from rehearsal.table import Entry, Table

# Every package but these needs the links of the merged /usr to be there first.
_BEFORE_FILESYSTEM = {"filesystem", "setup", "centos-stream-release", "centos-gpg-keys",
                      "centos-stream-repos"}
_RELATION = re.compile(r"^(\S+)(?:\s*(<=|>=|=|<|>)\s*(\S+))?$")
_FIRST_DAY_S = 1735689600  # 2025-01-01: the date of what is made from no Debian package


def convert(job: Job, debs: Mapping[str, Path], table: Table, making: Making) -> Package:
    """Return the package of a job, ready to be written.

    debs: where each Debian package's file is. making: what the makers need.
    Raises InputError when an edit, a move or a mode in the table finds nothing to change.
    """
    entry = job.entry
    files = _from_debian(job, debs, table)
    files = [file for file in files if not matches(file.path, entry.drop)]
    _move(files, entry, making, job.name)
    _edit(files, entry, job.name)
    newest = max((file.mtime_s for file in files), default=_FIRST_DAY_S)
    files += _added(job, table, making, newest)
    for name in entry.makers:
        made = MAKERS[name](making, files)
        files += [replace(file, mtime_s=file.mtime_s or newest) for file in made]
    by_path = {file.path: file for file in files}
    _set_attributes(by_path, entry, job.name)
    for file in bytecode.compiled(list(by_path.values())):
        by_path.setdefault(file.path, file)
    _own_parents(by_path, newest)
    _agree_on_folders(by_path, making)
    if job.name != "filesystem":
        by_path = {path: file for path, file in by_path.items()
                   if not (file.is_folder and path in making.base_folders)}
    return Package(
        job.name, making.text(job.version), making.text(job.release), job.arch, job.epoch,
        making.text(job.summary), entry.description or making.text(job.summary),
        build_time_s=newest, files=list(by_path.values()),
        requires=_requires(job, making),
        provides=[relation(making.text(text)) for text in entry.provides],
        conflicts=[relation(text) for text in entry.conflicts],
        obsoletes=[relation(text) for text in entry.obsoletes],
        recommends=[relation(text) for text in entry.recommends],
        scripts={phase: script._replace(body=making.text(script.body))
                 for phase, script in scriptlets.scripts_of(entry).items()},
    )


def relation(text: str, phase: str = "") -> Dependency:
    """Parse `name` or `name >= version`. Raises InputError for anything else."""
    match = _RELATION.match(text)
    if not match:
        raise InputError(f"'{text}' is no relation between packages")
    return Dependency(match[1], match[2] or "", match[3] or "", phase)


def _requires(job: Job, making: Making) -> list[Dependency]:
    found = [relation(making.text(text)) for text in job.requires]
    before = list(job.requires_pre)
    if job.name not in _BEFORE_FILESYSTEM:
        before.append("filesystem")
    found += [relation(text, "pre") for text in before]
    found += [Dependency(name, phase=phase) for name, phase in scriptlets.needs(job.entry)
              if name != job.name]
    return found


def _from_debian(job: Job, debs: Mapping[str, Path], table: Table) -> list[PackagedFile]:
    entry, common = job.entry, table.common
    found: dict[str, PackagedFile] = {}
    for deb in job.debs:
        for raw in read_deb(debs[deb]):
            file = arrange(raw, job.name, common.owners)
            licence = file.path.startswith("/usr/share/licenses/")
            if matches(file.path, common.drop_files):
                continue
            if entry.files is not None and not licence and not matches(file.path, entry.files):
                continue
            if matches(file.path, job.others) and not licence:
                continue
            found.setdefault(file.path, file)
    # A folder whose whole content went elsewhere is left out too; real empty ones stay only
    # with the package that takes all.
    if entry.files is not None or job.others:
        kept = {file.path for file in found.values() if not file.is_folder}
        found = {path: file for path, file in found.items() if not file.is_folder
                 or any(other.startswith(path + "/") for other in kept)}
    return list(found.values())


def _move(files: list[PackagedFile], entry: Entry, making: Making, name: str) -> None:
    """Give files other paths: one path, a folder (with a final slash) or a regular expression."""
    for old, new in entry.move.items():
        before = [file.path for file in files]
        old, new = making.text(old), making.text(new)
        for file in files:
            if old.startswith("^"):
                file.path = re.sub(old, new, file.path)
            elif file.path == old or (old.endswith("/") and (file.path + "/").startswith(old)):
                file.path = (new + (file.path + "/")[len(old):]).rstrip("/")
        if before == [file.path for file in files]:
            raise InputError(f"{name}: there is no {old} to move")


def _edit(files: list[PackagedFile], entry: Entry, name: str) -> None:
    for edit in entry.edit:
        count = 0
        for file in files:
            if file.is_regular and matches(file.path, [edit.file]):
                text = file.content.decode("utf-8", "surrogateescape")
                text, hits = re.subn(edit.find, edit.replace, text, flags=re.MULTILINE)
                file.content = text.encode("utf-8", "surrogateescape")
                count += hits
        if not count:
            raise InputError(f"{name}: '{edit.find}' is nowhere in {edit.file}")


def _added(job: Job, table: Table, making: Making, newest: int) -> list[PackagedFile]:
    entry, overlay = job.entry, table.overlay(job.name)
    added = []
    for path in sorted(overlay.rglob("*")):
        where = "/" + str(path.relative_to(overlay))
        if path.is_symlink():
            added.append(_file(where, str(path.readlink()).encode(), stat.S_IFLNK | 0o777, newest))
        elif path.is_file():
            executable = path.stat().st_mode & stat.S_IXUSR
            content = path.read_bytes()
            if entry.per_release:
                content = making.text(content.decode()).encode()
            mode = stat.S_IFREG | (0o755 if executable else 0o644)
            added.append(_file(where, content, mode, newest))
    for where, text in entry.put.items():
        added.append(_file(where, making.text(text).encode(), stat.S_IFREG | 0o644, newest))
    for where, goal in entry.link.items():
        added.append(_file(making.text(where), making.text(goal).encode(),
                           stat.S_IFLNK | 0o777, newest))
    for kind, wanted, flags in ((stat.S_IFDIR, entry.folders, 0),
                                (stat.S_IFREG, entry.ghost, FLAG_GHOST)):
        for where, attributes in wanted.items():
            file = replace(_file(making.text(where), b"", kind | 0o755, newest), flags=flags)
            added.append(with_attributes(file, attributes))
    return added


def _file(path: str, content: bytes, mode: int, mtime_s: int) -> PackagedFile:
    configuration = path.startswith("/etc/") and stat.S_ISREG(mode)
    flags = FLAG_CONFIG | FLAG_NOREPLACE if configuration else 0
    return PackagedFile(path, mode, content, mtime_s=mtime_s, flags=flags)


def with_attributes(file: PackagedFile, attributes: str) -> PackagedFile:
    """Return a file with other attributes: `0755`, `root:mail` or `2755 root:mail`."""
    for word in attributes.split():
        if ":" in word:
            user, _, group = word.partition(":")
            file = replace(file, user=user, group=group)
        else:
            file = replace(file, mode=stat.S_IFMT(file.mode) | int(word, 8))
    return file


def _set_attributes(files: dict[str, PackagedFile], entry: Entry, name: str) -> None:
    for glob, attributes in entry.modes.items():
        hits = [path for path in files if matches(path, [glob])]
        if not hits:
            raise InputError(f"{name}: there is no {glob} to give a mode")
        for path in hits:
            files[path] = with_attributes(files[path], attributes)
    for path, text in entry.caps.items():
        if path not in files:
            raise InputError(f"{name}: there is no {path} to give capabilities")
        files[path] = replace(files[path], caps=text)
    for path in entry.config:
        files[path] = replace(files[path], flags=FLAG_CONFIG | FLAG_NOREPLACE)


def _own_parents(files: dict[str, PackagedFile], mtime_s: int) -> None:
    """Add the folders that files lie in, so that removing a package leaves none behind."""
    for path in list(files):
        parent = path.rpartition("/")[0]
        while parent and parent not in files:
            files[parent] = PackagedFile(parent, stat.S_IFDIR | 0o755, mtime_s=mtime_s)
            parent = parent.rpartition("/")[0]


def _agree_on_folders(files: dict[str, PackagedFile], making: Making) -> None:
    """Give folders that the table speaks of the same attributes in all packages: rpm insists."""
    for path, file in files.items():
        if file.is_folder and path in making.folders:
            files[path] = with_attributes(file, making.folders[path])
