"""Finds the root file system of an image and mounts it in the appliance as its fstab says."""

from __future__ import annotations

import posixpath
import shlex
from dataclasses import dataclass, field, replace

from host.appliance import GuestFS, shell
from host.errors import HostError, InputError
from host.patterns import pattern
from validate.disk import FileSystem
from validate.fstab import Line
from validate.fstab import parse as parse_fstab

_FSTAB_BYTES_MAX = 64 << 10
_SUBVOLUME = r"ID (\d{1,18}) gen \d+ top level \d+ path (.+)"
_ROOT_TYPES = ("xfs", "ext4", "ext3", "ext2", "btrfs")
_SUBVOLUMES_MAX = 256
_MOUNTS_MAX = 64
_WHOLE = 5
"""The number of a btrfs's top level (btrfs-subvolume(8))."""


@dataclass
class Mounted:
    """What was mounted where, and what fstab wants that could not be done so."""

    at: dict[str, FileSystem]
    faults: list[str] = field(default_factory=list)


def mount(g: GuestFS, filesystems: list[FileSystem]) -> Mounted:
    """Mount the root file system and what its fstab puts below it.

    A line of fstab that can't be followed is a fault for the rules to judge, not the end.
    Raises InputError when no file system holds a root tree, HostError when the appliance does
    not know its kind.
    """
    refused: list[str] = []
    for candidate in filesystems:
        if candidate.type not in _ROOT_TYPES:
            continue
        try:
            root = _mounted_root(g, candidate)
        except RuntimeError as error:
            refused.append(str(error))
            continue
        if root is not None:
            return _mount_below(g, root, filesystems)
    if any("unknown filesystem type" in one for one in refused):
        raise HostError(
            "libguestfs's appliance does not know the image's file system", why=refused[0],
            remedy="run tools/setup (Debian: libguestfs-xfs; CentOS: libguestfs-xfs)",
        )
    why = "; ".join(refused) or "no file system of it holds an os-release"
    raise InputError("there is no root file system in the image", why=why)


def _mounted_root(g: GuestFS, candidate: FileSystem) -> FileSystem | None:
    """Mount a file system at / if it holds a root tree, and return it; None: it does not."""
    if candidate.type == "btrfs":
        return _mounted_subvolume(g, candidate)
    g.mount_ro(candidate.device, "/")
    if _is_root(g, ""):
        return candidate
    g.umount("/")
    return None


def _is_root(g: GuestFS, folder: str) -> bool:
    return any(g.exists(f"{folder}/{place}") for place in ("etc/os-release", "usr/lib/os-release"))


def _mounted_subvolume(g: GuestFS, candidate: FileSystem) -> FileSystem | None:
    """Mount the subvolume of a btrfs that holds the root tree.

    Of several, such as a root and its snapshots, it is the one that its own fstab mounts at /;
    else the one that is mounted by default; else the first. Subvolumes are mounted by number:
    an option made from a name could say something else.
    """
    numbers, default = _subvolumes(g, candidate, "/")
    g.mount_options(f"ro,subvolid={_WHOLE}", candidate.device, "/")
    trees = [name for name in ("", *numbers) if _is_root(g, f"/{name}" if name else "")]
    wanted = [
        name for name in trees
        if any(line.mountpoint == "/" and candidate.is_named(line.source)
               and _subvolume_of(line, numbers) == name for line in _fstab(g, name))
    ]
    wanted += [name for name in trees if numbers.get(name, _WHOLE) == default]
    g.umount("/")
    if not trees:
        return None
    chosen = (wanted or trees)[0]
    number = numbers.get(chosen, _WHOLE)
    g.mount_options(f"ro,subvolid={number}", candidate.device, "/")
    return replace(
        candidate, subvolume=None if number == default else chosen or "/",
        subvolumes=tuple(numbers),
    )


def _subvolumes(g: GuestFS, one: FileSystem, point: str) -> tuple[dict[str, int], int]:
    """Return the numbers of a btrfs's subvolumes by their paths, and the default's number."""
    g.mount_options(f"ro,subvolid={_WHOLE}", one.device, point)
    place = shlex.quote(f"/sysroot{point}")
    listed = shell(g, f"btrfs subvolume list {place} | head -n {_SUBVOLUMES_MAX}")
    default = pattern(r"ID (\d{1,18})").match(shell(g, f"btrfs subvolume get-default {place}"))
    g.umount(point)
    return {
        match[2]: int(match[1]) for line in listed.split("\n")
        if (match := pattern(_SUBVOLUME).fullmatch(line))
    }, int(default[1]) if default else _WHOLE


def _subvolume_of(line: Line, numbers: dict[str, int]) -> str | None:
    """Return the path of the subvolume that a line of fstab mounts, None for the default one."""
    for option in line.options:
        if option.startswith("subvolid="):
            number = option.removeprefix("subvolid=")
            return next((name for name, one in numbers.items() if str(one) == number), "")
    return line.subvolume


def _fstab(g: GuestFS, folder: str = "") -> list[Line]:
    path = posixpath.join("/", folder, "etc/fstab")
    if not g.is_file(path):
        return []
    return parse_fstab(g.pread(path, _FSTAB_BYTES_MAX, 0).decode(errors="replace"))


def _mount_below(g: GuestFS, root: FileSystem, filesystems: list[FileSystem]) -> Mounted:
    done = Mounted({"/": root})
    known = [root if one.device == root.device else one for one in filesystems]
    seen: set[str] = set()
    for line in sorted(_fstab(g), key=lambda one: one.mountpoint):
        if not line.mountpoint.startswith("/"):
            continue
        point = posixpath.normpath(f"/{line.mountpoint.lstrip('/')}")
        if point in seen:
            done.faults.append(f"{point} has more than one line")
            continue
        seen.add(point)
        one = next((one for one in known if one.is_named(line.source)), None)
        if point == "/" or one is None:
            continue
        fault = _mount_one(g, one, point, line, done.at)
        if fault:
            done.faults.append(f"{point}: {fault}")
    return done


def _mount_one(
    g: GuestFS, one: FileSystem, point: str, line: Line, at: dict[str, FileSystem],
) -> str | None:
    """Mount a file system as a line of fstab says; return why that was not done, else None.

    What is mounted already is not mounted again: a tree that holds itself has no end.
    """
    if len(at) >= _MOUNTS_MAX:
        return f"more than {_MOUNTS_MAX} mounts"
    try:
        if not g.is_dir(point, followsymlinks=False):
            # systemd makes a folder that is not there; a link there would lead the mount astray.
            return "is no folder" if g.exists(point) or g.is_symlink(point) else None
        if one.type == "btrfs":
            numbers, default = _subvolumes(g, one, point)
            name = _subvolume_of(line, numbers)
            number = default if name is None else numbers.get(name, _WHOLE)
            one = replace(one, subvolume=name, subvolumes=tuple(numbers))
        if twice := next((where for where, other in at.items() if _is_same(one, other)), None):
            return f"is mounted at {twice} already"
        if one.type == "btrfs":
            g.mount_options(f"ro,subvolid={number}", one.device, point)
        else:
            g.mount_ro(one.device, point)
    except RuntimeError as error:
        g.ping_daemon()
        return f"can't be mounted: {str(error)[:300]}"
    at[point] = one
    return None


def _is_same(one: FileSystem, other: FileSystem) -> bool:
    """Tell whether two are the same tree: of a btrfs, the same subvolume."""
    same = one.device == other.device or bool(one.uuid and one.uuid == other.uuid)
    return same and (one.subvolume or "").strip("/") == (other.subvolume or "").strip("/")
