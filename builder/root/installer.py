"""The installer's environment, in which %pre and --nochroot scripts run: the host's programs,
nothing else of the host, and the image's disk under the names /dev/vda and /dev/sda."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from builder.disk.loop import loop_device
from builder.root.shims import REAL_FOLDERS, installer_shims
from builder.tree.sandbox import Sandbox
from builder.tree.tree import resolve_inside
from host.errors import HostError, from_os_error

log = logging.getLogger("ccis.script")

DISK_NAMES = ("/dev/vda", "/dev/sda")
SYSIMAGE = ("/mnt/sysimage", "/mnt/sysroot")
# Below the sandbox's own /dev: in the installer's folders a script could put a link in its way.
_SHIMS = "/dev/.installer"
_FOLDERS = {
    "tmp": 0o1777, "run": 0o755, "root": 0o700, "var/tmp": 0o1777, "var/log": 0o755,
    "var/lib": 0o755, "mnt/sysimage": 0o755, "mnt/sysroot": 0o755, "etc": 0o755, "usr": 0o755,
    "dev": 0o755, "proc": 0o555, "sys": 0o555, "home": 0o755, "media": 0o755, "opt": 0o755,
    "srv": 0o755,
}
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
    "etc/group": "root:x:0:\ndisk:x:6:\ntty:x:5:\nnobody:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "etc/hosts": "127.0.0.1 localhost localhost.localdomain\n::1 localhost\n",
    "etc/hostname": "localhost.localdomain\n",
    "etc/resolv.conf": "",
}
# Of the host's /etc: what its programs need to start, nothing that is anybody's secret.
_COPIED = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "mke2fs.conf")


def prepare(root: Path) -> None:
    """Make the folders and files of a fresh installer below `root`; scripts may change them."""
    for name, mode in _FOLDERS.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(mode)
    for name, text in _FILES.items():
        (root / name).write_text(text, encoding="utf-8")
    for name in ("bin", "sbin", "lib", "lib64"):
        host = Path("/", name)
        if host.is_symlink():
            (root / name).symlink_to(host.readlink())
    for name in _COPIED:
        host, copy = Path("/etc", name), root / "etc" / name
        if host.is_dir():
            shutil.copytree(host, copy, symlinks=True)
        elif host.is_file():
            shutil.copyfile(host, copy)
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    (root / "etc/mtab").symlink_to("/proc/self/mounts")


@dataclass(frozen=True)
class Installer:
    """An installer's environment. root: its kept folders. sandbox: where its scripts run."""

    root: Path
    sandbox: Sandbox
    mounts: Mapping[str, Path] = field(default_factory=dict)

    def place(self, inside: str) -> Path:
        """Return the host's path of a path that a script sees."""
        for folder, outside in self.mounts.items():
            if inside == folder or inside.startswith(f"{folder}/"):
                return resolve_inside(outside, inside.removeprefix(folder) or "/")
        return resolve_inside(self.root, inside)


def environment(
    root: Path, scratch: Path, device: Path, size_bytes: int, arguments: str,
    tree: Path | None = None,
) -> Installer:
    """Return the environment around the folders that prepare() made.

    scratch: an empty folder for our own files. device: the block device that is the disk.
    arguments: what images/*.yaml adds to the installer's command line.
    tree: what is shown at /mnt/sysimage and /mnt/sysroot, with its own /proc, /sys, /dev, /run.
    """
    binds = {"/usr": Path("/usr"), **kernel_files(scratch, size_bytes, arguments)}
    for name, text in installer_shims().items():
        shim = scratch / f"shim-{name}"
        shim.write_text(text, encoding="utf-8")
        shim.chmod(0o755)
        binds[f"{_SHIMS}/{name}"] = shim
        for folder in REAL_FOLDERS:
            if Path(folder, name).is_file():
                binds[f"{folder}/{name}"] = shim
    mounts = dict.fromkeys(SYSIMAGE, tree) if tree else {}
    return Installer(root, Sandbox(
        root, 1, binds=binds, writable=mounts, path=_SHIMS, kept_run=True,
        devices=dict.fromkeys(DISK_NAMES, device), guests=tuple(mounts),
        largest_file_bytes=size_bytes,
    ), mounts)


def kernel_files(scratch: Path, size_bytes: int, arguments: str) -> dict[str, Path]:
    """Return files that take the place of the kernel's: what scripts ask of the one disk.

    They are written into `scratch`; /proc/cmdline is as when the installer was started with a
    kickstart.
    """
    texts = {
        "/proc/cmdline": f"inst.ks=file:/run/install/ks.cfg inst.text {arguments}".strip() + "\n",
        "/proc/partitions": "major minor  #blocks  name\n\n"
                            f" 252        0 {size_bytes // 1024:>10} vda\n",
        "/sys/block/vda/size": f"{size_bytes // 512}\n",
    }
    files = {}
    for place, text in texts.items():
        file = scratch / place.strip("/").replace("/", "-")
        file.write_text(text, encoding="utf-8")
        files[place] = file
    files["/sys/class/block/vda/size"] = files["/sys/block/vda/size"]
    return files


@contextmanager
def disk_device(file: Path) -> Iterator[Path]:
    """Yield the block device that shows a disk's file; the file itself where there is none to have.

    parted, sfdisk, sgdisk and dd take both; `[ -b /dev/vda ]` is true of the device only.
    """
    with ExitStack() as stack:
        try:
            device = stack.enter_context(loop_device(file, 0, file.stat().st_size))
        except HostError as error:
            log.warning("scripts see /dev/vda as a file, not as a block device: %s", error)
            device = file
        yield device


def make_disk(file: Path, size_bytes: int) -> None:
    """Make the empty disk: a file without blocks."""
    try:
        with file.open("wb") as stream:
            stream.truncate(size_bytes)
    except OSError as error:
        raise from_os_error(error, "making the scratch disk") from error
