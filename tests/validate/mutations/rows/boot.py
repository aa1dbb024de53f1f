"""Mutations of what starts an image."""

from __future__ import annotations

from tests.validate.mutations import programs
from tests.validate.mutations.changes import (
    ENTRY,
    append,
    argument,
    arguments,
    disk,
    edit,
    filesystem,
    initramfs_with,
    initramfs_without,
    mode,
    partitions,
    put,
    remove,
    touch,
    without_module,
)
from tests.validate.mutations.files import KERNEL, programs_file
from tests.validate.mutations.good import Change
from tests.validate.mutations.row import (
    EFI,
    GRUB,
    VMLINUZ,
    Row,
    cut_mbr,
    drop_header_sector,
)
from tests.validate.small_views import Link

BOOT: dict[str, Row | Change | str] = {
    "artefact.gpt-backup": drop_header_sector,
    "artefact.partition-alignment": partitions(2, start_bytes=(16 << 20) + 512),
    "boot.protective-mbr": cut_mbr,
    "boot.esp-size": partitions(2, size_bytes=50 << 20),
    "boot.esp-filesystem": Row(filesystem("/boot/efi", type="ext4"), ("boot.fstab",)),
    "boot.fstab-only": Row(append("/etc/fstab", "LABEL=data /data xfs defaults 0 0"),
                           ("boot.fstab",)),
    "boot.no-swap": append("/etc/fstab", "/swapfile none swap defaults 0 0"),
    "boot.root-plain": filesystem("/", kinds=("lvm",)),
    "boot.grubenv": edit("/boot/grub2/grubenv", "####", "###"),
    "boot.default-entry": edit("/boot/grub2/grubenv", "Block\n" + "#" * 17,
                               "Block\nsaved_entry=gone\n"),
    "boot.bls-files": edit(ENTRY, "initrd /initramfs-", "initrd /initramfs-x-"),
    "boot.lasting-arguments": edit("/etc/default/grub", " console=ttyS0,115200n8", ""),
    "boot.efi-stub": edit("/boot/efi/EFI/centos/grub.cfg", "1111-root", "2222-root"),
    "boot.sysconfig-kernel": edit("/etc/sysconfig/kernel", "=yes", "=no"),
    "boot.quiet-none": argument("quiet"),
    "boot.no-crashkernel": argument("crashkernel=1G"),
    "boot.no-weakening": argument("mitigations=off"),
    "boot.no-stray-arguments": argument("ds=nocloud"),
    "boot.console-order": arguments("console=tty0 console=ttyS0,115200n8",
                                    "console=ttyS0,115200n8 console=tty0"),
    "boot.console-order-arm": Row(
        arguments("console=ttyAMA0", "console=ttyAMA0 console=tty0"), arch="aarch64"),
    "boot.console-power": Row(arguments("console=hvc0", "x=y"), arch="ppc64le"),
    "boot.partitions-power": Row(partitions(1, type_guid=""), arch="ppc64le"),
    "boot.grub-timeout": edit("/etc/default/grub", "TIMEOUT=1", "TIMEOUT=30"),
    "boot.grub-entries": edit("/etc/default/grub", "BLSCFG=true", "BLSCFG=false"),
    "boot.grub-serial": edit("/etc/default/grub", "serial console", "gfxterm"),
    "boot.no-rescue-kernel": touch("/boot/initramfs-0-rescue-0123.img", mode=0o600),
    "boot.initramfs-drivers": initramfs_without("virtio_blk"),
    "boot.initramfs-clean": initramfs_with("root/.ssh/"),
    "boot.initramfs-readable": Row(put(f"/boot/initramfs-{KERNEL}.img", programs_file(
        b"\x02\x21\x4c\x18" + bytes(2 << 20), 0o600)), ("boot.initramfs", "kvm.", "hyperv.",
                                                        "aws.", "azure.")),
    "boot.initramfs-mode": mode(f"/boot/initramfs-{KERNEL}.img", 0o644),
    "boot.modules-available": without_module("e1000e"),
    "boot.modules-more": without_module("mana"),
    "boot.kernel-config": edit(f"/boot/config-{KERNEL}", "CONFIG_SECCOMP=y", "# nothing"),
    "boot.grub-config-mode": mode("/boot/grub2/grub.cfg", 0o645),
    "boot.no-grub-password": "/boot/grub2/user.cfg",
    "boot.firmware-none": touch("/usr/lib/firmware/big", size_bytes=80 << 20),
    "boot.uefi-programs-x86": Row(put(EFI, programs_file(bytes(70_000), 0o700)),
                                  ("boot.shim-signed",)),
    "boot.uefi-programs-arm": Row(put("/boot/efi/EFI/BOOT/BOOTAA64.EFI", programs_file(
        bytes(70_000), 0o700)), arch="aarch64"),
    "boot.shim-signed": put(EFI, programs_file(programs.efi("x86_64", None), 0o700)),
    "boot.grub-signed": put(GRUB, programs_file(programs.efi("x86_64", "Me"), 0o700)),
    "boot.kernel-signed": put(VMLINUZ, programs_file(programs.efi("x86_64", None), 0o755)),
    "boot.sbat": put(GRUB, programs_file(
        programs.efi("x86_64", "CentOS Secure Boot Signing 201", sbat=1), 0o700)),
    "boot.fallback-chain": remove("/boot/efi/EFI/centos/BOOTX64.CSV"),
    "size.free": touch("/var/big", size_bytes=4 << 30),
    "boot.partitions-x86": Row(partitions(1, type_guid=""), ("boot.bios-loader",)),
    "boot.partitions-arm": Row(partitions(1, type_guid=""), arch="aarch64"),
    "boot.bios-loader": Row(disk(boot_area=bytes(4096))),
    "boot.uefi-loader-x86": Row(put(EFI, programs_file(
        programs.efi("x86_64", "Microsoft Corporation UEFI CA 2011")[:1000], 0o700)),
        ("boot.uefi-programs", "boot.shim-signed")),
    "boot.uefi-loader-arm": Row(put("/boot/efi/EFI/BOOT/BOOTAA64.EFI", programs_file(
        programs.efi("aarch64", None)[:1000], 0o700)), arch="aarch64"),
    "boot.root-filesystem": Row(filesystem("/", type="btrfs"), ("boot.fstab",)),
    "boot.fstab": edit("/etc/fstab", "UUID=1111-root", "/dev/vda3"),
    "boot.kernel": remove(f"/boot/vmlinuz-{KERNEL}"),
    "boot.kernel-arguments": Row(argument("selinux=0"), ("boot.no-weakening",)),
    "boot.serial-console-x86": Row(arguments("console=ttyS0,115200n8", "x=y"),
                                   ("boot.console-order",)),
    "boot.serial-console-arm": Row(
        arguments("console=ttyS0,115200n8 console=ttyAMA0", "x=y"),
        ("boot.console-order",), arch="aarch64"),
    "boot.default-target": put("/etc/systemd/system/default.target", Link("/gone")),
}
BOOT["boot.no-swap"] = Row(BOOT["boot.no-swap"], ("boot.fstab",))  # type: ignore[arg-type]
BOOT["boot.kernel"] = Row(BOOT["boot.kernel"], (  # type: ignore[arg-type]
    "boot.bls-files", "boot.kernel-signed", "identity.entry-names"))
BOOT["boot.bls-files"] = Row(
    BOOT["boot.bls-files"], ("identity.entry-names",))  # type: ignore[arg-type]
BOOT["boot.initramfs-mode"] = mode(f"/boot/initramfs-{KERNEL}.img", 0o644)
BOOT["boot.grub-config-mode"] = mode("/boot/grub2/grub.cfg", 0o645)
