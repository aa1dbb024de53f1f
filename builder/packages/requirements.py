"""What Anaconda installs by itself: one rule is a function that says what it adds, and why.

Its modules collect requirements before packages are chosen, and drop those that %packages
excludes (pyanaconda/modules/payloads/payload/dnf/requirements.py, apply_requirements). Anaconda
adds packages of the platform that it runs on, too, such as an agent for KVM; an image is for
every platform, so those must be named.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from builder.disk.model import Layout
from builder.disk.volumes.registry import kind_of
from builder.kickstart.read import Kickstart
from builder.packages.requirement import Requirement


@dataclass(frozen=True)
class Wish:
    """What the rules look at."""

    kickstart: Kickstart
    layout: Layout
    arch: str


Rule = Callable[[Wish], Iterable[Requirement]]
_rules: list[Rule] = []


def requirements(kickstart: Kickstart, layout: Layout, arch: str) -> tuple[Requirement, ...]:
    """Return what is added to the packages of a kickstart, in the order of the rules.

    What %packages names anyway or excludes (by name or glob) is left out.
    """
    wish = Wish(kickstart, layout, arch)
    selection = kickstart.packages
    found: dict[tuple[str, ...], Requirement] = {}
    for rule in _rules:
        for requirement in rule(wish):
            names = tuple(name for name in requirement.names
                          if not _any_matches(name, selection.excluded))
            if names and not set(names) & set(selection.names):
                found.setdefault(names, Requirement(
                    names, requirement.reason, requirement.if_there, requirement.where))
    return tuple(found.values())


def _any_matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)


def _rule(function: Rule) -> Rule:
    _rules.append(function)
    return function


@_rule
def _kernel(wish: Wish) -> Iterator[Requirement]:
    """Always, unless excluded: payload/dnf/utils.py, get_kernel_package."""
    yield Requirement(("kernel",), "a system needs a kernel", if_there=True)


@_rule
def _boot_loader(wish: Wish) -> Iterator[Requirement]:
    """Anaconda adds that of the firmware it runs on; here the layout says which are to boot.

    Source: modules/storage/bootloader (grub2.py, efi.py, zipl.py), collect_requirements.
    """
    command = next(iter(wish.kickstart.find("bootloader")[-1:]), None)
    if command is not None and getattr(command.data, "disabled", False):
        return
    where = command.where if command else ""
    efi = {"x86_64": ("grub2-efi-x64", "shim-x64"), "aarch64": ("grub2-efi-aa64", "shim-aa64")}
    bios = {"x86_64": ("grub2-pc",), "ppc64le": ("grub2-ppc64le",), "s390x": ("s390utils-core",)}
    if wish.layout.at("/boot/efi") and wish.arch in efi:
        for name in (*efi[wish.arch], "efibootmgr", "grub2-tools", "grub2-tools-extra", "grubby"):
            yield Requirement((name,), "the disk has an EFI system partition", where=where)
    if wish.arch in bios and _starts_without_uefi(wish):
        for name in (*bios[wish.arch], *(["grub2-tools"] if wish.arch != "s390x" else [])):
            yield Requirement((name,), "the disk boots without UEFI", where=where)


def _starts_without_uefi(wish: Wish) -> bool:
    if wish.arch != "x86_64":
        return True
    kinds = {partition.fstype for partition in wish.layout.partitions}
    return "biosboot" in kinds or wish.layout.table != "gpt"


# What blivet's devices and formats say in `packages`.
_TOOLS = {
    "ext2": "e2fsprogs", "ext3": "e2fsprogs", "ext4": "e2fsprogs", "xfs": "xfsprogs",
    "btrfs": "btrfs-progs", "vfat": "dosfstools", "efi": "dosfstools", "swap": "util-linux",
}


@_rule
def _storage(wish: Wish) -> Iterator[Requirement]:
    """The tools of what is on the disk: modules/storage/storage.py, collect_requirements."""
    places: dict[str, list[str]] = {}
    for part in wish.layout.filesystems:
        if tool := _TOOLS.get(part.fstype):
            places.setdefault(tool, []).append(part.mountpoint or part.fstype)
    for kind in map(kind_of, wish.layout.stack):
        places.setdefault(kind.opener.package, []).append(kind.label)
    for tool, found in places.items():
        yield Requirement((tool,), f"manages {', '.join(dict.fromkeys(found))} on the disk")


@_rule
def _languages(wish: Wish) -> Iterator[Requirement]:
    """The language packs of `lang`, where there are any: collect_language_requirements."""
    for command in wish.kickstart.find("lang")[-1:]:
        for locale in (command.data.lang, *(command.data.addsupport or ())):
            whole = locale.partition(".")[0].partition("@")[0]
            language = whole.partition("_")[0]
            if language in ("", "C", "POSIX"):
                continue
            yield Requirement(
                tuple(f"langpacks-{code}" for code in dict.fromkeys((whole, language))),
                f"lang {locale}", if_there=True, where=command.where)


@_rule
def _time(wish: Wish) -> Iterator[Requirement]:
    """NTP runs unless it is refused: modules/timezone/timezone.py, collect_requirements."""
    refused = any(getattr(command.data, "nontp", False)
                  or getattr(command.data, "ntp_disable", False)
                  for command in wish.kickstart.find("timezone", "timesource"))
    if not refused:
        yield Requirement(("chrony",), "the clock is set by NTP")


@_rule
def _firewall(wish: Wish) -> Iterator[Requirement]:
    """Any `firewall` line, even --disabled: modules/network/firewall/firewall.py."""
    for command in wish.kickstart.find("firewall")[-1:]:
        yield Requirement(("firewalld",), "the firewall command", where=command.where)


@_rule
def _authselect(wish: Wish) -> Iterator[Requirement]:
    """modules/security/security.py, collect_requirements."""
    for command in wish.kickstart.find("authselect")[-1:]:
        yield Requirement(("authselect",), "the authselect command", where=command.where)


@_rule
def _authconfig(wish: Wish) -> Iterator[Requirement]:
    """The old commands need the old tool, which 8 and 9 have as authselect-compat."""
    for command in wish.kickstart.find("auth", "authconfig")[-1:]:
        yield Requirement(("authselect-compat",), f"the {command.name} command", if_there=True,
                          where=command.where)


@_rule
def _team(wish: Wish) -> Iterator[Requirement]:
    """modules/network/network.py, collect_requirements."""
    for command in wish.kickstart.find("network"):
        if getattr(command.data, "teamslaves", None):
            yield Requirement(("teamd",), "a team of network devices", where=command.where)
            break


@_rule
def _realm(wish: Wish) -> Iterator[Requirement]:
    """realmd joins a domain (modules/security/constants.py); discovering one needs a network."""
    for command in wish.kickstart.find("realm")[-1:]:
        yield Requirement(("realmd",), "the realm command", where=command.where)


@_rule
def _kdump(wish: Wish) -> Iterator[Requirement]:
    """kdump-anaconda-addon's service, collect_requirements; kexec-tools held kdump before 10."""
    for addon in wish.kickstart.addons:
        if addon.name == "com_redhat_kdump" and "--enable" in addon.words:
            yield Requirement(("kdump-utils", "kexec-tools"), "the kdump add-on", where=addon.where)
