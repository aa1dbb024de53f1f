"""The installer's environment, in which %pre and --nochroot scripts run: the host's programs,
nothing else of the host, and the image's disk under the names /dev/vda and /dev/sda."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from builder.disk.loop import loop_device
from builder.sandbox.proc import COMMAND_LINE
from builder.sandbox.sandbox import Sandbox
from builder.scripting.shims import REAL_FOLDERS, installer_shims
from host.errors import HostError, from_os_error
from images.bounds import DEFAULTS, Bounds

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


def environment(
    root: Path, device: Path, size_bytes: int, arguments: str, tree: Path | None = None, *,
    bounds: Bounds = DEFAULTS, counted: Sequence[Path] = (),
) -> Sandbox:
    """Return the sandbox around the folders that prepare() made.

    device: the block device that is the disk. arguments: what images/*.yaml adds to the
    installer's command line. tree: what is shown at /mnt/sysimage and /mnt/sysroot, with its own
    /proc, /sys, /dev, /run. bounds: what each script may use. counted: where what scripts write
    to the tree lands.
    """
    mounts = dict.fromkeys(SYSIMAGE, tree) if tree else {}
    return Sandbox(
        root, 1, binds={"/usr": Path("/usr"), **_shell()}, programs=programs(installer_shims()),
        writable=mounts, path=_SHIMS, kept_run=True, terminals=True,
        devices=dict.fromkeys(DISK_NAMES, device), guests=tuple(mounts),
        files=kernel_files(size_bytes, arguments), largest_file_bytes=size_bytes,
        bounds=bounds, counted=(root, *counted),
    )


def _shell() -> dict[str, Path]:
    """Return what takes the place of the host's /bin/sh: in an installer it is bash, and scripts
    say `function` and `[[` to it, which Debian's dash does not know."""
    shell, bash = Path("/usr/bin/sh"), Path("/usr/bin/bash")
    return {str(shell): bash} if bash.exists() and not shell.samefile(bash) else {}


def programs(texts: Mapping[str, str]) -> dict[str, str]:
    """Return texts of programs by the paths at which the installer has them: nobody's package."""
    found = {}
    for name, text in texts.items():
        found[f"{_SHIMS}/{name}"] = text
        for folder in REAL_FOLDERS:
            if Path(folder, name).is_file():
                found[f"{folder}/{name}"] = text
    return found


def kernel_files(size_bytes: int, arguments: str) -> dict[str, str]:
    """Return texts in the place of the kernel's: what scripts ask of the one disk.

    /proc/cmdline is as when the installer was started with a kickstart.
    """
    size = f"{size_bytes // 512}\n"
    return {
        "/proc/cmdline": f"{COMMAND_LINE} {arguments}".strip() + "\n",
        "/proc/partitions": "major minor  #blocks  name\n\n"
                            f" 252        0 {size_bytes // 1024:>10} vda\n",
        "/sys/block/vda/size": size, "/sys/class/block/vda/size": size,
    }


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
