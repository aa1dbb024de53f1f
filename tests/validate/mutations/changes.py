"""What a mutation does to the model image: small strokes, by name."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import Any

from tests.validate.mutations.files import KERNEL
from tests.validate.mutations.good import Change, Model, label, package
from tests.validate.small_views import File, Folder, Link
from validate.listing import Node

ENTRY = f"/boot/loader/entries/centos-{KERNEL}.conf"
SSHD_FIRST = "/etc/ssh/sshd_config.d/00-first.conf"


def touch(path: str, text: str = "", *, loose: bool = False, **more: Any) -> Change:
    """Make a file that is its package's, or of none (loose)."""
    def change(m: Model) -> None:
        m.files[path] = File(text, label=label(path), **more)
        if loose:
            m.loose.add(path)
    return change


def append(path: str, line: str) -> Change:
    """Add a line."""
    return edit(path, "", line + "\n", at_end=True)


def edit(path: str, old: str, new: str, *, at_end: bool = False) -> Change:
    """Put a text in the place of another."""
    def change(m: Model) -> None:
        one = m.files[path]
        text = one.text + new if at_end else one.text.replace(old, new)
        assert text != one.text, f"{path} has no {old!r}"
        m.files[path] = replace(one, text=text)
    return change


def remove(*paths: str) -> Change:
    def change(m: Model) -> None:
        for path in paths:
            del m.files[path]
    return change


def put(path: str, what: Any) -> Change:
    def change(m: Model) -> None:
        m.files[path] = what
    return change


def mode(path: str, bits: int) -> Change:
    def change(m: Model) -> None:
        one = m.files[path]
        m.files[path] = replace(one, mode=bits)
    return change


def owner(path: str, uid: int) -> Change:
    def change(m: Model) -> None:
        m.files[path] = replace(m.files[path], uid=uid, gid=uid)
    return change


def stale(path: str, **changes: Any) -> Change:
    """Say that the package has a file otherwise."""
    def change(m: Model) -> None:
        m.stale[path] = changes
    return change


def install(name: str, **more: Any) -> Change:
    """One package more, in the database and in build.json."""
    def change(m: Model) -> None:
        one = package(name, m.version, **more)
        m.packages.append(one)
        _record(m)
    return change


def uninstall(*names: str) -> Change:
    def change(m: Model) -> None:
        assert {one.name for one in m.packages} >= set(names)
        m.packages = [one for one in m.packages if one.name not in names]
        _record(m)
    return change


def header(name: str, **changes: Any) -> Change:
    """Change what the database says of a package."""
    def change(m: Model) -> None:
        m.packages = [replace(one, **changes) if one.name == name else one for one in m.packages]
        _record(m)
    return change


def _record(m: Model) -> None:
    first = m.record.packages[0]
    m.record = m.record.model_copy(update={"packages": [
        first.model_copy(update={
            "name": one.name, "version": one.version, "arch": one.arch, "epoch": one.epoch,
            "release": one.release})
        for one in [*m.packages, package("filesystem", m.version)]]})


def argument(word: str, *, first: bool = False) -> Change:
    """Add a kernel argument, for good."""
    def change(m: Model) -> None:
        for path in (ENTRY, "/etc/kernel/cmdline", "/etc/default/grub"):
            text = m.files[path].text
            old = "console=tty0"
            new = f"{word} {old}" if first or word.startswith("console") is False else f"{old}"
            m.files[path] = replace(m.files[path], text=text.replace(old, new))
    return change


def arguments(old: str, new: str) -> Change:
    """Change kernel arguments, for good."""
    def change(m: Model) -> None:
        for path in (ENTRY, "/etc/kernel/cmdline", "/etc/default/grub"):
            text = m.files[path].text
            assert old in text, f"{path} has no {old}"
            m.files[path] = replace(m.files[path], text=text.replace(old, new))
    return change


def sshd(line: str) -> Change:
    """A drop-in of sshd's that comes first."""
    return touch(SSHD_FIRST, line + "\n", mode=0o600)


def cloud(text: str) -> Change:
    """A file of cloud-init's configuration that comes last."""
    return touch("/etc/cloud/cloud.cfg.d/99-last.cfg", text + "\n")


def unit(name: str, target: str = "multi-user.target") -> Change:
    """A unit that is there and enabled."""
    def change(m: Model) -> None:
        path = f"/usr/lib/systemd/system/{name}"
        m.files[path] = File("[Unit]\n", label=label(path))
        m.files[f"/etc/systemd/system/{target}.wants/{name}"] = Link(path)
    return change


def disable(name: str) -> Change:
    def change(m: Model) -> None:
        paths = [path for path in m.files if path.startswith("/etc/systemd/system/")
                 and posixpath.basename(path) == name]
        assert paths, name
        for path in paths:
            del m.files[path]
    return change


def mask(name: str) -> Change:
    return put(f"/etc/systemd/system/{name}", Link("/dev/null"))


def without_module(name: str) -> Change:
    """Take a driver out of the kernel's index and the initramfs."""
    def change(m: Model) -> None:
        path = f"/usr/lib/modules/{KERNEL}/modules.dep"
        lines = m.files[path].text.splitlines(keepends=True)
        kept = [line for line in lines if f"/{name}.ko" not in line]
        assert kept != lines, name
        m.files[path] = replace(m.files[path], text="".join(kept))
    return change


def initramfs_without(name: str) -> Change:
    path = f"/boot/initramfs-{KERNEL}.img"
    return edit(path, f"/{name}.ko", f"/{'x' * len(name)}.ko")


def initramfs_with(name: str) -> Change:
    """Rename a file of the initramfs; the name has its length."""
    def change(m: Model) -> None:
        path = f"/boot/initramfs-{KERNEL}.img"
        old = f"usr/lib/modules/{KERNEL}/kernel/xen-netfront.ko.xz"
        m.files[path] = replace(
            m.files[path], text=m.files[path].text.replace(old, name.ljust(len(old), "k")))
    return change


def disk(**changes: Any) -> Change:
    def change(m: Model) -> None:
        assert m.disk is not None
        m.disk = replace(m.disk, **changes)
    return change


def partitions(number: int, **changes: Any) -> Change:
    """Change one partition."""
    def change(m: Model) -> None:
        assert m.disk is not None
        m.disk = replace(m.disk, partitions=[
            replace(one, **changes) if one.number == number else one
            for one in m.disk.partitions])
    return change


def filesystem(mountpoint: str, **changes: Any) -> Change:
    """Change a file system of the disk."""
    def change(m: Model) -> None:
        assert m.disk is not None
        new = replace(m.disk.mounted[mountpoint], **changes)
        m.disk = replace(m.disk, mounted={**m.disk.mounted, mountpoint: new}, filesystems=[
            new if one.mountpoint == mountpoint else one for one in m.disk.filesystems])
    return change


def relabel(path: str, kind: str) -> Change:
    def change(m: Model) -> None:
        m.files[path] = replace(m.files[path], label=f"system_u:object_r:{kind}:s0")
    return change


def artefact(**changes: Any) -> Change:
    """Change what is known of the file."""
    def change(m: Model) -> None:
        assert m.artefact is not None
        m.artefact = replace(m.artefact, **changes)
    return change


def both(*changes: Change) -> Change:
    def change(m: Model) -> None:
        for one in changes:
            one(m)
    return change


def xattr(path: str, name: str, value: bytes) -> Change:
    def change(m: Model) -> None:
        m.xattrs[path] = {name: value}
    return change


def record(**changes: Any) -> Change:
    def change(m: Model) -> None:
        m.record = m.record.model_copy(update=changes)
    return change


def special(path: str) -> Change:
    """A FIFO."""
    def change(m: Model) -> None:
        m.files[path] = Node(path, 0o010644, label=label(path))
    return change


__all__ = ["Folder", "Link"]
