"""Finds the root file system of an image and mounts it in the appliance as its fstab says."""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import replace

from host.appliance import GuestFS
from host.errors import HostError, InputError
from validate.disk import FileSystem
from validate.fstab import Line
from validate.fstab import parse as parse_fstab

_FSTAB_BYTES_MAX = 64 << 10
_ROOT_TYPES = ("xfs", "ext4", "ext3", "ext2", "btrfs")
_SUBVOLUMES_MAX = 256
_WHOLE = 5
"""The number of a btrfs's top level (btrfs-subvolume(8))."""


def mount(g: GuestFS, filesystems: list[FileSystem]) -> dict[str, FileSystem]:
    """Mount the root file system and what its fstab puts below it; return what is where.

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
            return {"/": root, **_mount_below(g, root, filesystems)}
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
    listed = g.debug("sh", [f"btrfs subvolume list {place} | head -n {_SUBVOLUMES_MAX}"])
    default = re.match(r"ID (\d+)", g.debug("sh", [f"btrfs subvolume get-default {place}"]))
    g.umount(point)
    return {
        match[2]: int(match[1])
        for match in re.finditer(r"^ID (\d+) gen \d+ top level \d+ path (.+)$", listed, re.M)
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


def _mount_below(
    g: GuestFS, root: FileSystem, filesystems: list[FileSystem],
) -> dict[str, FileSystem]:
    mounted: dict[str, FileSystem] = {}
    known = [root if one.device == root.device else one for one in filesystems]
    for line in sorted(_fstab(g), key=lambda one: one.mountpoint):
        point = posixpath.normpath(line.mountpoint)
        if point == "/" or not point.startswith("/") or point in mounted:
            continue
        one = next((one for one in known if one.is_named(line.source)), None)
        # A link there could lead the mount astray, so only real folders are mounted on.
        if one is None or not g.is_dir(point, followsymlinks=False):
            continue
        if one.type == "btrfs":
            numbers, default = _subvolumes(g, one, point)
            name = _subvolume_of(line, numbers)
            number = default if name is None else numbers.get(name, _WHOLE)
            g.mount_options(f"ro,subvolid={number}", one.device, point)
            one = replace(one, subvolume=name, subvolumes=tuple(numbers))
        else:
            g.mount_ro(one.device, point)
        mounted[point] = one
    return mounted
