"""Opens a finished disk image, read-only, inside libguestfs's appliance.

Nothing of an image is mounted on the host or executed anywhere; sizes and times are bounded.
The appliance is started once, and asked little and much at a time: under TCG each call counts.
"""

from __future__ import annotations

import base64
import posixpath
import resource
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from host.appliance import (
    MEMORY_MIB,
    ApplianceError,
    Drive,
    GuestFS,
    open_appliance,
    shell,
)
from host.errors import InputError
from host.patterns import pattern
from host.scratch import scratch_folder
from images.record import BuildRecord
from validate.artefact import ArtefactFacts
from validate.blocks import opened
from validate.content import Content, ReadFile
from validate.disk import BIOS_BOOT, DiskFacts, parse_table
from validate.key import Key
from validate.listing import FIND_FORMAT, Listing, parse
from validate.mounts import mount
from validate.rpmdb import Installed, query
from validate.stack import filesystems
from validate.view import View

TIMEOUT_S = 600
LISTING_BYTES_MAX = 128 << 20
"""About a million files: many times what any image of ours holds."""
DATABASE_BYTES_MAX = 512 << 20
_CALL_BYTES = 3 << 20
"""libguestfs carries at most 4 MiB in one answer (GUESTFS_MESSAGE_MAX)."""
_NO_FAULTS = r"getfilecon failed\|File system loop detected"
_DATABASE_FILES_MAX = 64
_DATABASE_NAME = r"[A-Za-z0-9._-]{1,100}"
_CONTROL_S = 180
_BOOT_AREA_BYTES = 4096
_MEMORY_MIB_FOR_KEYS = 2048
"""cryptsetup makes keys that take up to 1 GiB to open (argon2id, its default)."""
_LABEL, _DISK = "image", "/dev/sda"
"""The image, as a shell in the appliance finds it, and as libguestfs's calls name it."""
_MACHINES = {0x3E: "x86_64", 0xB7: "aarch64", 0x15: "ppc64le", 0x16: "s390x"}


@contextmanager
def open_image(
    facts: ArtefactFacts, record: BuildRecord | None, key: Key | None = None, *,
    memory_bytes: int | None = None,
) -> Iterator[View]:
    """Yield what the checks see of a disk image.

    key: opens its LUKS containers. memory_bytes: from the start of the appliance on, so much more
    memory may this process take; None sets no bound. What needs more gets a MemoryError.
    Raises InputError when there is no root file system in it, it is broken, it keeps an appliance
    from working that works without it, or it is encrypted and the key does not open it; HostError
    when no appliance starts.
    """
    with mounted_image(facts, key) as (g, disk):
        if memory_bytes is not None:
            bound_memory(memory_bytes)
        tree = _tree(g)
        with opened(facts) as read_disk:
            content = Content(
                g, disk, tree, read_disk, listing, lambda path, count: _read(g, path, count))
            yield View(
                tree=tree, read=content.read,
                list_packages=lambda folder: packages(tree, folder, content.read),
                arch=arch_of(tree, content.read), shape="disk", artefact=facts, disk=disk,
                record=record, hash_files=content.sha256, list_xattrs=content.xattrs,
                read_disk=read_disk,
            )


@contextmanager
def mounted_image(facts: ArtefactFacts, key: Key | None) -> Iterator[tuple[GuestFS, DiskFacts]]:
    """Yield an appliance that has an image's tree mounted, and what is on the disk around it.

    Parameters and errors are those of open_image().
    """
    assert facts.self_contained
    drive = Drive(facts.path.resolve(), facts.format, _LABEL)
    try:
        with open_appliance(
            [drive], readonly=True, timeout_s=TIMEOUT_S,
            memory_mib=_MEMORY_MIB_FOR_KEYS if key else MEMORY_MIB,
        ) as g, _blamed(g):
            yield g, _disk(g, key)
    except RuntimeError as error:
        raise InputError(
            "reading the image broke the appliance that read it", where=str(facts.path),
            why=str(error),
        ) from error
    except ApplianceError as error:
        if not _starts_without():
            raise
        raise InputError(
            "the image keeps the appliance that reads it from working", where=str(facts.path),
            why=str(error), remedy="the appliance works without it: look for what is odd in its "
            "partition table, RAID, LVM or file systems",
        ) from error


def _starts_without() -> bool:
    """Tell whether the appliance starts with an empty disk: else this host is to blame."""
    with scratch_folder("control") as folder:
        blank = folder / "blank.raw"
        with blank.open("wb") as stream:
            stream.truncate(1 << 20)
        try:
            with open_appliance([Drive(blank, "raw")], readonly=True, timeout_s=_CONTROL_S):
                return True
        except (ApplianceError, RuntimeError):
            return False


def bound_memory(more_bytes: int) -> None:
    """Let this process, and what it starts from now on, take so much more address space."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (
        wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


@contextmanager
def _blamed(g: GuestFS) -> Iterator[None]:
    """Blame the image for a call that fails while the appliance itself still answers."""
    try:
        yield
    except RuntimeError as error:
        try:
            g.ping_daemon()
        except RuntimeError:
            raise error from None
        raise InputError("the image can't be read", why=str(error)) from error


def _disk(g: GuestFS, key: Key | None) -> DiskFacts:
    """Ask sfdisk and blkid; libguestfs's own calls start dozens of programs."""
    real = shell(g, f"udevadm settle; readlink -f /dev/disk/guestfs/{_LABEL}").strip()
    table = shell(g, f"sfdisk --json {real} 2>&1 || true")
    scheme, partitions = parse_table(table.replace(real, _DISK))
    found = filesystems(g, real, _DISK, key)
    done = mount(g, found)
    mounted = {point: replace(one, mountpoint=point) for point, one in done.at.items()}
    placed = {one.device: one for one in reversed(mounted.values())}
    area = next((one for one in partitions if one.type_guid == BIOS_BOOT), None)
    return DiskFacts(
        size_bytes=g.blockdev_getsize64(_DISK), scheme=scheme, partitions=partitions,
        filesystems=[placed.get(one.device, one) for one in found],
        boot_sector=_at(g, 512, 0),
        boot_area=_at(g, _BOOT_AREA_BYTES, area.start_bytes if area else 512),
        mounted=mounted, mount_faults=tuple(done.faults),
    )


def _at(g: GuestFS, count_bytes: int, offset_bytes: int) -> bytes:
    """Return bytes of the disk, none from behind its end."""
    try:
        return bytes(g.pread_device(_DISK, count_bytes, offset_bytes))
    except RuntimeError:
        g.ping_daemon()
        return b""


def _tree(g: GuestFS) -> Listing:
    """List every file with one find(1) in the appliance: thousands of calls would take minutes."""
    return parse(listing(g, rf"find . -printf '{FIND_FORMAT}'"))


def listing(g: GuestFS, command: str) -> bytes:
    """Return what shell commands in the appliance print; their folder is the image's root.

    `debug sh` is libguestfs's way to a shell in the appliance itself, not in the image; what is
    listed is packed, because an answer is text without NUL and of limited size.
    Raises InputError when they complain of anything, or print more than LISTING_BYTES_MAX.
    """
    script = (
        "set -e; cd /sysroot; export LC_ALL=C; "
        f"{{ {command}; }} 2>/tmp/faults | head -c {LISTING_BYTES_MAX} | gzip -1 "
        "| base64 -w0 >/tmp/listing; "
        # A file without a label is for the rules to judge, and a mount of a tree within itself (a
        # btrfs below one of its subvolumes) is left out; all else that find says is a fault.
        rf"grep -v '^find: \({_NO_FAULTS}\)' /tmp/faults | head -c 1000 >&2; "
        "stat -c %s /tmp/listing"
    )
    said = shell(g, script).strip()
    if not said.isdigit():
        raise InputError("the image's files can't be listed", why=said[-500:])
    size_bytes = int(said)
    pages = -(-size_bytes // _CALL_BYTES)
    packed = "".join(
        shell(g, f"dd if=/tmp/listing bs={_CALL_BYTES} skip={page} count=1 status=none")
        for page in range(pages)
    )
    unpacked = zlib.decompress(base64.b64decode(packed), wbits=31)
    if len(unpacked) >= LISTING_BYTES_MAX:
        raise InputError("the image holds more files than any image would")
    return unpacked


def _read(g: GuestFS, path: str, count_bytes: int) -> bytes:
    content = b""
    with _blamed(g):
        path = _named(path)
        while len(content) < count_bytes:
            part = g.pread(path, min(count_bytes - len(content), _CALL_BYTES), len(content))
            if not part:
                break
            content += part
    return content


def _named(path: str) -> str:
    """Return a path that libguestfs can be given; raises InputError for one that is not UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise InputError("a file whose name is not UTF-8 is not read", why=path) from error
    return path


def packages(tree: Listing, folder: str, read: ReadFile) -> list[Installed]:
    """Return the packages of the rpm database in a folder of an image.

    read: gives the first bytes of a file. Raises InputError for a database that can't be read.
    """
    files = [one for one in tree.children(folder) if one.is_file]
    if len(files) > _DATABASE_FILES_MAX or (
            sum(one.size_bytes for one in files) > DATABASE_BYTES_MAX):
        raise InputError("the image's rpm database is larger than any of ours would be")
    with scratch_folder("rpmdb") as scratch:
        copy = scratch / "db"
        copy.mkdir(mode=0o700)
        for one in files:
            name = posixpath.basename(one.path)
            if pattern(_DATABASE_NAME).fullmatch(name) is None:
                raise InputError("the image's rpm database has a file of an odd name", why=name)
            (copy / name).write_bytes(
                read(one.path, one.size_bytes))
        return query(copy)


def arch_of(tree: Listing, read: ReadFile) -> str:
    """Return what the image's shell was compiled for, from its ELF header (elf(5))."""
    for path in ("/usr/bin/bash", "/bin/bash", "/usr/bin/sh", "/usr/lib/systemd/systemd"):
        entry = tree.resolve(path)
        if entry is not None and entry.is_file:
            head = read(entry.path, 20)
            order: Literal["big", "little"] = "big" if head[5:6] == b"\x02" else "little"
            machine = int.from_bytes(head[18:20], order)
            if head[:4] == b"\x7fELF" and machine in _MACHINES:
                return _MACHINES[machine]
    return "unknown"
