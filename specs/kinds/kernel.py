"""Checks on kernels: their arguments for good, initramfs, modules, boot entries, EFI programs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from specs.kind import Check, GuestGlob, Names, Regex


class LastingArguments(Check):
    """What boot entries say is what the next kernel's entry will say.

    /etc/kernel/cmdline (if there) and GRUB_CMDLINE_LINUX of /etc/default/grub hold the arguments
    of the entries, what names the root file system apart.
    allow: arguments that a package's own script adds to every entry.
    """

    kind: Literal["lasting_arguments"] = "lasting_arguments"
    allow: tuple[Regex, ...] = ()


class LastConsole(Check):
    """The last console= of each boot entry, which becomes /dev/console, is this."""

    kind: Literal["last_console"] = "last_console"
    console: Regex


class BlsEntries(Check):
    """Each boot entry names its kernel and initramfs, which are there, and only known keys."""

    kind: Literal["bls_entries"] = "bls_entries"
    name: Regex


class GrubEnvironment(Check):
    """grubenv is a regular file of 1024 bytes that begins as GRUB's does."""

    kind: Literal["grub_environment"] = "grub_environment"


class KernelDefault(Check):
    """saved_entry, where it is set, names an entry that is there."""

    kind: Literal["kernel_default"] = "kernel_default"


class GrubSetting(Check):
    """A setting of /etc/default/grub is one of these, or a number that is at most this."""

    kind: Literal["grub_setting"] = "grub_setting"
    key: str
    one_of: tuple[Regex, ...] = ()
    at_most: int | None = None


class EfiStub(Check):
    """grub.cfg on the EFI system partition searches a file system that the disk has."""

    kind: Literal["efi_stub"] = "efi_stub"


class InitramfsContains(Check):
    """Each initramfs has these modules (or the kernel itself), and none of these files."""

    kind: Literal["initramfs_contains"] = "initramfs_contains"
    modules: tuple[str, ...] = ()
    absent: tuple[GuestGlob, ...] = ()
    compression: tuple[Literal["gzip", "zstd", "xz", "lz4", "none"], ...] = ()


class ModuleAvailable(Check):
    """Each kernel has these modules or has them built in, and modprobe.d does not block them."""

    kind: Literal["module_available"] = "module_available"
    names: Names


class ModuleBlocked(Check):
    """modprobe.d keeps these modules from being loaded."""

    kind: Literal["module_blocked"] = "module_blocked"
    names: Names


class KernelConfig(Check):
    """Each kernel's configuration has these options, built in or as a module; "A|B": either."""

    kind: Literal["kernel_config"] = "kernel_config"
    options: Names


class EfiProgram(Check):
    """What matches is an EFI program (PE) for the image's machine, and signed if `signers`.

    signers: names in a certificate of its signature; "any" of them.
    """

    kind: Literal["efi_program"] = "efi_program"
    paths: list[GuestGlob] = Field(min_length=1)
    signers: tuple[str, ...] = ()
    signed: bool = False
    sbat: dict[str, Annotated[int, Field(gt=0)]] = Field(default_factory=dict)
