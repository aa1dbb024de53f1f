"""File system types: which one a request means, its limits, and its place in a partition table."""

from __future__ import annotations

from builder.disk.model import CONTAINERS, FSTYPES
from builder.disk.parts import FsType, Table
from builder.disk.requests import FormatRequest
from builder.disk.volume import Member
from builder.disk.volumes.registry import members
from host.errors import InputError

FIRMWARE = ("biosboot", "prepboot", "efi")

_NAMED_MEMBERS = tuple(sorted(each.fstype for each in members().values() if each.is_named))
_NAMED = (*(each for each in FSTYPES if each not in CONTAINERS), *_NAMED_MEMBERS)
_IMPLIED: dict[str, FsType] = {
    "swap": "swap", "biosboot": "biosboot", "prepboot": "prepboot", "/boot/efi": "efi",
}
# blivet's names of formats, which Anaconda takes for --fstype as well.
_SPELLINGS = {
    "PPC PReP Boot": "prepboot", "EFI System Partition": "efi", "fat32": "vfat",
    **{spelling: each.fstype for each in members().values() for spelling in each.spellings},
}

# UEFI specification 2.10, table 5.7, and the Discoverable Partitions Specification. Anaconda
# (parted) gives data partitions the generic Linux type, so that is what we do as well.
_GPT_TYPES: dict[str, str] = {
    "biosboot": "21686148-6449-6E6F-744E-656564454649",
    "prepboot": "9E1A2D38-C612-4316-AA26-8B49521E5A8B",
    "efi": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "vfat": "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7",
    "swap": "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
    **{each.fstype: each.gpt_type for each in members().values() if each.gpt_type},
}
_GPT_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
_MBR_TYPES = {
    "prepboot": "41", "efi": "ef", "vfat": "0c", "swap": "82",
    **{each.fstype: each.mbr_type for each in members().values() if each.mbr_type},
}
_MBR_LINUX = "83"

# The smallest that each mkfs of today makes: xfsprogs refuses less than 300 MiB since 5.19,
# btrfs-progs less than about 110 MiB, blivet an EFI system partition under 50 MiB, and a FAT16
# needs 4085 clusters.
_MINIMUM_MIB: dict[str, int] = {
    "xfs": 300, "btrfs": 114, "efi": 50, "vfat": 16,
    **{each.fstype: each.minimum_mib for each in members().values()},
}
_LABEL_LENGTHS = {"xfs": 12, "vfat": 11, "efi": 11, "swap": 15, "btrfs": 255}
_EXT_LABEL_LENGTH = 16

# Anaconda's checks (pyanaconda/modules/storage/checker): what must not leave the root file
# system, and what needs owners, modes and links.
_ON_ROOT = ("/bin", "/dev", "/sbin", "/etc", "/lib", "/lib64", "/root", "/mnt", "/proc", "/sys",
            "/run")
_ON_LINUX = ("/", "/var", "/tmp", "/usr", "/home", "/usr/share", "/usr/lib")  # noqa: S108


def member_of(request: FormatRequest) -> Member | None:
    """Return what larger device it is a part of, by its name; None: of none."""
    prefix, dot, _ = request.mountpoint.partition(".")
    found = (each for each in members().values() if dot and each.prefix == prefix)
    return next(found, None)


def type_of(request: FormatRequest) -> FsType:
    """Return the file system type of a request: xfs unless it or its mount point says otherwise.

    Raises InputError for an unknown type, and for one that its mount point forbids.
    """
    point = request.mountpoint
    named = _SPELLINGS.get(request.fstype or "", request.fstype)
    if member := member_of(request):
        if named in (None, member.fstype, member.prefix):
            return member.fstype
        raise _wrong(request, str(named))
    implied = _IMPLIED.get(point)
    named = named or implied or "xfs"
    if named not in _NAMED:
        raise InputError(f"unknown file system type {named}", where=request.where,
                         remedy="known types: " + ", ".join(_NAMED))
    if implied not in (None, "efi", named) or (implied is None and _needs_own_name(named, point)):
        raise _wrong(request, named)
    return named


def check(request: FormatRequest, fstype: FsType) -> None:
    """Raise InputError for a mount point or a label that cannot be."""
    point = request.mountpoint
    if is_mounted(request, fstype):
        check_point(point, request.where)
        if fstype in ("vfat", "efi") and point in _ON_LINUX:
            raise InputError(f"{point} cannot be {fstype}", where=request.where,
                             why="a FAT keeps no owners and modes")
    longest = _LABEL_LENGTHS.get(fstype, _EXT_LABEL_LENGTH)
    if request.label and len(request.label.encode()) > longest:
        raise InputError(
            f"the label {request.label!r} is longer than the {longest} bytes of {fstype}",
            where=request.where,
        )


def check_point(point: str, where: str) -> None:
    """Raise InputError for a folder that nothing can be mounted on."""
    if not _is_clean_path(point):
        raise InputError(f"{point!r} is not a mount point", where=where)
    if any(point == folder or (folder == "/dev" and point.startswith("/dev/"))
           for folder in _ON_ROOT):
        raise InputError(f"{point} must be on the root file system", where=where)


def check_size(name: str, fstype: FsType, size_bytes: int, where: str) -> None:
    """Raise InputError when a device is smaller than what is to be on it can be."""
    minimum_mib = _MINIMUM_MIB.get(fstype, 1)
    if size_bytes < minimum_mib << 20:
        raise InputError(
            f"{size_bytes >> 20} MiB are too small for {name}", where=where,
            why=f"{fstype} needs at least {minimum_mib} MiB",
        )


def is_mounted(request: FormatRequest, fstype: FsType) -> bool:
    """Say whether a request is for a folder of the tree."""
    return member_of(request) is None and request.mountpoint not in ("none", "None") and (
        fstype not in ("swap", "biosboot", "prepboot", *members()))


def partition_type(fstype: FsType, table: Table) -> str:
    """Return the GPT type GUID, or the MBR type as two hexadecimal digits."""
    if table == "gpt":
        return _GPT_TYPES.get(fstype, _GPT_LINUX)
    return _MBR_TYPES.get(fstype, _MBR_LINUX)


def _needs_own_name(fstype: str, point: str) -> bool:
    """Say whether a type makes no sense for a folder, as in `part /data --fstype=swap`."""
    if fstype in (*_NAMED_MEMBERS, "biosboot", "prepboot"):
        return point not in ("none", "None")
    return fstype == "swap" and point.startswith("/")


def _wrong(request: FormatRequest, named: str) -> InputError:
    return InputError(f"{request.mountpoint} cannot have the file system type {named}",
                      where=request.where)


def _is_clean_path(point: str) -> bool:
    parts = point.split("/")[1:]
    return point == "/" or (
        point.startswith("/") and all(part not in ("", ".", "..") for part in parts)
        and point.isprintable()
        and not any(character.isspace() or character == "\\" for character in point)
    )
