"""Software RAID. The kernel gives each member a random id; all else is as told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from builder.disk.ids import derive
from builder.disk.parts import Disk, FileSystem
from builder.disk.requests import FormatRequest
from builder.disk.sizes import MIB
from builder.disk.volume import File, Item, Member, Opener, Program, Stacking
from host.errors import InputError

if TYPE_CHECKING:
    from builder.disk.inside import Inside

name, rank = "md", 2
label = title = "software RAID"
member = Member(
    "mdmember", prefix="raid", minimum_mib=8, gpt_type="A19D880F-05FC-4D3B-A006-743F0F84911E",
    mbr_type="fd", is_named=True, spellings=("software RAID",),
    signature="linux_raid_member", has_id=True)
programs = (Program("mdadm", "mdadm", "mdadm", flag="--version"),)
opener = Opener("mdadm", "mdadm", "mdraid", ("--mdadmconf",), argument="rd.md")
encrypts = False
# GRUB's mdraid1x reads it; what is on one member of a RAID 1 is on all of them.
read_by_grub = "RAID 1"

# What mdadm's levels need at least (mdadm(8), --level), as Anaconda checks it, too.
_FEWEST = {"raid0": 2, "raid1": 2, "raid4": 3, "raid5": 3, "raid6": 4, "raid10": 2}
_MODULES = {
    "linear": "linear", "0": "raid0", "1": "raid1", "4": "raid456", "5": "raid456",
    "6": "raid456", "10": "raid10",
}
# Lowest to highest: levels that have no redundancy have nothing to record in a bitmap.
_WITHOUT_BITMAP = ("0", "linear")


class ArrayRequest(FormatRequest):
    """One `raid` line; name: what --device says, without /dev/md/."""

    name: str
    level: str
    members: tuple[str, ...]
    spares: int = 0
    chunk_kib: int | None = None


class Array(Item):
    """A software RAID out of `devices`, the last `spares` of them spare: /dev/md/`name`."""

    kind: Literal["md"] = "md"
    name: str
    level: str
    devices: tuple[str, ...]
    spares: int = 0
    metadata: str = "1.2"
    chunk_kib: int | None = None
    uuid: str


model, requests = Array, (ArrayRequest,)


def plan(wishes: Sequence[ArrayRequest], stacking: Stacking) -> None:
    """Add the arrays, in their order, so that one may be made of others."""
    for wish in wishes:
        _plan(wish, stacking)


def _plan(wish: ArrayRequest, stacking: Stacking) -> None:
    found = stacking.members(wish.members, member, f"the RAID {wish.name}", wish.where)
    active = len(found) - wish.spares
    if active < _FEWEST.get(wish.level, 1):
        raise InputError(
            f"{wish.level} needs at least {_FEWEST[wish.level]} devices that are not spare",
            where=wish.where, why=f"there are {max(active, 0)}")
    if any(isinstance(item, Array) and item.name == wish.name for item in stacking.items):
        raise InputError(f"two arrays are called {wish.name}", where=wish.where)
    fstype = stacking.type_of(wish)
    is_mirror = wish.level.removeprefix("raid") == "1"
    if fstype in ("biosboot", "prepboot") or (fstype == "efi" and not is_mirror):
        raise InputError(f"{wish.mountpoint} cannot be on a RAID of this level: firmware reads it",
                         where=wish.where, remedy=f"add `part {wish.mountpoint} --size=…`")
    stacking.items.append(Array(
        name=wish.name, level=wish.level, devices=tuple(device for device, _ in found),
        spares=wish.spares, chunk_kib=wish.chunk_kib,
        # Its record is behind the data then, so that firmware sees a file system on each member
        # (blivet/devices/md.py, pre_commit_fixup).
        metadata="1.0" if fstype == "efi" else "1.2",
        uuid=_uuid(stacking.seed, f"array {wish.name}"), where=wish.where,
    ))
    stacking.aliases[wish.name] = wish.mountpoint
    smallest = min(size for _, size in found)
    size_bytes = _usable_bytes(smallest) * _data_members(wish.level, active) // MIB * MIB
    stacking.take(wish, fstype, f"/dev/md/{wish.name}", size_bytes, on_partition=False)


def carriers(wishes: Sequence[ArrayRequest], points: frozenset[str]) -> set[str]:
    """Return the members of arrays that hold some mount points or members."""
    found: set[str] = set()
    for wish in wishes:
        # `volgroup vg md_test` calls the array by its own name, not by the part's.
        if {wish.mountpoint, wish.name} & (points | found):
            found |= set(wish.members)
    return found


def _uuid(seed: str, what: str) -> str:
    """Return a UUID as mdadm spells it: four groups of eight hexadecimal digits."""
    text = derive(seed, what).hex
    return ":".join(text[at:at + 8] for at in range(0, 32, 8))


def _data_members(level: str, active: int) -> int:
    """Return how many members' worth of data an array holds."""
    return {"raid1": 1, "raid4": active - 1, "raid5": active - 1, "raid6": active - 2,
            "raid10": active // 2}.get(level, active)


def _usable_bytes(member_bytes: int) -> int:
    """Return what mdadm leaves of a member, rather too little than too much.

    mdadm's super1.c keeps a headroom before the data of 128 MiB, halved as long as it is more
    than a thousandth of the member, and room for the bitmap.
    """
    headroom = 128 * MIB
    while headroom << 10 > member_bytes and headroom > 2 * MIB:
        headroom >>= 1
    return member_bytes - headroom - 2 * MIB


def stands_on(item: Array) -> tuple[str, ...]:
    """Return its members, spares last."""
    return item.devices


def devices(item: Array) -> tuple[str, ...]:
    """Return what the array is called in the guest."""
    return (f"/dev/md/{item.name}",)


def is_content(item: Array, place: FileSystem) -> bool:
    """Never: file systems are on the array."""
    return False


def kernel_arguments(item: Array, device: str) -> list[str]:
    """Return what has dracut put it together."""
    return [f"{opener.argument}.uuid={item.uuid}"]


def files(items: Sequence[Array], disk: Disk) -> list[File]:
    """Return /etc/mdadm.conf (mdadm.conf(5)), as Anaconda writes it."""
    lines = ["# mdadm.conf written out by ccis", "MAILADDR root", "AUTO +imsm +1.x -all"]
    lines += [
        f"ARRAY /dev/md/{item.name} level={item.level} "
        f"num-devices={len(item.devices) - item.spares} UUID={item.uuid}" for item in items
    ]
    return [File("/etc/mdadm.conf", "\n".join(lines) + "\n")]


def grub_drive(item: Array, device: str) -> str:
    """Return GRUB's name of the array."""
    return f"mduuid/{item.uuid.replace(':', '')}"


def grub_modules(item: Array) -> list[str]:
    """Return GRUB's modules that read it."""
    level = {"raid5": ["raid5rec"], "raid6": ["raid6rec"]}.get(item.level, [])
    return ["diskfilter", "mdraid1x", *level]


def is_read_by_grub(item: Array) -> bool:
    """Say whether it is a RAID 1."""
    return item.level == "raid1"


def secrets(item: Array) -> tuple[str, ...]:
    """Return none: it has none."""
    return ()


def describe(item: Array) -> str:
    """Return it in one line."""
    return f"RAID {item.level} {item.name} of {', '.join(item.devices)}"


def modules(item: Array) -> tuple[str, ...]:
    """Return the kernel modules that the appliance needs."""
    return ("md_mod", _MODULES[_level(item)])


def make(inside: Inside, item: Array, *, zeroed: bool, epoch: int) -> None:
    """Create the array.

    Members of zeroes are in step from the start, parity included, so nothing is synchronised;
    where they hold noise, the kernel does that once the guest runs. The home host `any` makes
    every machine take the array for its own: it is /dev/md/NAME there and not /dev/md/NAME_0
    (mdadm(8), --homehost).
    """
    level = _level(item)
    options = [f"--metadata={item.metadata}", f"--uuid={item.uuid}"]
    if item.metadata.startswith("1"):  # 0.90 knows no names
        options += [f"--name={item.name}", "--homehost=any"]
    if level not in _WITHOUT_BITMAP:
        options.append("--bitmap=internal")
        options += ["--assume-clean"] if zeroed else []
    if item.chunk_kib and level not in ("1", "linear"):
        options.append(f"--chunk={item.chunk_kib}")
    active = len(item.devices) - item.spares
    inside.run([
        "mdadm", "--create", f"/dev/md/{item.name}", "--run", "--quiet", f"--level={level}",
        f"--raid-devices={active}", *([f"--spare-devices={item.spares}"] if item.spares else []),
        *options, *map(inside.device, item.devices),
    ])


def stop(inside: Inside, item: Array) -> None:
    """Stop it, which marks it as clean."""
    inside.run(["mdadm", "--stop", f"/dev/md/{item.name}"])


def _level(item: Array) -> str:
    """Return the level as mdadm's number or word, from `raid1`, `RAID1` or `1`."""
    return item.level.lower().removeprefix("raid")
