"""Proofs on boot entries, GRUB's files, and what a kernel that comes later gets."""

from __future__ import annotations

import posixpath
import shlex

from host.patterns import number, pattern
from specs.kinds.kernel import (
    BlsEntries,
    EfiStub,
    GrubEnvironment,
    GrubSetting,
    KernelDefault,
    LastConsole,
    LastingArguments,
)
from validate.checks.kernel import command_lines
from validate.registry import Finding, proves, verdict
from validate.view import View

_ENTRIES = "/boot/loader/entries/*.conf"
_KEYS = ("title", "version", "linux", "initrd", "options", "id", "grub_users", "grub_arg",
         "grub_class", "machine-id", "sort-key", "architecture", "devicetree")
_ENVIRONMENT = "/boot/grub2/grubenv"
_ENVIRONMENT_BYTES = 1024
_DEFAULTS = "/etc/default/grub"
_KERNEL_CMDLINE = "/etc/kernel/cmdline"
_STUBS = "/boot/efi/EFI/*/grub.cfg"
_OF_ROOT = ("root=", "rootflags=", "rootfstype=", "ro", "rw", "rd.lvm", "rd.luks", "rd.md")
_ENTRIES_MAX = 256


def is_rescue(path: str) -> bool:
    """Tell whether an entry is a rescue kernel's: its version is 0-rescue-…, as dracut names it."""
    return "-0-rescue" in posixpath.basename(path)


def _entry(view: View, path: str) -> dict[str, str]:
    pairs = (line.split(None, 1) for line in (view.text(path) or "").splitlines())
    return {one[0]: one[1].strip() for one in pairs if len(one) == 2 and one[0][0] != "#"}


@proves(BlsEntries)
def bls_entries(check: BlsEntries, view: View) -> Finding:
    """Read each entry as GRUB's blscfg does."""
    entries = view.tree.find(_ENTRIES)[:_ENTRIES_MAX]
    wrong = [] if entries else ["there is no boot entry"]
    for one in entries:
        name, said = posixpath.basename(one.path), _entry(view, one.path)
        if not pattern(check.name).fullmatch(name):
            wrong.append(f"{name} is named otherwise")
        wrong += [f"{name}: {key}" for key in said if key not in _KEYS]
        for key in ("linux", "initrd"):
            path = said.get(key, "").split(" ")[0]
            if not path:
                wrong.append(f"{name}: no {key}")
            elif view.tree.resolve(f"/boot{path}") is None and view.tree.resolve(path) is None:
                wrong.append(f"{name}: {path} is not there")
        if "options" not in said:
            wrong.append(f"{name}: no options")
        elif (version := said.get("version")) and version not in name:
            wrong.append(f"{name}: version {version}")
    return verdict(wrong, f"{len(entries)} entries", "entries that are whole")


@proves(GrubEnvironment)
def grub_environment(check: GrubEnvironment, view: View) -> Finding:
    """Look at the block that GRUB writes into."""
    expected = f"a file of {_ENVIRONMENT_BYTES} bytes, GRUB's"
    entry = view.tree.get(_ENVIRONMENT)
    if entry is None or not entry.is_file:
        return Finding(False, "not there" if entry is None else "no regular file", expected)
    if entry.size_bytes != _ENVIRONMENT_BYTES:
        return Finding(False, f"{entry.size_bytes} bytes", expected)
    first = (view.text(_ENVIRONMENT) or "").split("\n")[0]
    return Finding(first == "# GRUB Environment Block", first, expected)


@proves(KernelDefault)
def kernel_default(check: KernelDefault, view: View) -> Finding:
    """Look up what grubenv says."""
    lines = (line.partition("=") for line in (view.text(_ENVIRONMENT) or "").splitlines())
    saved = next((value for key, _, value in lines if key == "saved_entry"), "")
    names = [posixpath.basename(one.path).removesuffix(".conf") for one in view.tree.find(_ENTRIES)
             if not is_rescue(one.path)]
    expected = "an entry that is there"
    if not saved:
        return Finding(bool(names), "none saved: the newest", expected)
    good = saved in names or (saved.isdigit() and int(saved) < len(names))
    return Finding(good, saved, expected)


def _setting(view: View, key: str) -> str | None:
    """Return a setting of /etc/default/grub, read as a shell would."""
    value = None
    for line in (view.text(_DEFAULTS) or "").splitlines():
        name, sign, rest = line.strip().partition("=")
        if sign and name == key:
            try:
                value = " ".join(shlex.split(rest, comments=True))
            except ValueError:
                value = rest
    return value


@proves(GrubSetting)
def grub_setting(check: GrubSetting, view: View) -> Finding:
    """Read the setting."""
    value = _setting(view, check.key)
    expected = " or ".join(check.one_of) or f"at most {check.at_most}"
    if value is None:
        return Finding(False, f"{check.key} is not set", expected)
    if check.at_most is not None:
        found = number(value)
        return Finding(found is not None and found <= check.at_most, value, expected)
    return Finding(any(pattern(one).fullmatch(value) for one in check.one_of), value, expected)


@proves(LastingArguments)
def lasting_arguments(check: LastingArguments, view: View) -> Finding:
    """Compare entries with both files that kernel-install and grub2-mkconfig read."""
    entries = {path: line.split() for path, line in command_lines(view).items()
               if not is_rescue(path)}
    expected = "the entries' arguments in /etc/default/grub and /etc/kernel/cmdline"
    if not entries:
        return Finding(False, "no boot entry was found", expected)
    wanted = {word for words in entries.values() for word in words
              if not word.startswith(_OF_ROOT) or word.startswith(("rootdelay", "rootwait"))}
    wanted = {word for word in wanted
              if not any(pattern(one).fullmatch(word) for one in check.allow)}
    kept = {_DEFAULTS: set((_setting(view, "GRUB_CMDLINE_LINUX") or "").split())
            | set((_setting(view, "GRUB_CMDLINE_LINUX_DEFAULT") or "").split())}
    if (text := view.text(_KERNEL_CMDLINE)) is not None:
        kept[_KERNEL_CMDLINE] = set(text.split())
    wrong = [f"{path} lacks {word}" for path, words in kept.items()
             for word in sorted(wanted - words)]
    return verdict(wrong, "the same", expected)


@proves(LastConsole)
def last_console(check: LastConsole, view: View) -> Finding:
    """Take the last console of each entry."""
    wrong, good = [], []
    for path, line in command_lines(view).items():
        if is_rescue(path):
            continue
        consoles = [word for word in line.split() if word.startswith("console=")]
        last = consoles[-1] if consoles else "none"
        good.append(last)
        if not pattern(check.console).fullmatch(last):
            wrong.append(f"{path}: {last}")
    if not good:
        wrong.append("no boot entry was found")
    return verdict(wrong, ", ".join(sorted(set(good))), f"{check.console} last")


@proves(EfiStub)
def efi_stub(check: EfiStub, view: View) -> Finding:
    """Look for the UUID that it searches among the disk's file systems."""
    expected = "a grub.cfg that searches a file system of this disk"
    stubs = view.tree.find(_STUBS)
    if not stubs or view.disk is None:
        return Finding(None if view.disk is None else False, "no grub.cfg on the ESP", expected)
    known = {one.uuid.lower() for one in view.disk.filesystems if one.uuid} | {
        one.label.lower() for one in view.disk.filesystems if one.label}
    wrong = []
    for one in stubs:
        text = view.text(one.path) or ""
        found = [match[1].lower() for line in text.splitlines()
                 if (match := pattern(r"^\s*search\s.*?([0-9A-Za-z-]+)\s*$").match(line))]
        if not found and len(text.splitlines()) < 40 and "prefix" not in text:
            wrong.append(f"{one.path} searches nothing")
        wrong += [f"{one.path} searches {uuid}" for uuid in found
                  if uuid not in known and "." not in uuid and uuid.count("-")]
        if "menuentry " in text:
            wrong.append(f"{one.path} is no stub: the menu belongs to /boot/grub2")
    if grubenv := view.tree.find("/boot/efi/EFI/*/grubenv"):
        wrong.append(f"{grubenv[0].path} is there")
    return verdict(wrong, ", ".join(one.path for one in stubs), expected)
