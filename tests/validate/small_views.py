"""Small images as data, for the checks: files by path, the rest as little as will do."""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from images.record import BuildRecord, Package
from specs.kind import Check
from validate.artefact import ArtefactFacts
from validate.boot.guest import Answer, Guest
from validate.disk import BIOS_BOOT, EFI_SYSTEM, PREP_BOOT, DiskFacts, FileSystem, Partition
from validate.listing import Listing, Node
from validate.registry import questions
from validate.rpmdb import Installed
from validate.view import View

LABEL = "system_u:object_r:etc_t:s0"


@dataclass(frozen=True)
class File:
    text: str = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    label: str = LABEL
    size_bytes: int | None = None
    binary: bool = False


@dataclass(frozen=True)
class Folder:
    mode: int = 0o755
    label: str = LABEL
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Link:
    target: str


Files = Mapping[str, "str | File | Folder | Link | Node"]


def tree_of(files: Files) -> tuple[Listing, dict[str, bytes]]:
    entries: dict[str, Node] = {"/": Node("/", stat.S_IFDIR | 0o755, label=LABEL)}
    if isinstance(root := files.get("/"), Folder):
        entries["/"] = Node("/", stat.S_IFDIR | root.mode, label=root.label)
    contents: dict[str, bytes] = {}
    for path, given in files.items():
        if path == "/":
            continue
        parent = posixpath.dirname(path)
        while parent not in entries:
            entries[parent] = Node(parent, stat.S_IFDIR | 0o755, label=LABEL)
            parent = posixpath.dirname(parent)
        if isinstance(given, Link):
            entries[path] = Node(path, stat.S_IFLNK | 0o777, target=given.target, label=LABEL)
        elif isinstance(given, Node):
            entries[path] = given
        elif isinstance(given, Folder):
            entries[path] = Node(
                path, stat.S_IFDIR | given.mode, given.uid, given.gid, label=given.label)
        else:
            one = File(given) if isinstance(given, str) else given
            contents[path] = one.text.encode("latin-1" if one.binary else "utf-8")
            size = len(contents[path]) if one.size_bytes is None else one.size_bytes
            entries[path] = Node(
                path, stat.S_IFREG | one.mode, one.uid, one.gid, size, label=one.label)
    return Listing(entries.values()), contents


def view_of(
    files: Files, *, packages: Sequence[Installed] = (), disk: DiskFacts | None = None,
    artefact: ArtefactFacts | None = None, record: BuildRecord | None = None,
) -> View:
    tree, contents = tree_of(files)
    return View(
        tree=tree, read=lambda path, count: contents[path][:count],
        list_packages=lambda _folder: list(packages), arch="x86_64", shape="disk",
        artefact=artefact, disk=disk, record=record,
    )


def package(name: str, *, signed: bool = True) -> Installed:
    return Installed(name, 0, "1", "1", "noarch", signed)


def record_of(*names: str) -> BuildRecord:
    return BuildRecord(
        name="x", image="x", flavour="X", release="r", distribution="C", version="10",
        arch="x86_64", build_id="20260101.0", public_path="p", spec="baseline", engine="direct",
        engine_reason="r", kickstart="k", kickstart_sha256="0", digest="0", source_date_epoch=0,
        repositories=[], artefacts=[], steps=[], tools={},
        packages=[Package(name=name, epoch=0, version="1", release="1", arch="noarch",
                          repository="r", sha256="0") for name in names],
    )


def disk_of(
    *, scheme: str = "gpt", order: str = "ber", root_type: str = "xfs",
    boot_sector: bytes = b"\xeb" + bytes(509) + b"\x55\xaa", boot_area: bytes = b"\x01",
) -> DiskFacts:
    """order: which partition follows which: b BIOS boot, e EFI system, r root, d data."""
    types = {"b": BIOS_BOOT, "e": EFI_SYSTEM, "p": PREP_BOOT, "r": "", "d": ""}
    partitions = [
        Partition(number, number << 20, 1 << 20, types[letter], f"part-{letter}",
                  f"/dev/sda{number}")
        for number, letter in enumerate(order, start=1)
    ]
    devices = {letter: one.device for letter, one in zip(order, partitions, strict=True)}
    root = FileSystem(devices["r"], root_type, "1111-root", "root", "part-r", "/")
    filesystems = [root]
    mounted = {"/": root}
    if "e" in devices:
        esp = FileSystem(devices["e"], "vfat", "AAAA-BBBB", "", "part-e", "/boot/efi")
        filesystems.append(esp)
        mounted["/boot/efi"] = esp
    return DiskFacts(1 << 30, scheme, partitions, filesystems, boot_sector, boot_area, mounted)


def volumes_of(*, order: str = "bep", subvolume: str | None = None) -> DiskFacts:
    """As disk_of, with the root on a volume of partition p: cs/root, or on a btrfs there."""
    disk = disk_of(order=order.replace("p", "r"))
    root = disk.mounted["/"]
    under = root.device
    if subvolume:
        root = replace(root, type="btrfs", partitions=(under,), subvolume=subvolume,
                       subvolumes=("root", "home"))
    else:
        root = replace(root, device="/dev/mapper/cs-root", kinds=("crypt", "lvm"),
                       partitions=(under,), names=("/dev/mapper/cs-root", "/dev/cs/root"))
    return replace(disk, filesystems=[root], mounted={"/": root})


def guest_of(check: Check, outputs: Sequence[str], **more: object) -> Guest:
    """A guest that gives these answers, in the order in which the check asks."""
    asked = questions(check)
    answers = {
        command: Answer(output, 0) for command, output in zip(asked, outputs, strict=True)
    }
    known: dict[str, object] = {
        "firmware": "bios", "hostname": "ccis-1", "user": "cloud-user",
        "public_key": "ssh-ed25519 AAAA me", "answers": answers, "as_root": True,
        "ways_in": {"root": ["publickey"], "cloud-user": ["publickey"]}, "console_keys": [],
        "connected_key": "ssh-ed25519 KEY", "disk_bytes": 14 << 30, "started_s": 1_000_000.0,
    }
    return Guest(**{**known, **more})  # type: ignore[arg-type]
