"""Programs and Python modules, by the step that needs them, with the packages they come in."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from builder.disk.volumes.registry import all_kinds
from ccis.doctor.registry import Host, LackError, check


@dataclass(frozen=True)
class Source:
    """The package that brings something, by family of distributions."""

    debian: str
    centos: str

    @property
    def here(self) -> str:
        """The name on this host."""
        return self.debian if shutil.which("apt-get") else self.centos


def _same(name: str) -> Source:
    return Source(name, name)


_UTIL_LINUX = _same("util-linux")
_GNUPG = Source("gnupg", "gnupg2")
_E2FS, _XFS, _MTOOLS = _same("e2fsprogs"), _same("xfsprogs"), _same("mtools")

_TOOLS: Mapping[str, Mapping[str, Source]] = {
    "packages": {
        "rpm": _same("rpm"), "rpmkeys": _same("rpm"), "bwrap": _same("bubblewrap"),
        "zstd": _same("zstd"), "tar": _same("tar"), "setpriv": _UTIL_LINUX, "unshare": _UTIL_LINUX,
        "mount": Source("mount", "util-linux"),
    },
    "labels": {"setfiles": _same("policycoreutils")},
    "disk": {
        "sfdisk": Source("fdisk", "util-linux"), "losetup": Source("mount", "util-linux"),
        "mke2fs": _E2FS, "mkfs.xfs": _XFS, "mkfs.vfat": _same("dosfstools"), "mcopy": _MTOOLS,
        "mmd": _MTOOLS,
    },
    "artefacts": {
        "qemu-img": Source("qemu-utils", "qemu-img"), "xz": Source("xz-utils", "xz"),
    },
    "publish": {"gpg": _GNUPG, "gpgv": Source("gpgv", "gnupg2"),
                "gpg-agent": Source("gpg-agent", "gnupg2"),
                "gpgconf": Source("gpgconf", "gnupg2")},
}
"""What any image needs, by step."""

_SSH = Source("openssh-client", "openssh-clients")
_OPTIONAL: Mapping[str, Mapping[str, Source]] = {
    "boot": {
        "ssh": _SSH, "ssh-keygen": _SSH,
        f"qemu-system-{platform.machine()}": Source("qemu-system-x86", "qemu-kvm"),
    },
    "scripts of %pre": {"parted": _same("parted"), "sgdisk": _same("gdisk"),
                        "wipefs": _UTIL_LINUX},
    "accounts of images without shadow-utils": {
        "useradd": Source("passwd", "shadow-utils"),
        "groupadd": Source("passwd", "shadow-utils")},
    "volumes": {program.name: Source(program.debian, program.centos)
                for kind in all_kinds().values() for program in kind.programs},
    "archives of trees": {"pigz": _same("pigz"), "zstd": _same("zstd")},
    "live and installation media": {"xorriso": _same("xorriso"),
                                    "mksquashfs": _same("squashfs-tools")},
    "rehearsal": {"apt-get": Source("apt", "apt (Debian only)"),
                  "createrepo_c": Source("createrepo-c", "createrepo_c"),
                  "semodule": _same("policycoreutils")},
}

_MODULES: Mapping[str, Source] = {
    "dnf": _same("python3-dnf"), "rpm": _same("python3-rpm"),
    "guestfs": Source("python3-guestfs", "python3-libguestfs"),
    "createrepo_c": Source("python3-createrepo-c", "python3-createrepo_c"),
    "librepo": _same("python3-librepo"),
    "seccomp": Source("python3-seccomp", "python3-libseccomp"),
}


def install_command(packages: set[str]) -> str:
    """Return the command that installs packages on this host."""
    names = " ".join(sorted(packages))
    if shutil.which("apt-get"):
        return f"apt-get install --no-install-recommends {names}"
    return f"dnf install {names}"


def _found(tools: Mapping[str, Source]) -> str:
    # CentOS keeps its one QEMU outside of PATH.
    path = None if shutil.which("apt-get") else "/usr/sbin:/usr/bin:/sbin:/bin:/usr/libexec"
    missing = {name: source for name, source in tools.items()
               if not (shutil.which(name) or shutil.which(name, path=path)
                       or (name.startswith("qemu-system") and shutil.which("qemu-kvm", path=path)))}
    if missing:
        raise LackError(f"{', '.join(missing)} not there",
                        install_command({source.here for source in missing.values()}))
    return ", ".join(tools)


def _register() -> None:
    for required, table in ((True, _TOOLS), (False, _OPTIONAL)):
        for step, tools in table.items():
            # A default argument binds this round's table; a closure would see the last one's.
            def look(_: Host, tools: Mapping[str, Source] = tools) -> str:
                return _found(tools)

            check(f"tools: {step}", needed_for=step, required=required,
                  remedy="run tools/setup")(look)


_register()


@check("python modules", needed_for="packages, the guestfs engine, validation",
       remedy="run tools/setup: the venv must see the distribution's modules")
def python_modules(_: Host) -> str:
    """Look for the distribution's modules, which pip can't bring."""
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    if missing:
        packages = {_MODULES[name].here for name in missing}
        raise LackError(f"{', '.join(missing)} not there",
                        f"{install_command(packages)}; then tools/setup")
    return ", ".join(_MODULES)
