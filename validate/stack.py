"""What stands between partitions and file systems: RAID, LUKS, LVM, opened in the appliance.

The appliance assembles RAID arrays and volume groups by itself when it starts; what is inside a
LUKS container shows only once it is opened, and may be any of them again.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from functools import cache

from host.appliance import GuestFS, shell
from host.errors import InputError
from host.patterns import pattern
from validate.disk import FileSystem, parse_filesystems
from validate.key import Key

_DEPTH_MAX = 4
_WRONG_KEY = 2
"""cryptsetup(8), "RETURN CODES": no permission, so a wrong passphrase."""
_KEY = "/key"
_KEY_ROOM = "size=4m,mode=700"
_LIST = "blkid -c /dev/null -o export 2>/dev/null || true"
_ASSEMBLE = (
    "udevadm settle; mdadm --assemble --scan --run >/dev/null 2>&1; "
    "lvm vgchange --activate ay --sysinit >/dev/null 2>&1; udevadm settle"
)


@dataclass(frozen=True)
class Standing:
    """What a device stands on. kinds: raid, crypt, lvm, from the partitions up."""

    kinds: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()


def parse_standing(text: str) -> dict[str, Standing]:
    """Return by device what it stands on, as `lsblk -rpno KNAME,NAME,TYPE,PKNAME` printed it."""
    names: dict[str, tuple[str, str]] = {}
    parents: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 3:
            continue
        kernel_name, name, kind = words[:3]
        names[kernel_name] = (name, kind)
        parents.setdefault(kernel_name, []).extend(words[3:4])

    @cache
    def standing(kernel_name: str) -> Standing:
        name, kind = names.get(kernel_name, (kernel_name, "disk"))
        if kind in ("part", "disk"):
            return Standing(partitions=(name,) if kind == "part" else ())
        below = [standing(parent) for parent in dict.fromkeys(parents[kernel_name])]
        own = "raid" if kind.startswith(("raid", "md", "linear")) else kind
        kinds = [each for one in below for each in one.kinds]
        return Standing(
            tuple(dict.fromkeys([*kinds, own])),
            tuple(sorted({part for one in below for part in one.partitions})),
        )

    return {names[one][0]: standing(one) for one in names}


def volume_names(device: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that a volume has in every guest, whatever its disk is called there.

    A logical volume is /dev/mapper/GROUP-NAME and /dev/GROUP/NAME, hyphens within the two names
    doubled in the first (lvm(8)); a LUKS container has the name that /etc/crypttab gives it.
    """
    if not device.startswith("/dev/mapper/") or not kinds:
        return ()
    names = [device]
    group, hyphen, name = _split(device.removeprefix("/dev/mapper/"))
    if kinds[-1] == "lvm" and hyphen:
        names.append(f"/dev/{group.replace('--', '-')}/{name.replace('--', '-')}")
    return tuple(names)


def _split(volume: str) -> tuple[str, str, str]:
    """Part a volume's name at its first hyphen that stands alone."""
    at = 0
    while (at := volume.find("-", at)) >= 0:
        end = len(volume) - len(volume[at:].lstrip("-"))
        if end == at + 1:
            return volume[:at], "-", volume[end:]
        at = end
    return volume, "", ""


def filesystems(g: GuestFS, disk: str, shown_as: str, key: Key | None) -> list[FileSystem]:
    """Open all that holds file systems, and return them with what they stand on.

    disk: the image as a shell in the appliance finds it, shown_as: as libguestfs's calls name it.
    Raises InputError when there is a LUKS container and no key, or a key that does not open it.
    """
    found = parse_filesystems(shell(g, _LIST), disk)
    opened: set[str] = set()
    for _ in range(_DEPTH_MAX):
        closed = [one for one in found if one.type == "crypto_LUKS" and one.device not in opened]
        if not closed:
            break
        _open(g, closed, key)
        opened |= {one.device for one in closed}
        shell(g, _ASSEMBLE)
        found = parse_filesystems(shell(g, _LIST), disk)
    standings = parse_standing(shell(g, "lsblk -rpno KNAME,NAME,TYPE,PKNAME"))
    return [_placed(one, found, standings, disk, shown_as) for one in found]


def _placed(
    one: FileSystem, found: list[FileSystem], standings: dict[str, Standing],
    disk: str, shown_as: str,
) -> FileSystem:
    """Return a file system with what it stands on; a btrfs has several devices with its UUID."""
    def shown(device: str) -> str:
        return shown_as + device.removeprefix(disk) if device.startswith(disk) else device

    devices = [one.device] + [
        other.device for other in found
        if one.type == other.type == "btrfs" and one.uuid == other.uuid and other != one
    ]
    below = [standings.get(device, Standing()) for device in devices]
    return replace(
        one, device=shown(one.device), names=volume_names(one.device, below[0].kinds),
        kinds=tuple(dict.fromkeys(kind for each in below for kind in each.kinds)),
        partitions=tuple(sorted({shown(part) for each in below for part in each.partitions})),
    )


def _open(g: GuestFS, closed: list[FileSystem], key: Key | None) -> None:
    """Open LUKS containers as /dev/mapper/luks-UUID, which is what Anaconda calls them.

    The key goes to a file in the appliance's memory: not on a disk, not on a command line.
    """
    if key is None:
        raise InputError(
            "the image is encrypted and no key was given",
            why="LUKS container " + ", ".join(one.uuid for one in closed),
            remedy="give the file that holds its passphrase or key: --key FILE",
        )
    shell(g, f"mount -t tmpfs -o {_KEY_ROOM} key /sysroot")
    try:
        for one in closed:
            if not pattern(r"[0-9A-Za-z-]{1,40}").fullmatch(one.uuid):
                raise InputError("a LUKS container of the image has a strange UUID", why=one.uuid)
            if said := _refusal(g, one, key):
                wrong = said.endswith(f"\n{_WRONG_KEY}")
                raise InputError(
                    "the key does not open the image" if wrong else "LUKS can't be opened",
                    why=f"LUKS container {one.uuid}: {said[:300]}",
                    where=str(key.path) if wrong else None,
                    remedy="give the file that holds its passphrase or key: --key FILE",
                )
    finally:
        shell(g, "umount /sysroot")


def _refusal(g: GuestFS, one: FileSystem, key: Key) -> str:
    """Try to open a container; return what cryptsetup said, its status last, or ""."""
    said = ""
    for candidate in key.candidates:
        g.write(_KEY, candidate)
        said = shell(g, (
            f"cryptsetup open --type luks --key-file /sysroot{_KEY} "
            f"{shlex.quote(one.device)} luks-{one.uuid} 2>&1; printf '\n%d' $?"
        )).strip()
        if said.split()[-1] == "0":
            return ""
    return said
