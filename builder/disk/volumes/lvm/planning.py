"""Volume groups: how large each logical volume gets, in LVM's extents."""

from __future__ import annotations

import re
from collections.abc import Sequence

from builder.disk.ids import derive
from builder.disk.sizes import MIB, Claim, base_mib, share
from builder.disk.volume import Member, Stacking
from builder.disk.volumes.lvm.model import (
    GroupRequest,
    LogicalVolume,
    LogicalVolumeRequest,
    VolumeGroup,
)
from host.errors import InputError

# lvm(8): what names may be made of; "." and ".." are no names.
_NAME = re.compile(r"[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,126}")
_PV_HEADER_BYTES = MIB  # lvm.conf's default_data_alignment
# lvmthin(7): 64 bytes of metadata per chunk, at least 2 MiB, at most 15.81 GiB.
_POOL_CHUNK_KIB, _BYTES_PER_CHUNK = 64, 64
_LEAST_METADATA_MIB, _MOST_METADATA_MIB = 4, 16192


def plan_groups(
    wishes: Sequence[GroupRequest | LogicalVolumeRequest], member: Member, stacking: Stacking,
) -> None:
    """Add the groups, and what is on their volumes; member: what they stand on."""
    groups = [wish for wish in wishes if isinstance(wish, GroupRequest)]
    volumes = [wish for wish in wishes if isinstance(wish, LogicalVolumeRequest)]
    for group in groups:
        _plan(group, [volume for volume in volumes if volume.group == group.name], member, stacking)
    known = {group.name for group in groups}
    for volume in volumes:
        if volume.group not in known:
            raise InputError(f"there is no volume group {volume.group}", where=volume.where,
                             remedy=f"add: volgroup {volume.group} pv.01")


def carriers(
    wishes: Sequence[GroupRequest | LogicalVolumeRequest], points: frozenset[str],
) -> set[str]:
    """Return the physical volumes of the groups that hold some mount points or members."""
    groups = {wish.group for wish in wishes
              if isinstance(wish, LogicalVolumeRequest) and wish.mountpoint in points}
    return {name for wish in wishes if isinstance(wish, GroupRequest) and wish.name in groups
            for name in wish.members}


def _plan(
    wish: GroupRequest, volumes: Sequence[LogicalVolumeRequest], member: Member,
    stacking: Stacking,
) -> None:
    found = stacking.members(wish.members, member, f"the volume group {wish.name}", wish.where)
    if any(isinstance(item, VolumeGroup) and item.name == wish.name for item in stacking.items):
        raise InputError(f"two volume groups are called {wish.name}", where=wish.where)
    group = group_of(wish, found, volumes, stacking.disk_mib, stacking.seed)
    stacking.items.append(group)
    made = {volume.name: volume for volume in group.volumes}
    for request in volumes:
        if request.role != "thinpool":
            volume = made[request.name]
            stacking.take(request, stacking.type_of(request), group.device_of(volume.name),
                          volume.size_mib * MIB, on_partition=False)


def group_of(
    wish: GroupRequest, devices: Sequence[tuple[str, int]],
    wishes: Sequence[LogicalVolumeRequest], disk_mib: int, seed: str,
) -> VolumeGroup:
    """Return a volume group with the sizes of its volumes.

    devices: its physical volumes, with their sizes in bytes.
    Raises InputError, with the line, for names and sizes that cannot be.
    """
    extent_mib = _extent_mib(wish)
    _check_names(wish, wishes)
    extents = sum(
        max(0, size - _PV_HEADER_BYTES) // (extent_mib * MIB) for _, size in devices
    )
    reserved = -(-wish.reserved_mib // extent_mib) + -(-extents * wish.reserved_percent // 100)
    outer = [volume for volume in wishes if volume.role != "thin"]
    claims = [_claim(volume, extent_mib, disk_mib) for volume in outer]
    if sum(claim.base for claim in claims) > extents - reserved:
        _, largest = max(zip(claims, outer, strict=True), key=lambda pair: pair[0].base)
        raise InputError(
            f"the volume group {wish.name} is too small for its volumes", where=largest.where,
            why=f"they take {sum(claim.base for claim in claims) * extent_mib} MiB of "
                f"{(extents - reserved) * extent_mib} MiB",
            remedy="make the volumes smaller or the disk larger (--disk-size, or disk_size of "
                       "the image)",
        )
    volumes: list[LogicalVolume] = []
    for volume, size in zip(outer, share(claims, extents - reserved), strict=True):
        volumes += _with_content(volume, size, wishes, extent_mib, disk_mib, seed)
    return VolumeGroup(
        name=wish.name, devices=tuple(name for name, _ in devices), extent_mib=extent_mib,
        volumes=tuple(volumes), uuid=str(derive(seed, f"group {wish.name}")), where=wish.where,
    )


def _with_content(
    wish: LogicalVolumeRequest, extents: int, wishes: Sequence[LogicalVolumeRequest],
    extent_mib: int, disk_mib: int, seed: str,
) -> list[LogicalVolume]:
    """Return a volume, and behind a thin pool the volumes in it.

    LVM keeps a spare of a pool's metadata in the group, so they count twice.
    """
    if wish.role == "linear":
        return [_volume(wish, extents * extent_mib, seed)]
    metadata = _metadata_extents(wish, extents, extent_mib)
    data = extents - 2 * metadata
    if data < 1:
        raise InputError(f"the thin pool {wish.name} has no room for data", where=wish.where)
    pool = _volume(wish, data * extent_mib, seed).model_copy(update={
        "metadata_mib": metadata * extent_mib, "chunk_kib": wish.chunk_kib or _POOL_CHUNK_KIB,
    })
    inner = [volume for volume in wishes if volume.role == "thin" and volume.pool == wish.name]
    claims = [_claim(volume, extent_mib, disk_mib) for volume in inner]
    sizes = share(claims, data)  # together they may be larger than the pool: that is thin
    return [pool, *(
        _volume(volume, size * extent_mib, seed)
        for volume, size in zip(inner, sizes, strict=True)
    )]


def _volume(wish: LogicalVolumeRequest, size_mib: int, seed: str) -> LogicalVolume:
    return LogicalVolume(
        name=wish.name, size_mib=size_mib, role=wish.role, pool=wish.pool,
        uuid=str(derive(seed, f"volume {wish.group}/{wish.name}")),
    )


def _claim(wish: LogicalVolumeRequest, extent_mib: int, disk_mib: int) -> Claim:
    sized = wish.size_mib or wish.recommended or not wish.percent
    base = max(1, -(-base_mib(wish, disk_mib) // extent_mib)) if sized else 1
    if wish.role == "thinpool" and not wish.grow and not wish.percent:
        # `lvcreate --size` of a pool is its data; the metadata and their spare come on top.
        base += 2 * _metadata_extents(wish, base, extent_mib)
    ceiling = wish.maxsize_mib // extent_mib if wish.maxsize_mib else None
    return Claim(base, grow=wish.grow, percent=wish.percent or 0,
                 ceiling=None if ceiling is None else max(base, ceiling))


def _metadata_extents(wish: LogicalVolumeRequest, extents: int, extent_mib: int) -> int:
    size_mib = wish.metadata_mib
    if not size_mib:
        chunks = extents * extent_mib * 1024 // (wish.chunk_kib or _POOL_CHUNK_KIB)
        size_mib = min(max(_LEAST_METADATA_MIB, -(-chunks * _BYTES_PER_CHUNK // MIB)),
                       _MOST_METADATA_MIB)
    return -(-size_mib // extent_mib)


def _extent_mib(wish: GroupRequest) -> int:
    kib = wish.extent_kib
    if kib < 1024 or kib & (kib - 1):
        raise InputError(f"--pesize={kib}: an extent is a power of two, from 1024 KiB on",
                         where=wish.where)
    return kib // 1024


def _check_names(wish: GroupRequest, wishes: Sequence[LogicalVolumeRequest]) -> None:
    pools = {volume.name for volume in wishes if volume.role == "thinpool"}
    seen: set[str] = set()
    for name, where in [(wish.name, wish.where), *((v.name, v.where) for v in wishes)]:
        if not _NAME.fullmatch(name) or name in (".", ".."):
            raise InputError(f"{name!r} is no name for LVM", where=where)
    for volume in wishes:
        if volume.name in seen:
            raise InputError(f"two volumes of {wish.name} are called {volume.name}",
                             where=volume.where)
        seen.add(volume.name)
        if volume.role == "thin" and volume.pool not in pools:
            raise InputError(
                f"there is no thin pool {volume.pool} in {wish.name}", where=volume.where,
                remedy=f"add: logvol none --thinpool --name={volume.pool} "
                       f"--vgname={wish.name} --size=…")
