"""What is made of partitions, of whatever kind, and what is on that, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from builder.disk.content import Notebook, content
from builder.disk.parts import FsType, Volume
from builder.disk.requests import FormatRequest, Request, StorageRequest
from builder.disk.types import check_size, member_of, type_of
from builder.disk.volume import Composite, Item, Member
from builder.disk.volumes.registry import composites, wrapper_for
from host.errors import InputError


@dataclass
class Stack:
    """The stack in the making; kinds of volumes add to it (volume.Stacking).

    items, volumes: the fields `stack` and `volumes` of the layout.
    parts: the devices that larger ones are made of, by their names in the kickstart, with device,
    size in bytes and the kickstart's line. used: what each of them is a part of.
    """

    requests: StorageRequest
    disk_mib: int
    book: Notebook
    items: list[Item] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)
    parts: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    @property
    def seed(self) -> str:
        """What all UUIDs derive from."""
        return self.book.seed

    def take(
        self, request: FormatRequest, fstype: FsType, device: str, size_bytes: int, *,
        on_partition: bool = True,
    ) -> None:
        """Take in one device: put around it what is asked for, then remember it as a member, or
        put a file system there.

        on_partition: a file system with nothing around it is then the partition's own, and no
        volume's.
        """
        for wish in request.around:
            kind = wrapper_for(wish)
            check_size(request.mountpoint, kind.member.fstype, size_bytes, request.where)
            item, device, size_bytes = kind.around(
                wish, device, size_bytes, self.seed, request.where)
            self.items.append(item)
            on_partition = False
        if member_of(request):
            if request.mountpoint in self.parts:
                raise InputError(f"two devices are called {request.mountpoint}",
                                 where=request.where,
                                 why=f"the first one is at {self.parts[request.mountpoint][2]}")
            check_size(request.mountpoint, fstype, size_bytes, request.where)
            self.parts[request.mountpoint] = (device, size_bytes, request.where)
        elif not on_partition:
            self.volumes.append(Volume(
                device=device, **content(request, fstype, size_bytes, device, self.book)))

    def build(self) -> None:
        """Make everything above the partitions, one kind after the other."""
        for kind in composites():
            kind.plan(_wishes(self.requests, kind), self)
        for name, (_, _, where) in self.parts.items():
            if name not in self.used:
                self.book.note(where, f"{name} is a part of nothing: no raid, volgroup or btrfs "
                                      "line names it")

    def members(
        self, names: Sequence[str], member: Member, owner: str, where: str,
    ) -> list[tuple[str, int]]:
        """Return the devices and sizes of members, each of which has one owner only."""
        found = []
        for said in names:
            name = self.aliases.get(said.removeprefix("/dev/md/").removeprefix("/dev/"), said)
            if name not in self.parts:
                raise InputError(f"{owner}: there is no {name}", where=where,
                                 remedy=f"add: part {name} --size=… "
                                        f"(or another {member.prefix}.NN)")
            if name.partition(".")[0] != member.prefix:
                raise InputError(f"{owner} cannot be made of {name}", where=where,
                                 why=f"its parts are called {member.prefix}.NN")
            if name in self.used:
                raise InputError(f"{name} is used twice", where=where,
                                 why=f"by {self.used[name]} and {owner}")
            self.used[name] = owner
            found.append(self.parts[name][:2])
        return found

    def type_of(self, request: FormatRequest) -> FsType:
        """Return the file system type of a request; raises InputError where there is none."""
        return type_of(request)

    def mount(
        self, request: FormatRequest, fstype: FsType, device: str, size_bytes: int, own: str,
        subvolume: str | None = None,
    ) -> Volume:
        """Return what an item that is itself a file system shows; it is kept if it is mounted.

        own: what tells it from all others, for a UUID where the request has none.
        """
        fields = content(request, fstype, size_bytes, own, self.book)
        shown = Volume(device=device, subvolume=subvolume, **fields)
        if shown.mountpoint:
            self.volumes.append(shown)
        return shown


def carriers(requests: StorageRequest, point: str) -> frozenset[str]:
    """Return the mount points and members that `point` stands on, itself among them."""
    found = frozenset({point})
    for kind in reversed(composites()):
        found |= kind.carriers(_wishes(requests, kind), found)
    return found


def _wishes(requests: StorageRequest, kind: Composite) -> list[Request]:
    return [wish for wish in requests.volumes if isinstance(wish, kind.requests)]
