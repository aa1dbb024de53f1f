"""The model image: a CentOS Stream as data that meets every rule, for each spec; and its view.

Nothing of it is a stub: the checks read its files, headers, tables and programs as they read an
image's. Every file is of a package as it is, unless it is said to be loose or changed.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from builder.tree.seals.file_lines import with_lines
from images.record import BuildRecord
from specs.kinds.paths import FileContent
from specs.kinds.settings import DataSources, FileLines
from specs.model import Shape, Spec, load
from tests.validate.mutations.files import ARGUMENTS, SHADOW, TYPES, tree_files
from tests.validate.small_views import (
    File,
    Folder,
    Link,
    disk_of,
    record_of,
    tree_of,
)
from validate.artefact import ArtefactFacts
from validate.disk import DiskFacts
from validate.listing import Node
from validate.rpmdb import Installed, Packaged, Relation
from validate.view import View

EPOCH = 1_780_000_000
KEY = "05b555b38483c65d"
PACKAGES = [
    "NetworkManager", "bash", "bash-completion", "centos-gpg-keys", "centos-stream-release",
    "centos-stream-repos", "chrony", "cloud-init", "cloud-utils-growpart", "coreutils", "dnf",
    "dhcpcd", "dracut", "dracut-config-generic", "hostname", "hyperv-daemons", "iproute",
    "kernel-core", "open-vm-tools", "openssh-server", "openssl-libs", "python3",
    "qemu-guest-agent",
    "rsync", "sudo", "systemd", "tar", "wget", "yum-utils", "WALinuxAgent", "audit", "rsyslog",
    "logrotate", "nfs-utils", "cifs-utils",
]


@dataclass
class Model:
    """An image under change. loose: files of no package. stale: files unlike their package."""

    spec: Spec
    arch: str
    version: str
    shape: Shape
    files: dict[str, Any]
    packages: list[Installed]
    disk: DiskFacts | None
    record: BuildRecord
    raw: dict[int, bytes]
    artefact: ArtefactFacts | None = None
    xattrs: dict[str, dict[str, bytes]] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)
    stale: dict[str, dict[str, Any]] = field(default_factory=dict)
    container_faults: tuple[str, ...] | None = None

    def view(self) -> View:
        """The image as checks see it."""
        tree, contents = tree_of(self.files)
        entries = [replace(one, mtime_s=self.times.get(one.path, EPOCH)) for one in tree]
        tree = type(tree)(entries)
        listed = [*self.packages, replace(
            package("filesystem", self.version), files=tuple(self._packaged(entries, contents)))]
        return View(
            tree=tree, read=lambda path, count: contents[path][:count],
            list_packages=lambda _folder: listed, arch=self.arch, shape=self.shape,
            artefact=self.artefact, disk=self.disk, record=self.record,
            hash_files=lambda paths: {
                path: hashlib.sha256(contents[path]).hexdigest() for path in paths},
            list_xattrs=lambda: self.xattrs, read_disk=self._read_disk,
            container_faults=self.container_faults,
        )

    def _packaged(
        self, entries: list[Node], contents: dict[str, bytes],
    ) -> Iterable[Packaged]:
        for one in entries:
            if one.path in self.loose or one.path.startswith(("/etc/machine-id", "/home/")):
                continue
            mode = one.mode
            digest = hashlib.sha256(contents[one.path]).hexdigest() if one.is_file else ""
            flags = 1 if one.is_file and one.path.startswith("/etc/") else 0
            flags |= 1 << 7 if one.path.startswith("/usr/share/licenses/") and one.is_file else 0
            found = Packaged(one.path, mode, one.size_bytes, digest, "root", "root", "",
                             one.target, flags)
            yield replace(found, **self.stale.get(one.path, {}))
        for path, changes in self.stale.items():
            if path not in self.files:
                yield replace(Packaged(path, stat.S_IFREG | 0o644, 0, "", "root", "root"),
                              **changes)

    def _read_disk(self, at: int, count: int) -> bytes:
        return self.raw.get(at, bytes(count))[:count]


def package(name: str, version: str, **more: Any) -> Installed:
    """A package of CentOS's."""
    number = {"centos-stream-release": f"{version}.0", "openssl-libs": "3.5.0",
              "python3": "3.12.1", "cloud-init": "24.4", "WALinuxAgent": "2.10.0"}
    fixed = {"epoch": 0, "version": number.get(name, "1.0"), "release": "1", "arch": "noarch",
             "signed": True}
    return Installed(name=name, **{
        **fixed,
        "key_id": KEY, "vendor": "CentOS", "build_host": "x.stream.centos.org",
        "license": "GPL-2.0-or-later AND (MIT OR BSD-3-Clause)",
        "provides": (Relation(name, 8, f"0:{number.get(name, '1.0')}-1"),), **more})


def label(path: str) -> str:
    return f"system_u:object_r:{TYPES.get(path, 'etc_t')}:s0"


def _labelled(path: str, given: Any) -> Any:
    if isinstance(given, str):
        given = File(given)
    return given if isinstance(given, (Link, Node)) else replace(given, label=label(path))


@cache
def _spec(name: str) -> Spec:
    return load(name)


def good(spec_name: str = "baseline", arch: str = "x86_64", version: str = "10") -> Model:
    """The model for a spec."""
    spec = _spec(spec_name)
    ids = {rule.id for rule in spec.rules}
    shape: Shape = "container" if "container.no-kernel" in ids else "disk"
    files: dict[str, Any] = tree_files(arch, version)
    if arch == "ppc64le":
        files["/etc/fstab"] = "UUID=1111-root / xfs defaults 0 0\n"
    if shape == "container":
        files = {path: what for path, what in files.items()
                 if not path.startswith(("/boot/", "/usr/lib/modules/", "/etc/fstab"))}
        files["/boot"] = Folder()
        files["/etc/dnf/vars/infra"] = "container\n"
        files["/etc/dnf/dnf.conf"] += "tsflags=nodocs\n"
        files["/etc/selinux/config"] = "SELINUX=disabled\nSELINUXTYPE=targeted\n"
    names = [name for name in PACKAGES
             if shape == "disk" or name not in ("kernel-core", "dracut")]
    _of_target(spec_name.removeprefix("targets/"), files, names)
    loose: set[str] = set()
    for rule in spec.rules:
        if isinstance(rule.check, FileContent) and rule.seal:
            loose.add(rule.check.path)  # of no package: the builder's list must know it
            files[rule.check.path] = File(
                rule.check.equals, mode=int(rule.check.mode or "0644", 8))
        elif isinstance(rule.check, FileLines) and rule.seal:
            files[rule.check.path] = with_lines(files.get(rule.check.path, ""), rule.check)
        elif isinstance(rule.check, DataSources) and rule.check.sources:
            files["/etc/cloud/cloud.cfg.d/91-ec2_datasource.cfg"] = (
                f"datasource_list: [ {', '.join(rule.check.sources)} ]\n"
                "datasource:\n  Ec2:\n    strict_id: false\n"
                + ("system_info: {default_user: {name: ec2-user}}\n" if "aws" in spec_name
                   else ""))
    record = record_of(*names).model_copy(update={
        "version": version, "release": f"centos-stream-{version}", "arch": arch,
        "source_date_epoch": EPOCH})
    record = record.model_copy(update={"packages": [
        one.model_copy(update={"repository": "baseos"}) for one in record.packages]})
    packages = [package(name, version) for name in names]
    record = record.model_copy(update={"packages": [
        one.model_copy(update={"version": packages[number].version})
        for number, one in enumerate(record.packages)]})
    record = record.model_copy(update={"packages": [*record.packages, record.packages[0].model_copy(
        update={"name": "filesystem", "version": "1.0"})]})
    disk, raw = _disk(arch)
    return Model(spec, arch, version, shape,
                 {path: _labelled(path, what) for path, what in files.items()}, packages,
                 disk if shape == "disk" else None, record, raw, loose=loose)


def _of_target(target: str, files: dict[str, Any], names: list[str]) -> None:
    """What a target's own kickstart or layer makes otherwise."""
    arguments = {"aws": " nvme_core.io_timeout=4294967295", "xen": " console=hvc0",
                 "azure": " earlyprintk=ttyS0 rootdelay=300"}.get(target, "")
    for path, what in files.items():
        if isinstance(what, str) and ARGUMENTS.split(" ro ")[1] in what:
            files[path] = what.replace("console=ttyS0,115200n8",
                                       f"console=ttyS0,115200n8{arguments}")
    if target in ("docker", "oci"):
        names[:] = [name for name in names if name not in (
            "NetworkManager", "openssh-server", "chrony", "cloud-init")]
    if target == "gce":
        names.remove("WALinuxAgent")
    if target == "vagrant":
        names[:] = [name for name in names if "cloud" not in name]
        files["/etc/passwd"] += "vagrant:x:1000:1000::/home/vagrant:/bin/bash\n"
        files["/etc/shadow"] = File(SHADOW + "vagrant:!::0:99999:7:::\n", mode=0)
        files["/etc/group"] += "vagrant:x:1000:\n"
        files["/home/vagrant"] = Folder(0o700, uid=1000, gid=1000)
        files["/home/vagrant/.ssh"] = Folder(0o700, uid=1000, gid=1000)
        files["/home/vagrant/.ssh/authorized_keys"] = File(
            "ssh-rsa A vagrant insecure public key\nssh-ed25519 B vagrant insecure public key\n",
            mode=0o600, uid=1000, gid=1000)
        files["/etc/sudoers.d/vagrant"] = File("vagrant ALL=(ALL) NOPASSWD: ALL\n", mode=0o440)
        files["/etc/dnf/vars/infra"] = "vag\n"
        for path in [path for path in files if "cloud" in path]:
            del files[path]
    if target == "wsl":
        files |= {
            "/etc/wsl.conf": "[boot]\nsystemd=true\n",
            "/etc/wsl-distribution.conf": "[oobe]\ncommand = /usr/lib/wsl/oobe.sh\n"
                                          "defaultUid = 1000\ndefaultName = CentOS\n",
            "/usr/lib/wsl/oobe.sh": File("#!/bin/bash\n", mode=0o755)}
        for path in [path for path in files if path.endswith((
                "wants/NetworkManager.service",))]:
            del files[path]


def _disk(arch: str) -> tuple[DiskFacts, dict[int, bytes]]:
    """A GPT with BIOS boot, ESP and root, as data and as the sectors that say so."""
    import struct
    import zlib

    order = {"x86_64": "ber", "aarch64": "er", "ppc64le": "pr"}[arch]
    size = 4 << 30
    last = size // 512 - 1
    sector = bytearray(512)
    sector[0], sector[510:] = 0xEB, b"\x55\xaa"
    sector[446:462] = bytes([0, 0, 2, 0, 0xEE, 255, 255, 255]) + struct.pack("<II", 1, last)
    disk = disk_of(order=order, boot_sector=bytes(sector))
    places = {"b": (1 << 20, 1 << 20), "p": (1 << 20, 8 << 20), "e": (16 << 20, 256 << 20),
              "r": (512 << 20, 3 << 30)}
    disk = replace(disk, size_bytes=size, partitions=[
        replace(one, start_bytes=places[letter][0], size_bytes=places[letter][1])
        for letter, one in zip(order, disk.partitions, strict=True)])
    table = bytes(range(128)) * 128

    def header(mine: int, other: int, at: int) -> bytes:
        fields = [b"EFI PART", 0x10000, 92, 0, 0, mine, other, 34, last - 34, b"G" * 16, at, 128,
                  128, zlib.crc32(table)]
        raw = struct.pack("<8sIIIIQQQQ16sQIII", *fields)
        fields[3] = zlib.crc32(raw)
        return struct.pack("<8sIIIIQQQQ16sQIII", *fields).ljust(512, b"\0")

    return disk, {512: header(1, last, 2), last * 512: header(last, 1, last - 32),
                  1024: table, (last - 32) * 512: table}


Change = Callable[[Model], None]
