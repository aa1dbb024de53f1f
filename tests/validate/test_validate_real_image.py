"""The image that we build, spoilt: each fault is found and none is invented.

That it meets its spec unspoilt, and starts, is proved in tests/integration/test_proof.py.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from host.appliance import Drive, GuestFS, open_appliance
from host.progress import Silent
from images.record import read
from images.specs import adapted
from specs.model import load
from validate.report import Report
from validate.run import validate

pytestmark = pytest.mark.integration


def image_in(built: Path) -> Path:
    return next(built.glob("*.qcow2"))


def faults(report: Report) -> dict[str, str]:
    return {one.rule: f"{one.status}: {one.found}" for one in report.failures}


def spoil(g: GuestFS) -> None:
    """What goes wrong in images of the world, each once."""
    g.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    g.write("/etc/ssh/ssh_host_ed25519_key", "secret")
    g.write("/var/log/anaconda.log", "x")
    g.write("/tmp/.left", "x")
    g.write("/etc/resolv.conf", "nameserver 10.0.0.1\n")
    g.write("/root/anaconda-ks.cfg", "rootpw secret\n")
    g.write("/etc/hostname", "builder.example\n")
    g.write("/etc/cloud/cloud-init.disabled", "")
    g.write("/.autorelabel", "")
    g.write("/usr/bin/rootshell", "x")
    g.chmod(0o4755, "/usr/bin/rootshell")
    g.write("/etc/motd", "")
    g.chmod(0o666, "/etc/motd")
    g.chmod(0o644, "/etc/shadow")
    g.write("/etc/shadow", g.read_file("/etc/shadow") + b"ghost::1::::::\n")
    g.write("/etc/passwd", g.read_file("/etc/passwd") + b"toor:x:0:0::/:/bin/sh\n")
    g.write("/etc/selinux/config", "SELINUX=permissive\nSELINUXTYPE=targeted\n")
    g.write("/etc/fstab", g.read_file("/etc/fstab") + b"/dev/vdb1 /data xfs defaults 0 0\n")
    config = g.read_file("/boot/grub2/grub.cfg").replace(b"console=ttyS0", b"selinux=0 x")
    g.write("/boot/grub2/grub.cfg", config)
    for entry in g.glob_expand("/boot/loader/entries/*.conf"):
        g.write(entry, g.read_file(entry).replace(b"console=ttyS0", b"selinux=0 x"))
    for initramfs in g.glob_expand("/boot/initramfs-*.img"):
        g.truncate(initramfs)
    g.write("/etc/dnf/dnf.conf", "[main]\ngpgcheck=0\nproxy=http://10.0.0.1\n")
    for link in g.glob_expand("/etc/systemd/system/*.wants/sshd.service"):
        g.rm(link)
    g.pwrite_device("/dev/sda", bytes(440), 0)


SPOILT = {
    "identity.machine-id", "identity.host-keys", "clean.logs", "clean.temporary",
    "clean.resolv-conf", "clean.installer", "identity.hostname", "cloud.cloud-init-on",
    "security.no-autorelabel", "security.setuid", "security.world-writable",
    "security.shadow-mode", "security.passwords", "security.accounts",
    "security.selinux-enforcing", "security.selinux-labels", "boot.fstab", "boot.kernel",
    "boot.kernel-arguments", "boot.serial-console-x86", "security.signatures-checked",
    "clean.proxy", "cloud.units", "boot.bios-loader",
}
ALSO = {
    # What sees the same strokes: another file name than build.json's, files of no package and
    # unlike their package's, accounts that disagree, an initramfs that is none.
    "artefact.recorded", "packages.files-intact", "packages.files-owned", "packages.dnf-conf",
    "security.setuid-packaged", "security.accounts-consistent", "security.system-shells",
    "security.group-writable", "security.selinux-contexts", "security.repositories-checked",
    "boot.fstab-only", "boot.initramfs-drivers", "boot.initramfs-clean",
    "boot.initramfs-readable", "boot.console-order", "boot.lasting-arguments",
    "security.account-files-mode", "security.ssh-config-mode",
}


def test_each_thing_that_is_spoilt_is_found_and_nothing_else(
    built: Path, tmp_path: Path,
) -> None:
    spoilt = tmp_path / "spoilt.qcow2"
    subprocess.run(["cp", "--sparse=always", image_in(built), spoilt], check=True)
    with open_appliance([Drive(spoilt, "qcow2")], readonly=False) as g:
        root = next(device for device, kind in g.list_filesystems().items() if kind == "xfs")
        g.mount(root, "/")
        spoil(g)
    spec = adapted(load("baseline"), rehearsal=True)
    found = set(faults(validate(spoilt, spec, read(built), Silent())))
    assert found >= SPOILT
    assert found - SPOILT <= ALSO
