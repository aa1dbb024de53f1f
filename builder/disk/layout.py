"""From the `part` lines of a kickstart to a layout of the disk, by Anaconda's rules."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import get_args

from builder.disk.fstab import fstab
from builder.disk.model import (
    MIB,
    FsType,
    Layout,
    Partition,
    PartitionRequest,
    Table,
)
from host.errors import InputError

__all__ = ["Layout", "Partition", "PartitionRequest", "fstab", "plan_layout"]

FSTYPES: tuple[str, ...] = get_args(FsType)

# Anaconda aligns to what parted calls optimal: 1 MiB on anything that is not odd hardware.
GRAIN_BYTES = MIB
# The backup GPT: 32 sectors of entries and one of header at the disk's end (UEFI 2.10, 5.3).
GPT_TAIL_BYTES = 33 * 512

# UEFI specification 2.10, table 5.7, and the Discoverable Partitions Specification. Anaconda
# (parted) gives data partitions the generic Linux type, so that is what we do as well.
_GPT_TYPES: dict[str, str] = {
    "biosboot": "21686148-6449-6E6F-744E-656564454649",
    "prepboot": "9E1A2D38-C612-4316-AA26-8B49521E5A8B",
    "efi": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
    "vfat": "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7",
    "swap": "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F",
}
_GPT_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
_MBR_TYPES = {"prepboot": "41", "efi": "ef", "vfat": "0c", "swap": "82"}
_MBR_LINUX = "83"

# The smallest that each mkfs of today makes: xfsprogs refuses less than 300 MiB since 5.19,
# btrfs-progs less than about 110 MiB, blivet an EFI system partition under 50 MiB, and a FAT16
# needs 4085 clusters.
_MINIMUM_MIB: dict[str, int] = {"xfs": 300, "btrfs": 114, "efi": 50, "vfat": 16}
_LABEL_LENGTHS = {"xfs": 12, "vfat": 11, "efi": 11, "swap": 15, "btrfs": 255}
_EXT_LABEL_LENGTH = 16
# Anaconda's `--recommended` swap follows the memory of the machine it installs, which an image
# can't know: so the ceiling that it sets for small disks, a tenth of the disk, at most 2 GiB.
_RECOMMENDED_SWAP_MIB = 2048

_NAMESPACE = uuid.UUID("a3c1ad1e-39f3-5f0c-8f2a-2f3f6c7c1c15")


def plan_layout(
    requests: Sequence[PartitionRequest],
    disk_size_bytes: int,
    table: Table,
    seed: str,
    *,
    mkfs_defaults: Mapping[str, Sequence[str]] | None = None,
) -> Layout:
    """Lay partitions out on a disk.

    What firmware and boot loader need comes first, then /boot, then the rest as the kickstart
    has it, growing ones behind fixed ones, and `/` last of all, because growpart can only move
    the end of the last partition into a larger disk.

    requests: the `part` lines. disk_size_bytes: the virtual size, a multiple of 1 MiB.
    seed: what all UUIDs derive from: same seed and requests, same layout.
    mkfs_defaults: options of mkfs per file system, before those of the kickstart.

    Raises InputError, with the request's file and line, for whatever cannot be.
    """
    if disk_size_bytes % GRAIN_BYTES:
        raise InputError(f"a disk of {disk_size_bytes} bytes is not a whole number of MiB")
    typed = [(request, _fstype(request)) for request in requests]
    _check(typed, table)
    ordered = sorted(typed, key=lambda pair: _order(*pair))
    usable_bytes = disk_size_bytes - (GPT_TAIL_BYTES if table == "gpt" else 0)
    sizes_mib = _sizes([request for request, _ in ordered], usable_bytes // MIB - 1,
                       disk_size_bytes // MIB)
    partitions: list[Partition] = []
    start_bytes = GRAIN_BYTES
    for number, ((request, fstype), size_mib) in enumerate(
        zip(ordered, sizes_mib, strict=True), start=1,
    ):
        _check_size(request, fstype, size_mib)
        partitions.append(_partition(
            request, fstype, number, start_bytes, size_mib * MIB, table, seed,
            tuple((mkfs_defaults or {}).get(fstype, ())),
        ))
        start_bytes += size_mib * MIB
    if table == "msdos":
        partitions = _activate(partitions)
    disk = _derive(seed, "disk")
    return Layout(
        table=table, disk_size_bytes=disk_size_bytes, partitions=tuple(partitions),
        # A signature of 0 means "none" to Windows and to the kernel's PARTUUID.
        disk_uuid=str(disk).upper() if table == "gpt" else f"0x{disk.int >> 96 or 1:08x}",
    )


def _fstype(request: PartitionRequest) -> FsType:
    """Return the file system of a request: RHEL's default is xfs, the ESP and the like are not."""
    implied = {"swap": "swap", "biosboot": "biosboot", "prepboot": "prepboot"}
    implied["/boot/efi"] = "efi"
    named = request.fstype or implied.get(request.mountpoint, "xfs")
    named = {"PPC PReP Boot": "prepboot"}.get(named, named)
    for known in get_args(FsType):
        if named == known:
            wanted = implied.get(request.mountpoint)
            if wanted in ("swap", "biosboot", "prepboot") and wanted != known:
                raise InputError(
                    f"{request.mountpoint} cannot have the file system type {named}",
                    where=request.where,
                )
            return known  # type: ignore[no-any-return]
    raise InputError(
        f"unknown file system type {named}", where=request.where,
        remedy="known types: " + ", ".join(FSTYPES),
    )


def _check(typed: Sequence[tuple[PartitionRequest, FsType]], table: Table) -> None:
    seen: dict[str, PartitionRequest] = {}
    for request, fstype in typed:
        point = request.mountpoint
        unmounted = fstype in ("swap", "biosboot", "prepboot")
        if not unmounted and not _is_clean_path(point):
            raise InputError(f"{point!r} is not a mount point", where=request.where)
        if point in seen and fstype != "swap":
            raise InputError(
                f"two partitions for {point}", where=request.where,
                why=f"the first one is at {seen[point].where}",
            )
        seen[point] = request
        longest = _LABEL_LENGTHS.get(fstype, _EXT_LABEL_LENGTH)
        if request.label and len(request.label.encode()) > longest:
            raise InputError(
                f"the label {request.label!r} is longer than the {longest} bytes of {fstype}",
                where=request.where,
            )
    last = typed[-1][0].where if typed else None
    if "/" not in seen:
        raise InputError("no partition for /", where=last, remedy="add `part / --grow --size=…`")
    root_type = next(fstype for request, fstype in typed if request.mountpoint == "/")
    if root_type in ("vfat", "efi"):
        raise InputError(f"/ cannot be {root_type}", where=seen["/"].where)
    if table == "msdos" and len(typed) > 4:
        raise InputError(
            "an MBR table has room for four partitions", where=typed[4][0].where,
            remedy="use `clearpart --disklabel=gpt`",
        )
    if table == "msdos" and "biosboot" in seen:
        raise InputError(
            "an MBR table has no BIOS boot partition", where=seen["biosboot"].where,
            remedy="leave it out: the boot loader goes into the gap behind the table",
        )


def _is_clean_path(point: str) -> bool:
    parts = point.split("/")[1:]
    return point == "/" or (
        point.startswith("/") and all(part not in ("", ".", "..") for part in parts)
        and not any(character.isspace() or character == "\\" for character in point)
    )


def _order(request: PartitionRequest, fstype: FsType) -> tuple[int, int]:
    firmware = {"biosboot": 0, "prepboot": 1, "efi": 2}
    if fstype in firmware:
        return firmware[fstype], 0
    if request.mountpoint == "/boot":
        return 3, 0
    return (5 if request.mountpoint == "/" else 4), int(request.grow)


def _sizes(
    requests: Sequence[PartitionRequest], available_mib: int, disk_mib: int,
) -> list[int]:
    """Share the disk: fixed sizes first; what is left goes to --grow in the ratio of the sizes."""
    sizes = [_base_mib(request, disk_mib) for request in requests]
    left = available_mib - sum(sizes)
    if left < 0:
        largest = max(zip(sizes, requests, strict=True), key=lambda pair: pair[0])[1]
        raise InputError(
            "the disk is too small for its partitions", where=largest.where,
            why=f"they take {sum(sizes) + 2} MiB of {disk_mib} MiB",
            remedy="make the disk larger (disk_size of the image) or the partitions smaller",
        )
    ceilings = [
        (request.maxsize_mib or available_mib) if request.grow else size
        for request, size in zip(requests, sizes, strict=True)
    ]
    while left > 0:
        growing = [index for index, size in enumerate(sizes) if size < ceilings[index]]
        if not growing:
            break
        weight = sum(sizes[index] for index in growing)
        gains = [
            (index, min(left * sizes[index] // weight, ceilings[index] - sizes[index]))
            for index in growing
        ]
        if not any(gain for _, gain in gains):
            gains = [(growing[-1], 1)]  # a rest smaller than the number of takers
        for index, gain in gains:
            sizes[index] += gain
            left -= gain
    return sizes


def _base_mib(request: PartitionRequest, disk_mib: int) -> int:
    size_mib = request.size_mib
    if size_mib is None and request.recommended:
        size_mib = max(1, min(_RECOMMENDED_SWAP_MIB, disk_mib // 10))
    if size_mib is None and request.grow:
        size_mib = 1
    if size_mib is None or size_mib <= 0:
        raise InputError(
            f"no size for {request.mountpoint}", where=request.where, remedy="add --size or --grow",
        )
    if request.maxsize_mib is not None and request.maxsize_mib < size_mib:
        raise InputError(
            f"--maxsize is smaller than --size for {request.mountpoint}", where=request.where,
        )
    return size_mib


def _check_size(request: PartitionRequest, fstype: FsType, size_mib: int) -> None:
    minimum_mib = _MINIMUM_MIB.get(fstype, 1)
    if size_mib < minimum_mib:
        raise InputError(
            f"{size_mib} MiB are too small for {request.mountpoint}", where=request.where,
            why=f"{fstype} needs at least {minimum_mib} MiB",
        )


def _partition(
    request: PartitionRequest, fstype: FsType, number: int, start_bytes: int, size_bytes: int,
    table: Table, seed: str, mkfs_defaults: tuple[str, ...],
) -> Partition:
    unmounted = fstype in ("swap", "biosboot", "prepboot")
    own = f"{number}:{request.mountpoint}"
    file_system = _derive(seed, f"file system {own}")
    fs_uuid: str | None = request.uuid or str(file_system)
    if fstype in ("biosboot", "prepboot"):
        fs_uuid = None
    elif fstype in ("vfat", "efi") and request.uuid is None:
        serial = file_system.hex[:8].upper()
        fs_uuid = f"{serial[:4]}-{serial[4:]}"
    gpt = table == "gpt"
    defaults = {"efi": "umask=0077,shortname=winnt"}
    return Partition(
        number=number, mountpoint=None if unmounted else request.mountpoint, fstype=fstype,
        start_bytes=start_bytes, size_bytes=size_bytes,
        type_id=_GPT_TYPES.get(fstype, _GPT_LINUX) if gpt else _MBR_TYPES.get(fstype, _MBR_LINUX),
        part_uuid=str(_derive(seed, f"partition {own}")).upper() if gpt else None,
        fs_uuid=fs_uuid, label=request.label,
        mkfs_options=mkfs_defaults + request.mkfs_options,
        fstab_options=request.fstab_options or defaults.get(fstype, "defaults"),
        where=request.where,
    )


def _activate(partitions: Sequence[Partition]) -> list[Partition]:
    """Mark /boot, or else /, as active: some BIOSes start no disk without an active partition."""
    points = [part.mountpoint for part in partitions]
    active = "/boot" if "/boot" in points else "/"
    return [
        part.model_copy(update={"bootable": part.mountpoint == active}) for part in partitions
    ]


def _derive(seed: str, what: str) -> uuid.UUID:
    """Return a UUID that follows from the seed (RFC 9562, version 5)."""
    return uuid.uuid5(_NAMESPACE, f"{seed}\n{what}")
