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
from tests.validate.mutations import programs
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
from validate.rpmdb import Installed, Packaged, Relation
from validate.tree import Entry
from validate.view import View

EPOCH = 1_780_000_000
KEY = "05b555b38483c65d"
KERNEL = "6.12.0-1.el10"
ARGUMENTS = "root=UUID=1111-root ro console=tty0 console=ttyS0,115200n8"
PACKAGES = [
    "NetworkManager", "bash", "bash-completion", "centos-gpg-keys", "centos-stream-release",
    "centos-stream-repos", "chrony", "cloud-init", "cloud-utils-growpart", "coreutils", "dnf",
    "dhcpcd", "dracut", "dracut-config-generic", "hostname", "hyperv-daemons", "iproute",
    "kernel-core", "open-vm-tools", "openssh-server", "openssl-libs", "python3",
    "qemu-guest-agent",
    "rsync", "sudo", "systemd", "tar", "wget", "yum-utils", "WALinuxAgent", "audit", "rsyslog",
    "logrotate", "nfs-utils", "cifs-utils",
]
DRIVERS = [
    "virtio_pci", "virtio_blk", "virtio_scsi", "virtio_net", "nvme", "sd_mod", "ahci", "ena",
    "hv_vmbus", "hv_storvsc", "hv_netvsc", "vmw_pvscsi", "vmxnet3", "xen-blkfront", "xen-netfront",
]
MODULES = [*DRIVERS, *[
    "e1000e", "virtio_rng", "virtio_balloon", "virtio_console", "isofs", "vfat", "sr_mod", "gve",
    "mana", "mlx5_core", "idpf", "ixgbevf", "ptp_kvm", "udf", "virtiofs", "vsock", "9p",
]]
SERVICES = {
    "cloud-init-local": "cloud-init.target", "cloud-init": "cloud-init.target",
    "cloud-config": "cloud-init.target", "cloud-final": "cloud-init.target",
    "sshd": "multi-user.target", "NetworkManager": "multi-user.target",
    "chronyd": "multi-user.target", "auditd": "multi-user.target",
    "rsyslog": "multi-user.target", "vmtoolsd": "multi-user.target",
    "waagent": "multi-user.target",
}
TYPES = {
    "/": "root_t", "/etc/shadow": "shadow_t", "/etc/passwd": "passwd_file_t",
    "/usr/sbin/sshd": "sshd_exec_t", "/usr/bin/bash": "shell_exec_t",
    "/usr/lib/systemd/systemd": "init_exec_t", "/var/log": "var_log_t", "/tmp": "tmp_t",
}
PASSWD = (
    "root:x:0:0:Super User:/root:/bin/bash\nbin:x:1:1:bin:/bin:/sbin/nologin\n"
    "daemon:x:2:2:daemon:/sbin:/sbin/nologin\nchrony:x:997:997::/var/lib/chrony:/sbin/nologin\n"
    "nobody:x:65534:65534::/:/sbin/nologin\n")
GROUP = "root:x:0:\nbin:x:1:\ndaemon:x:2:\nchrony:x:997:\nnobody:x:65534:\n"
SHADOW = "".join(f"{line.partition(':')[0]}:!locked::0:99999:7:::\n"
                 for line in PASSWD.splitlines())
CLOUD = """users:
  - default
disable_root: true
ssh_pwauth: false
preserve_hostname: false
ssh_deletekeys: true
ssh_genkeytypes: [rsa, ecdsa, ed25519]
disable_vmware_customization: false
cloud_init_modules: [seed_random, bootcmd, write-files, growpart, resizefs, disk_setup, mounts,
  set_hostname, update_hostname, update_etc_hosts, users-groups, ssh]
cloud_config_modules: [set-passwords, runcmd]
cloud_final_modules: [scripts-user, ssh-authkey-fingerprints, keys-to-console, final-message]
system_info:
  distro: centos
  default_user:
    name: cloud-user
    lock_passwd: true
    groups: [adm, systemd-journal]
    shell: /bin/bash
"""
REPOS = "".join(
    f"[{name}]\nname=CentOS Stream $releasever - {name}\n"
    f"metalink=https://mirrors.centos.org/metalink?repo={name}\ngpgcheck=1\nenabled=1\n"
    "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-centosofficial\n"
    for name in ("baseos", "appstream", "extras-common"))


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
        self, entries: list[Entry], contents: dict[str, bytes],
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
    return given if isinstance(given, (Link, Entry)) else replace(given, label=label(path))


@cache
def _spec(name: str) -> Spec:
    return load(name)


def good(spec_name: str = "baseline", arch: str = "x86_64", version: str = "10") -> Model:
    """The model for a spec."""
    spec = _spec(spec_name)
    ids = {rule.id for rule in spec.rules}
    shape: Shape = "container" if "container.no-kernel" in ids else "disk"
    files: dict[str, Any] = _tree(arch, version)
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


@cache
def _initramfs() -> bytes:
    return programs.initramfs(
        [f"usr/lib/modules/{KERNEL}/kernel/{name}.ko.xz" for name in DRIVERS])


def _tree(arch: str, version: str) -> dict[str, Any]:
    efi_name = {"x86_64": "BOOTX64", "aarch64": "BOOTAA64"}.get(arch, "BOOTX64")
    console = {"aarch64": "console=ttyAMA0", "ppc64le": "console=hvc0"}.get(arch)
    arguments = f"{ARGUMENTS} {console}" if console else ARGUMENTS
    signed = programs.efi(arch, "Microsoft Corporation UEFI CA 2011")
    centos = programs.efi(arch, "CentOS Secure Boot Signing 201")
    rpm = "/usr/lib/sysimage/rpm" if version == "10" else "/var/lib/rpm"
    units = {
        f"/usr/lib/systemd/system/{name}.service":
            f"[Service]\nExecStart=/usr/sbin/sshd --for {name}\n" for name in SERVICES}
    wants = {f"/etc/systemd/system/{target}.wants/{name}.service":
             Link(f"/usr/lib/systemd/system/{name}.service") for name, target in SERVICES.items()}
    return {
        **units, **wants,
        "/usr/lib/systemd/system/logrotate.timer": "[Timer]\n",
        "/etc/systemd/system/timers.target.wants/logrotate.timer":
            Link("/usr/lib/systemd/system/logrotate.timer"),
        "/usr/lib/systemd/system/multi-user.target": "[Unit]\n",
        "/etc/systemd/system/default.target": Link("/usr/lib/systemd/system/multi-user.target"),
        "/usr/lib/systemd/systemd": programs_file(programs.elf(), 0o755),
        "/usr/sbin/init": Link("../lib/systemd/systemd"),
        "/usr/bin/bash": programs_file(programs.elf(needed=("libc.so.6",)), 0o755),
        "/usr/bin/ping": programs_file(programs.elf(), 0o755),
        "/usr/bin/su": File("s", mode=0o4755), "/bin": Link("usr/bin"), "/lib": Link("usr/lib"),
        "/sbin": Link("usr/sbin"), "/usr/lib64/libc.so.6": programs_file(programs.elf(), 0o755),
        "/usr/sbin/sshd": File("x", mode=0o755),
        "/usr/lib/os-release": (
            f'NAME="CentOS Stream"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="{version}"\n'
            f'PLATFORM_ID="platform:el{version}"\nCPE_NAME="cpe:/o:centos:centos:{version}"\n'
            'HOME_URL="https://centos.org/"\nPRETTY_NAME="CentOS Stream"\n'),
        "/etc/os-release": Link("../usr/lib/os-release"),
        "/etc/centos-release": f"CentOS Stream release {version}\n",
        "/etc/redhat-release": Link("centos-release"),
        "/etc/system-release": Link("centos-release"),
        "/etc/machine-id": File("", mode=0o444), f"{rpm}/rpmdb.sqlite": "x",
        "/etc/passwd": PASSWD, "/etc/group": GROUP, "/etc/shadow": File(SHADOW, mode=0),
        "/etc/gshadow": File("root:::\n", mode=0), "/etc/shells": "/bin/sh\n/bin/bash\n",
        "/etc/login.defs": "UID_MIN 1000\nENCRYPT_METHOD YESCRYPT\n",
        "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
        "/etc/sudoers": File("Defaults env_reset\nroot ALL=(ALL) ALL\n"
                             "#includedir /etc/sudoers.d\n", mode=0o440),
        "/etc/sudoers.d": Folder(0o750),
        "/etc/ssh/sshd_config": File(
            "Include /etc/ssh/sshd_config.d/*.conf\nAuthorizedKeysFile .ssh/authorized_keys\n",
            mode=0o600),
        "/etc/ssh/sshd_config.d/50-redhat.conf": File(
            "KbdInteractiveAuthentication no\nUsePAM yes\nUseDNS no\n", mode=0o600),
        "/etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
        "/etc/selinux/targeted/policy/policy.33": File(size_bytes=1 << 20, text="x"),
        "/etc/selinux/targeted/contexts/files/file_contexts": "/.* system_u:object_r:etc_t:s0\n"
            + "".join(f"{path} system_u:object_r:{kind}:s0\n" for path, kind in TYPES.items()),
        "/etc/dnf/dnf.conf": "[main]\ngpgcheck=1\ninstallonly_limit=3\nbest=True\n",
        "/etc/dnf/vars/stream": f"{version}-stream\n",
        "/etc/yum.repos.d/centos.repo": REPOS,
        "/etc/pki/rpm-gpg/RPM-GPG-KEY-centosofficial":
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
        "/etc/locale.conf": "LANG=C.UTF-8\n", "/usr/lib/locale/C.utf8": Folder(),
        "/usr/share/zoneinfo/UTC": "x", "/etc/localtime": Link("../usr/share/zoneinfo/UTC"),
        "/etc/chrony.conf": "pool 2.centos.pool.ntp.org iburst\ndriftfile /var/lib/chrony/drift\n"
                            "makestep 1.0 3\nrtcsync\n",
        "/etc/waagent.conf": "Provisioning.Agent=auto\n",
        "/etc/crypto-policies/config": "DEFAULT\n", "/etc/authselect/authselect.conf": "local\n",
        "/etc/cloud/cloud.cfg": CLOUD, "/etc/cloud/cloud.cfg.d/05_logging.cfg": "output: {}\n",
        "/etc/sysconfig/network": "NOZEROCONF=yes\n",
        "/etc/sysconfig/kernel": "UPDATEDEFAULT=yes\nDEFAULTKERNEL=kernel-core\n",
        "/etc/NetworkManager/NetworkManager.conf": "[main]\nplugins=keyfile\n",
        "/etc/rc.d/rc.local": "#!/bin/bash\n", "/etc/rsyslog.conf": "*.info /var/log/messages\n",
        "/etc/cron.d/0hourly": "x\n", "/etc/systemd/system.conf": "[Manager]\n",
        "/etc/fstab": "UUID=1111-root / xfs defaults 0 0\n"
                      "UUID=AAAA-BBBB /boot/efi vfat umask=0077 0 2\n",
        "/etc/default/grub": "GRUB_TIMEOUT=1\nGRUB_TERMINAL=\"serial console\"\n"
                             "GRUB_ENABLE_BLSCFG=true\nGRUB_CMDLINE_LINUX=\""
                             f"{arguments.split(' ro ')[1]}\"\n",
        "/etc/kernel/cmdline": f"{arguments}\n",
        "/boot/grub2/grub.cfg": File("blscfg\n", mode=0o600),
        "/boot/grub2/grubenv": File(
            "# GRUB Environment Block\n".ljust(1024, "#"), mode=0o644),
        f"/boot/loader/entries/centos-{KERNEL}.conf":
            f"title CentOS\nversion {KERNEL}\nlinux /vmlinuz-{KERNEL}\n"
            f"initrd /initramfs-{KERNEL}.img\noptions {arguments}\n",
        f"/boot/vmlinuz-{KERNEL}": programs_file(centos, 0o755),
        f"/boot/initramfs-{KERNEL}.img": programs_file(_initramfs(), 0o600),
        f"/boot/config-{KERNEL}": "".join(f"CONFIG_{one}=y\n" for one in [
            "KVM_GUEST", "VIRTIO_PCI", "VIRTIO_NET", "SCSI_VIRTIO", "HYPERV", "PCI_MSI", "SECCOMP",
            "SYN_COOKIES", "RANDOMIZE_BASE", "IPV6",
        ]),
        f"/usr/lib/modules/{KERNEL}/modules.dep": "".join(
            f"kernel/{name}.ko.xz:\n" for name in MODULES),
        f"/usr/lib/modules/{KERNEL}/modules.builtin": "kernel/x.ko\n",
        f"/boot/efi/EFI/BOOT/{efi_name}.EFI": programs_file(signed, 0o700),
        "/boot/efi/EFI/BOOT/fbx64.efi": programs_file(signed, 0o700),
        "/boot/efi/EFI/centos/shimx64.efi": programs_file(signed, 0o700),
        "/boot/efi/EFI/centos/mmx64.efi": programs_file(signed, 0o700),
        "/boot/efi/EFI/centos/BOOTX64.CSV": File("x", mode=0o700),
        "/boot/efi/EFI/centos/grubx64.efi": programs_file(centos, 0o700),
        "/boot/efi/EFI/centos/grub.cfg": File(
            "search --no-floppy --fs-uuid --set=dev 1111-root\nset prefix=($dev)/boot/grub2\n",
            mode=0o700),
        "/usr/share/licenses/bash/COPYING": "GPL\n", "/var/log": Folder(),
        "/var/log/audit": Folder(0o700), "/tmp": Folder(0o1777), "/var/tmp": Folder(0o1777),
        "/proc": Folder(), "/sys": Folder(), "/dev": Folder(), "/run": Folder(),
        "/": Folder(), "/root": Folder(0o550), "/root/.bashrc": "x\n", "/home": Folder(),
    }


def programs_file(content: bytes, mode: int) -> File:
    """A file of bytes."""
    return File(content.decode("latin-1"), mode=mode, binary=True)


Change = Callable[[Model], None]
