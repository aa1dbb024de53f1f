"""What a kind of volume is – LUKS, RAID, LVM, btrfs: the contract of each module of volumes/.

A module of that folder with these names is a kind, and nothing else has to know of it: not the
layout, not what is planned, written, made, booted, installed or shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from builder.disk.parts import Disk, FileSystem, FsType, Volume
from builder.disk.requests import FormatRequest, Request

if TYPE_CHECKING:
    from builder.disk.inside import Inside


class Item(BaseModel):
    """One volume, or one container of some, as data: what Layout.stack consists of.

    kind: a literal in each subclass; the name of its kind. The fields are part of the digests of
    steps, so none may hold a secret unless it is excluded.
    where: the kickstart's file and line, for messages; not part of the identity.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    where: str | None = Field(default=None, exclude=True)


@dataclass(frozen=True)
class Member:
    """A partition, or another device, that a volume stands on.

    fstype: what parts.FileSystem calls its content. prefix: of such devices' names in a kickstart,
    `pv` for pv.01; None where lines don't name them. minimum_mib: the least that makes sense.
    gpt_type: the GUID of such partitions, mbr_type two hexadecimal digits; None: Linux's own.
    is_named: whether --fstype may say so. spellings: what --fstype may call it besides.
    signature: what blkid(8) calls it. has_id: whether its UUID is its item's.
    """

    fstype: str
    prefix: str | None
    minimum_mib: int
    gpt_type: str | None = None
    mbr_type: str | None = None
    is_named: bool = False
    spellings: tuple[str, ...] = ()
    signature: str = ""
    has_id: bool = False


@dataclass(frozen=True)
class Program:
    """A program of the host, of which the appliance is made; debian, centos: its packages.

    flag: what makes it tell its version, where that decides bytes and no other list has it.
    """

    name: str
    debian: str
    centos: str
    flag: str | None = None

    @property
    def package(self) -> str:
        """Say what to install."""
        same = self.debian == self.centos
        return self.debian if same else f"{self.debian}; {self.centos} on CentOS"


@dataclass(frozen=True)
class Opener:
    """What the image needs to open a volume when it starts.

    program: of the tree. package: of the distribution, which has it. module: dracut's, which
    takes it along. options: of dracut, for files of the tree that it else takes on hosts only.
    argument: what the kernel's arguments that name such a volume begin with (dracut.cmdline(7)),
    `rd.luks` for rd.luks.uuid=; nothing where none do.
    """

    program: str
    package: str
    module: str
    options: tuple[str, ...] = ()
    argument: str = ""


@dataclass(frozen=True)
class File:
    """A file that the installed system has because of its volumes; mode None: an ordinary one."""

    path: str
    text: str
    mode: int | None = None


class Stacking(Protocol):
    """The stack in the making, as a kind of volume that adds to it sees it (stacking.Stack).

    items: what is stacked so far; a kind adds its own. disk_mib: how large the whole disk is.
    aliases: other names by which a line may call a part, such as a RAID's own.
    """

    items: list[Item]
    disk_mib: int
    aliases: dict[str, str]

    @property
    def seed(self) -> str:
        """What all UUIDs derive from."""

    def members(
        self, names: Sequence[str], member: Member, owner: str, where: str,
    ) -> list[tuple[str, int]]:
        """Return the devices and sizes in bytes of members, each of which has one owner only.

        owner: what people call it. Raises InputError for a name that is unknown or taken.
        """

    def type_of(self, request: FormatRequest) -> FsType:
        """Return the file system type of a request; raises InputError where there is none."""

    def take(
        self, request: FormatRequest, fstype: FsType, device: str, size_bytes: int, *,
        on_partition: bool = True,
    ) -> None:
        """Take in a device that is made now: put around it what is asked for, then remember it as
        a member, or put a file system there.

        on_partition: a file system with nothing around it is then the partition's own, and no
        volume's.
        """

    def mount(
        self, request: FormatRequest, fstype: FsType, device: str, size_bytes: int, own: str,
        subvolume: str | None = None,
    ) -> Volume:
        """Return what an item that is itself a file system shows; it is kept if it is mounted.

        own: what tells it from all others, for a UUID where the request has none.
        """


class Kind(Protocol):
    """What every module of volumes/ offers; `item` is an instance of its `model`."""

    @property
    def name(self) -> str:
        """What `kind` is in its items."""

    @property
    def rank(self) -> int:
        """When it is planned: behind those of a lower rank, whose volumes it may stand on."""

    @property
    def label(self) -> str:
        """What people call it in one word or two."""

    @property
    def title(self) -> str:
        """The same where a sentence says that a layout has it."""

    @property
    def model(self) -> type[Item]:
        """The class of its items."""

    @property
    def member(self) -> Member:
        """What its volumes stand on."""

    @property
    def programs(self) -> Sequence[Program]:
        """What makes it in the appliance."""

    @property
    def opener(self) -> Opener:
        """What opens it in the image."""

    @property
    def encrypts(self) -> bool:
        """Whether somebody must give a passphrase, and what was never written reads as noise."""

    @property
    def read_by_grub(self) -> str:
        """What of it GRUB's core image reads, as people call it; nothing where it reads none."""

    def stands_on(self, item: Any) -> tuple[str, ...]:
        """Return the devices below, by their names in the guest."""

    def devices(self, item: Any) -> tuple[str, ...]:
        """Return what the devices that it makes are called in the guest."""

    def is_content(self, item: Any, place: FileSystem) -> bool:
        """Say whether a file system is this very item, as a btrfs is, instead of on its device."""

    def kernel_arguments(self, item: Any, device: str) -> list[str]:
        """Return what dracut must be told to open one of its devices (dracut.cmdline(7))."""

    def files(self, items: Sequence[Any], disk: Disk) -> list[File]:
        """Return the files of the installed system that name its items on a disk, one or more."""

    def grub_drive(self, item: Any, device: str) -> str | None:
        """Return GRUB's name of one of its devices, without brackets; None: that of what is below.
        """

    def grub_modules(self, item: Any) -> list[str]:
        """Return GRUB's modules that read it."""

    def is_read_by_grub(self, item: Any) -> bool:
        """Say whether GRUB's core image, as it is made here, reads it where it is on partitions."""

    def secrets(self, item: Any) -> tuple[str, ...]:
        """Return its passphrases, which decide the image and are shown nowhere."""

    def describe(self, item: Any) -> str:
        """Return it in one line, for `ccis explain`."""

    def modules(self, item: Any) -> Sequence[str]:
        """Return the kernel modules that the appliance needs for it."""

    def make(self, inside: Inside, item: Any, *, zeroed: bool, epoch: int) -> None:
        """Make it; its devices are there afterwards.

        zeroed: what stands below reads as zeroes where nothing was written. epoch: the time that
        goes into what notes its own making. Raises InputError or RuntimeError.
        """

    def stop(self, inside: Inside, item: Any) -> None:
        """End the use of it, so that it is whole on the disk."""


class Composite(Kind, Protocol):
    """A kind that is made of members, by lines of its own; such as RAID, LVM, btrfs."""

    @property
    def requests(self) -> tuple[type[Request], ...]:
        """The classes of what StorageRequest.volumes asks of it."""

    def plan(self, wishes: Sequence[Any], stacking: Stacking) -> None:
        """Add its items, and what is on their devices, to the stack.

        wishes: those of its requests, in the kickstart's order.
        Raises InputError, with file and line, for what cannot be.
        """

    def carriers(self, wishes: Sequence[Any], points: frozenset[str]) -> set[str]:
        """Return the names of the members that some mount points or members stand on."""


class Wrapper(Kind, Protocol):
    """A kind that goes around one device, whatever is on that; such as LUKS."""

    @property
    def request(self) -> type[Request]:
        """The class of what FormatRequest.around asks of it."""

    @property
    def done(self) -> str:
        """What a device is then, in one word."""

    def around(
        self, wish: Any, device: str, size_bytes: int, seed: str, where: str,
    ) -> tuple[Item, str, int]:
        """Return the item around a device, the device inside, and how large that is."""
