"""Proofs on kernels and on what the boot loader tells them."""

from __future__ import annotations

import re

from specs.kinds.disk import KernelArguments, KernelComplete
from validate.disk import DiskFacts
from validate.registry import Finding, proves, verdict
from validate.view import View

_ENTRIES = "/boot/loader/entries/*.conf"
_GRUB_CONFIG = ("/boot/grub2/grub.cfg", "/boot/grub/grub.cfg")
_GRUB_ENVIRONMENT = "/boot/grub2/grubenv"
_INITRAMFS_BYTES_MIN = 1 << 20
_INITRAMFS = ("/boot/initramfs-{}.img", "/boot/initrd.img-{}")


@proves(KernelArguments)
def kernel_arguments(check: KernelArguments, view: View) -> Finding:
    """Compare the arguments of each boot entry."""
    wrong = []
    entries = {name: line for name, line in command_lines(view).items() if "rescue" not in name}
    for name, line in entries.items():
        arguments = line.split()
        wrong += [
            f"{name}: no {wanted}" for wanted in check.present
            if not any(re.fullmatch(wanted, one) for one in arguments)
        ]
        wrong += [
            f"{name}: {one}" for unwanted in check.absent
            for one in arguments if re.fullmatch(unwanted, one)
        ]
        if check.root_on_disk and view.disk and (fault := _root_fault(view.disk, arguments)):
            wrong.append(f"{name}: {fault}")
    if not entries:
        wrong.append("no boot entry was found")
    expected = "; ".join([*check.present, *(f"no {one}" for one in check.absent)])
    return verdict(wrong, "; ".join(sorted(set(entries.values()))), expected)


def _root_fault(disk: DiskFacts, arguments: list[str]) -> str | None:
    """Return why the kernel would not find the root file system, None when it would.

    A btrfs subvolume that is not the default one is mounted with rootflags=subvol=… alone.
    """
    root = disk.mounted.get("/")
    named = [one.removeprefix("root=") for one in arguments if one.startswith("root=")]
    if root is None or not any(root.is_named(one) for one in named):
        return "root= is not the root file system on the disk"
    flags = [one.removeprefix("rootflags=") for one in arguments if one.startswith("rootflags=")]
    wanted = f"subvol={root.subvolume}"
    chosen = [word.replace("=/", "=") for flag in flags for word in flag.split(",")]
    if root.subvolume is not None and wanted not in chosen:
        return f"no rootflags={wanted}"
    return None


def command_lines(view: View) -> dict[str, str]:
    """Return the kernel command line of each boot entry, by file, or line of grub.cfg.

    Entries follow the Boot Loader Specification; GRUB's variables in them ($kernelopts,
    $tuned_params) come from grubenv or `set` lines of grub.cfg.
    """
    config = next((path for path in _GRUB_CONFIG if view.text(path) is not None), None)
    text = (view.text(config) if config else None) or ""
    variables = dict(re.findall(r'^\s*set\s+(\w+)="?([^"\n]*)"?\s*$', text, re.MULTILINE))
    environment = view.text(_GRUB_ENVIRONMENT) or ""
    variables.update(re.findall(r"^(\w+)=(.*)$", environment, re.MULTILINE))

    def expanded(line: str) -> str:
        return re.sub(r"\$\{?(\w+)\}?", lambda match: variables.get(match[1], ""), line)

    lines = {}
    for entry in view.tree.find(_ENTRIES):
        fields = re.findall(r"^options\s+(.*)$", view.text(entry.path) or "", re.MULTILINE)
        lines[entry.path] = expanded(" ".join(fields))
    if not lines and config:
        for number, line in enumerate(text.splitlines(), start=1):
            if match := re.match(r"\s*linux(?:efi|16)?\s+\S+\s*(.*)", line):
                lines[f"{config}:{number}"] = expanded(match[1])
    return lines


@proves(KernelComplete)
def kernel_complete(check: KernelComplete, view: View) -> Finding:
    """Follow each folder of modules to the image, initramfs and entry that belong to it."""
    folder = view.tree.resolve("/lib/modules")
    kernels = view.tree.children(folder.path) if folder and folder.is_folder else []
    versions = [entry.path.rpartition("/")[2] for entry in kernels if entry.is_folder]
    wrong = [fault for version in versions for fault in _faults(view, version)]
    if not versions:
        wrong.append("there is no kernel")
    expected = "image, initramfs, module index and boot entry for each kernel"
    return verdict(wrong, ", ".join(versions), expected)


def _faults(view: View, version: str) -> list[str]:
    wrong = []
    if not _size(view, f"/boot/vmlinuz-{version}"):
        wrong.append(f"{version}: no /boot/vmlinuz-{version}")
    if not any(_size(view, name.format(version)) >= _INITRAMFS_BYTES_MIN for name in _INITRAMFS):
        wrong.append(f"{version}: no initramfs of at least {_INITRAMFS_BYTES_MIN} bytes")
    if not _size(view, f"/lib/modules/{version}/modules.dep"):
        wrong.append(f"{version}: no modules.dep")
    if not any(_loads(text, version) for text in _boot_texts(view)):
        wrong.append(f"{version}: no boot entry")
    return wrong


def _boot_texts(view: View) -> list[str]:
    paths = [entry.path for entry in view.tree.find(_ENTRIES)] or list(_GRUB_CONFIG)
    return [text for path in paths if (text := view.text(path)) is not None]


def _loads(text: str, version: str) -> bool:
    found = re.findall(r"^\s*linux(?:efi|16)?\s+(\S+)", text, re.MULTILINE)
    return any(path.endswith(f"vmlinuz-{version}") for path in found)


def _size(view: View, path: str) -> int:
    entry = view.tree.resolve(path)
    return entry.size_bytes if entry is not None and entry.is_file else 0
