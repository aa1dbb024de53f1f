"""A small root tree with one of everything that an archive of it must keep, or leave out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from builder.artefact import About

EPOCH = 1_700_000_000
CAPABILITY = b"\x01\x00\x00\x02\x00\x20" + bytes(14)  # cap_net_raw+ep, as setcap writes it


def about(arch: str = "x86_64") -> About:
    return About(
        title="CentOS Stream 10 Container-Base", image="container-base", flavour="Container-Base",
        distribution="CentOS-Stream", version="10", arch=arch, epoch=EPOCH,
    )


def make_tree(root: Path) -> Path:
    for folder in ("boot", "dev", "etc", "proc", "run/lock", "sys", "usr/bin", "usr/lib/modules/6"):
        (root / folder).mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    for path in ("boot/vmlinuz-6", "usr/lib/modules/6/e1000.ko", "run/lock/yum", "etc/resolv.conf"):
        (root / path).write_text(path)
    os.mknod(root / "dev/null", 0o020666, os.makedev(1, 3))
    os.mknod(root / "etc/device", 0o020640, os.makedev(1, 5))

    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    os.link(root / "etc/hosts", root / "etc/hosts.too")
    (root / "etc/late").write_text("made after the epoch")
    (root / "usr/bin/bash").write_bytes(b"\x7fELF")
    (root / "usr/bin/ping").write_bytes(b"\x7fELF ping")
    (root / "usr/bin/su").write_bytes(b"\x7fELF su")
    os.chown(root / "usr/bin/su", 0, 6)
    (root / "usr/bin/su").chmod(0o4750)
    os.setxattr(root / "usr/bin/ping", "security.capability", CAPABILITY)
    for path in ("usr/bin/ping", "etc", "etc/hosts"):
        os.setxattr(root / path, "security.selinux", b"system_u:object_r:etc_t:s0\0")
    subprocess.run(["setfacl", "-m", "u:1:r", root / "etc/late"], check=True)
    long_name = root / "usr/share" / ("d" * 120)
    long_name.mkdir(parents=True)
    (long_name / ("ü" * 100)).write_text("a name beyond 100 and 256 bytes")
    with (root / "etc/holes").open("wb") as stream:
        stream.truncate(2 << 20)
        stream.seek(1 << 20)
        stream.write(b"data between holes")
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, ns=(0, (EPOCH - 1000) * 10**9 + 5), follow_symlinks=False)
    os.utime(root / "etc/late", (EPOCH + 77, EPOCH + 77))
    os.utime(root, (EPOCH - 5, EPOCH - 5))
    return root


def described(root: Path, *, without: Iterable[str] = ()) -> dict[str, tuple[object, ...]]:
    """Everything that matters of each path; without: folders whose content does not count."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [root, *sorted(root.rglob("*"))]:
        name = str(path.relative_to(root))
        if any(name.startswith(f"{folder}/") for folder in without):
            continue
        status = path.lstat()
        content = (str(path.readlink()) if path.is_symlink()
                   else path.read_bytes() if path.is_file() else b"")
        attributes = {
            key: os.getxattr(path, key, follow_symlinks=False)
            for key in sorted(os.listxattr(path, follow_symlinks=False))
            if key != "security.selinux"
        }
        found[name] = (
            oct(status.st_mode), status.st_uid, status.st_gid, status.st_rdev,
            min(int(status.st_mtime), EPOCH), status.st_nlink if path.is_file() else 0,
            content, attributes,
        )
    return found


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack as whoever wants everything would."""
    folder.mkdir()
    subprocess.run(
        ["tar", "-xpf", archive, "-C", folder, "--numeric-owner", "--xattrs", "--xattrs-include=*"],
        check=True)
    return folder
