"""Proofs on kernels and on what the boot loader tells them."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from host.errors import InputError
from host.patterns import Match, pattern
from specs.kinds.disk import KernelArguments, KernelComplete
from validate.disk import DiskFacts
from validate.registry import Finding, proves, verdict
from validate.view import View

_ENTRIES = "/boot/loader/entries/*.conf"
_GRUB_CONFIG = ("/boot/grub2/grub.cfg", "/boot/grub/grub.cfg")
_GRUB_ENVIRONMENT = "/boot/grub2/grubenv"
_INITRAMFS_BYTES_MIN = 1 << 20
_LINE_MAX = 64 << 10
"""A longer line is none that a boot loader reads; the kernel takes 2 KiB (COMMAND_LINE_SIZE)."""
_ENTRIES_MAX = 256
_SET = r'^\s*set\s+(\w+)="?([^"]*)"?\s*$'
_VARIABLE = r"\$\{?(\w+)\}?"
_EXPANDED_MAX = 64 << 10
_INITRAMFS = ("/boot/initramfs-{}.img", "/boot/initrd.img-{}")


@proves(KernelArguments)
def kernel_arguments(check: KernelArguments, view: View) -> Finding:
    """Compare the arguments of each boot entry."""
    wrong = []
    entries = {name: line for name, line in command_lines(view).items() if "-0-rescue" not in name}
    for name, line in entries.items():
        arguments = line.split()
        wrong += [
            f"{name}: no {wanted}" for wanted in check.present
            if not any(pattern(wanted).fullmatch(one) for one in arguments)
        ]
        wrong += [
            f"{name}: {one}" for unwanted in check.absent
            for one in arguments if pattern(unwanted).fullmatch(one)
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
    variables = {match[1]: match[2] for line in _lines(text)
                 if (match := pattern(_SET).match(line))}
    for line in _lines(view.text(_GRUB_ENVIRONMENT) or ""):
        name, sign, value = line.partition("=")
        if sign and pattern(r"\w+").fullmatch(name):
            variables[name] = value
    lines = {
        path: _expanded(" ".join(_options(text)), variables)
        for path, text in _entry_texts(view)
    }
    if not lines and config:
        for number, line in enumerate(_lines(text), start=1):
            if words := _loaded(line):
                lines[f"{config}:{number}"] = _expanded(" ".join(words[2:]), variables)
                _count(lines)
    return lines


def _lines(text: str) -> Iterator[str]:
    """Yield a text's lines; one that no boot loader would read is left out."""
    return (line for line in text.split("\n") if len(line) <= _LINE_MAX)


def _entry_texts(view: View) -> Iterator[tuple[str, str]]:
    """Yield path and text of each boot entry."""
    entries = view.tree.find(_ENTRIES)
    _count(entries)
    return ((entry.path, view.text(entry.path) or "") for entry in entries)


def _count(entries: Sized) -> None:
    if len(entries) > _ENTRIES_MAX:
        raise InputError(f"there are more than {_ENTRIES_MAX} boot entries")


def _options(entry: str) -> list[str]:
    """Return what the `options` lines of a boot entry say."""
    words = (line.split(None, 1) for line in _lines(entry))
    return [one[1].rstrip() for one in words if len(one) == 2 and one[0] == "options"]


def _loaded(line: str) -> list[str]:
    """Return the words of a line that loads a kernel, none for any other line."""
    words = line.split()
    return words if len(words) > 1 and words[0] in ("linux", "linuxefi", "linux16") else []


def _expanded(line: str, variables: dict[str, str]) -> str:
    """Return a command line with GRUB's variables replaced, once, as far as they are known."""
    left = _EXPANDED_MAX

    def value(match: Match) -> str:
        nonlocal left
        found = variables.get(match[1], "")
        left -= len(found)
        if left < 0:
            raise InputError("a kernel command line grows beyond reason")
        return found

    return pattern(_VARIABLE).sub(value, line)


@proves(KernelComplete)
def kernel_complete(check: KernelComplete, view: View) -> Finding:
    """Follow each folder of modules to the image, initramfs and entry that belong to it."""
    folder = view.tree.resolve("/lib/modules")
    kernels = view.tree.children(folder.path) if folder and folder.is_folder else []
    versions = [entry.path.rpartition("/")[2] for entry in kernels if entry.is_folder]
    _count(versions)
    loaded = _loaded_versions(view)
    wrong = [fault for version in versions for fault in _faults(view, version, loaded)]
    if not versions:
        wrong.append("there is no kernel")
    expected = "image, initramfs, module index and boot entry for each kernel"
    return verdict(wrong, ", ".join(versions), expected)


def _faults(view: View, version: str, loaded: set[str]) -> list[str]:
    wrong = []
    if not _size(view, f"/boot/vmlinuz-{version}"):
        wrong.append(f"{version}: no /boot/vmlinuz-{version}")
    if not any(_size(view, name.format(version)) >= _INITRAMFS_BYTES_MIN for name in _INITRAMFS):
        wrong.append(f"{version}: no initramfs of at least {_INITRAMFS_BYTES_MIN} bytes")
    if not _size(view, f"/lib/modules/{version}/modules.dep"):
        wrong.append(f"{version}: no modules.dep")
    if version not in loaded:
        wrong.append(f"{version}: no boot entry")
    return wrong


def _loaded_versions(view: View) -> set[str]:
    """Return the versions of the kernels that the boot entries load, or else grub.cfg."""
    texts = [text for _, text in _entry_texts(view)]
    if not texts:
        texts = [text for path in _GRUB_CONFIG if (text := view.text(path)) is not None]
    words = [words[1] for text in texts for line in _lines(text) if (words := _loaded(line))]
    return {word.rpartition("vmlinuz-")[2] for word in words if "vmlinuz-" in word}


def _size(view: View, path: str) -> int:
    entry = view.tree.resolve(path)
    return entry.size_bytes if entry is not None and entry.is_file else 0
