"""Checks on the started image, asked over SSH once cloud-init is done."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from specs.kind import Check, Regex, Tier


class GuestCommand(Check):
    """A command, run in the guest as root, prints what is wanted.

    empty: nothing at all. matches: every expression is found in what it prints.
    status: the exit status that it must end with; None: any.
    """

    tier: ClassVar[Tier] = "boot"
    kind: Literal["guest_command"] = "guest_command"
    run: str = Field(min_length=1)
    empty: bool = False
    matches: tuple[Regex, ...] = ()
    status: int | None = 0

    @model_validator(mode="after")
    def _one_expectation(self) -> Self:
        if self.empty and self.matches:
            raise ValueError("guest_command: what is empty matches nothing")
        return self


class GuestRootGrown(Check):
    """The root file system fills the disk, which was made larger before the start.

    slack_bytes: what may be free behind the root file system's device, for a second partition table
    and for alignment. Partitions before it, and their sizes, are the kickstart's own wish.
    A root on LVM, LUKS or RAID that did not grow is no failure: cloud-init grows partitions and
    file systems, and nothing between them.
    """

    tier: ClassVar[Tier] = "boot"
    kind: Literal["guest_root_grown"] = "guest_root_grown"
    slack_bytes: Annotated[int, Field(ge=0)]


class GuestHostKeysNew(Check):
    """sshd answers with host keys made during this boot, each readable by root alone."""

    tier: ClassVar[Tier] = "boot"
    kind: Literal["guest_host_keys_new"] = "guest_host_keys_new"


class GuestUser(Check):
    """The user that cloud-init makes is there, took the injected key and may use sudo freely."""

    tier: ClassVar[Tier] = "boot"
    kind: Literal["guest_user"] = "guest_user"
    name: str = Field(pattern=r"^[a-z_][a-z0-9_-]*$")


class GuestPasswordRefused(Check):
    """sshd offers nobody, root included, a way in by password."""

    tier: ClassVar[Tier] = "boot"
    kind: Literal["guest_password_refused"] = "guest_password_refused"


class GuestCloudInitDone(Check):
    """cloud-init ended, found the seed, and reports no error."""

    tier: ClassVar[Tier] = "boot"
    kind: Literal["guest_cloud_init_done"] = "guest_cloud_init_done"


class GuestHostname(Check):
    """The host name is the one that the data source gave."""

    tier: ClassVar[Tier] = "boot"
    kind: Literal["guest_hostname"] = "guest_hostname"


class GuestPackages(Check):
    """`rpm -qa`, run in the guest, lists exactly what build.json lists."""

    tier: ClassVar[Tier] = "boot"
    kind: Literal["guest_packages"] = "guest_packages"


class GuestMachineId(Check):
    """The machine has an identity of its own, made at this first boot."""

    tier: ClassVar[Tier] = "boot"
    kind: Literal["guest_machine_id"] = "guest_machine_id"


class GuestFirmware(Check):
    """The guest was started by the firmware that the boot asked for."""

    tier: ClassVar[Tier] = "boot"
    kind: Literal["guest_firmware"] = "guest_firmware"


class GuestPowerButton(Check):
    """The guest shuts itself down when its power button is pressed, as clouds do to stop it."""

    tier: ClassVar[Tier] = "boot"
    kind: Literal["guest_power_button"] = "guest_power_button"
