"""The disk inside an artefact as data: its table, partitions and file systems."""

from __future__ import annotations

from dataclasses import dataclass, field

from host.errors import InputError
from host.patterns import pattern
from validate.documents import parse_json

BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
EFI_SYSTEM = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
PREP_BOOT = "9E1A2D38-C612-4316-AA26-8B49521E5A8B"
PURPOSES = {"bios-boot": BIOS_BOOT, "efi-system": EFI_SYSTEM, "prep-boot": PREP_BOOT}
"""Partition types on GPT by the purpose that a spec names (UEFI 2.10, 5.3.3; GRUB manual 4.5)."""

MBR_PURPOSES = {0xEF: EFI_SYSTEM, 0x41: PREP_BOOT}
"""The same purposes as MBR tables say them."""


@dataclass(frozen=True)
class Partition:
    """One partition. type_guid: upper case; on an MBR its purpose's type where there is one.

    name, attributes: those of GPT, as sfdisk(8) writes them, such as LegacyBIOSBootable.
    """

    number: int
    start_bytes: int
    size_bytes: int
    type_guid: str
    part_uuid: str = ""
    device: str = ""
    name: str = ""
    attributes: str = ""


@dataclass(frozen=True)
class FileSystem:
    """One file system. mountpoint: where fstab puts it, None when nowhere.

    kinds: what is between it and the partitions, from these up: raid, crypt, lvm.
    partitions: the devices of the partitions under it. names: those that a volume has anywhere.
    subvolume: the part of a btrfs that is mounted, None for the one that is mounted by default.
    subvolumes: all of them, by their paths.
    """

    device: str
    type: str
    uuid: str = ""
    label: str = ""
    part_uuid: str = ""
    mountpoint: str | None = None
    kinds: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    subvolume: str | None = None
    subvolumes: tuple[str, ...] = ()

    def is_named(self, source: str) -> bool:
        """Tell whether the first word of an fstab(5) line, or a root=, names this file system."""
        tag, sign, value = source.partition("=")
        if not sign:
            return source in self.names
        mine = {"UUID": self.uuid, "LABEL": self.label, "PARTUUID": self.part_uuid}
        value = value.strip('"')
        return bool(value) and mine.get(tag, "").lower() == value.lower()


@dataclass(frozen=True)
class DiskFacts:
    """What is on the disk around and beneath the files.

    scheme: gpt, msdos, another word of parted's, or "none".
    boot_sector: the first 512 bytes. boot_area: the first bytes of what the BIOS boot code
    loads: the BIOS boot partition on GPT, the sectors behind the table else.
    """

    size_bytes: int
    scheme: str
    partitions: list[Partition]
    filesystems: list[FileSystem]
    boot_sector: bytes = b""
    boot_area: bytes = b""
    mounted: dict[str, FileSystem] = field(default_factory=dict)
    """The file systems that were mounted to read the tree, by mount point."""
    mount_faults: tuple[str, ...] = ()
    """What fstab says and could not be done so."""


def parse_table(text: str) -> tuple[str, list[Partition]]:
    """Return the kind of table and the partitions that `sfdisk --json` printed.

    Raises InputError for what is no such output.
    """
    if "does not contain a recognized partition table" in text:
        return "none", []
    try:
        listed = text[max(text.find("{"), 0):]  # warnings come first
        table = parse_json("the partition table, as sfdisk lists it,", listed)["partitiontable"]
        sector_bytes = int(table.get("sectorsize", 512))
        scheme = {"dos": "msdos"}.get(table["label"], table["label"])
        return scheme, [
            _partition(one, sector_bytes, scheme) for one in table.get("partitions", [])
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("the partition table can't be read", why=text.strip()[-300:]) from error


def _partition(listed: dict[str, str | int], sector_bytes: int, scheme: str) -> Partition:
    node, kind = str(listed["node"]), str(listed["type"])
    guid = MBR_PURPOSES.get(int(kind, 16), "") if scheme == "msdos" else kind.upper()
    return Partition(
        number=int(node[len(node.rstrip("0123456789")):]), type_guid=guid, device=node,
        start_bytes=int(listed["start"]) * sector_bytes,
        size_bytes=int(listed["size"]) * sector_bytes,
        part_uuid=str(listed.get("uuid", "")).lower(), name=str(listed.get("name", "")),
        attributes=str(listed.get("attrs", "")),
    )


def parse_filesystems(text: str, disk: str) -> list[FileSystem]:
    """Return the file systems that `blkid -o export` printed, a paragraph each.

    disk: the image's device. Other disks are left out; logical volumes and the like have names
    of their own.
    """
    found = []
    for paragraph in text.split("\n\n"):
        pairs = (line.partition("=") for line in paragraph.splitlines())
        tags = {key: _plain(value) for key, _, value in pairs}
        device = tags.get("DEVNAME", "")
        if "TYPE" not in tags or (device.startswith("/dev/sd") and not device.startswith(disk)):
            continue
        found.append(FileSystem(
            device, tags["TYPE"], tags.get("UUID", ""), tags.get("LABEL", ""),
            tags.get("PARTUUID", ""),
        ))
    return sorted(found, key=lambda one: one.device)


def _plain(value: str) -> str:
    """Return a value of blkid's without the backslashes that keep a shell from it."""
    return pattern(r"\\(.)").sub(lambda match: match[1], value)
