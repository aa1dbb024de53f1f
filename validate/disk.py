"""The disk inside an artefact as data: its table, partitions and file systems."""

from __future__ import annotations

from dataclasses import dataclass, field

BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
EFI_SYSTEM = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
PREP_BOOT = "9E1A2D38-C612-4316-AA26-8B49521E5A8B"
PURPOSES = {"bios-boot": BIOS_BOOT, "efi-system": EFI_SYSTEM, "prep-boot": PREP_BOOT}
"""Partition types on GPT by the purpose that a spec names (UEFI 2.10, 5.3.3; GRUB manual 4.5)."""

MBR_PURPOSES = {0xEF: EFI_SYSTEM, 0x41: PREP_BOOT}
"""The same purposes as MBR tables say them."""


@dataclass(frozen=True)
class Partition:
    """One partition. type_guid: upper case; on an MBR its purpose's type where there is one."""

    number: int
    start_bytes: int
    size_bytes: int
    type_guid: str
    part_uuid: str = ""
    device: str = ""


@dataclass(frozen=True)
class FileSystem:
    """One file system. mountpoint: where fstab puts it, None when nowhere."""

    device: str
    type: str
    uuid: str = ""
    label: str = ""
    part_uuid: str = ""
    mountpoint: str | None = None

    def has_tag(self, tag: str, value: str) -> bool:
        """Tell whether a tag as fstab(5) writes it names this file system."""
        mine = {"UUID": self.uuid, "LABEL": self.label, "PARTUUID": self.part_uuid}
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
