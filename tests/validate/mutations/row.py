"""A row of the table of mutations, and changes of a model that few rows share."""

from __future__ import annotations

from dataclasses import dataclass

from tests.validate.mutations.changes import (
    edit,
)
from tests.validate.mutations.files import KERNEL
from tests.validate.mutations.good import Change, Model, package


@dataclass(frozen=True)
class Row:
    """change: what is done. also: other rules that fail by it, by their ids or beginnings."""

    change: Change
    also: tuple[str, ...] = ()
    arch: str = "x86_64"
    version: str = "10"


def modules(old: str) -> Change:
    """cloud-init's configuration without one module."""
    return edit("/etc/cloud/cloud.cfg", old, "bootcmd")


def container(*faults: str) -> Change:
    def change(m: Model) -> None:
        m.container_faults = faults
    return change


def qcow2(name: str) -> Change:
    """The file is another one, which the test made."""
    def change(m: Model) -> None:
        from validate.artefact import inspect

        assert m.artefact is not None
        m.artefact = inspect(m.artefact.path.with_name(name))
    return change


def named_zlib(m: Model) -> None:
    from dataclasses import replace

    qcow2("zstd.qcow2")(m)
    assert m.artefact is not None
    m.artefact = replace(m.artefact, ccis_format="qcow2-zlib")


def drop_header_sector(m: Model) -> None:
    m.raw[sorted(m.raw)[-1]] = bytes(512)


def second_bash(m: Model) -> None:
    m.packages.append(package("bash", m.version, release="2", provides=()))


def cut_mbr(m: Model) -> None:
    from dataclasses import replace

    assert m.disk is not None
    sector = bytearray(m.disk.boot_sector)
    sector[458:462] = b"\1\0\0\0"
    m.disk = replace(m.disk, boot_sector=bytes(sector))


EFI = "/boot/efi/EFI/BOOT/BOOTX64.EFI"
GRUB = "/boot/efi/EFI/centos/grubx64.efi"
VMLINUZ = f"/boot/vmlinuz-{KERNEL}"
PROFILE = "/etc/NetworkManager/system-connections/a.nmconnection"
OWNED = ("packages.files-owned",)
