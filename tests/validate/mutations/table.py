"""The mutation that breaks each rule about a file or tree; a path alone: a file appears there.

A row is the change, or the change and the other rules that see it as well, with `arch` or `version`
of the model where the rule is about another.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.validate.mutations import programs
from tests.validate.mutations.changes import (
    ENTRY,
    SSHD_FIRST,
    append,
    argument,
    arguments,
    artefact,
    both,
    cloud,
    disable,
    disk,
    edit,
    filesystem,
    header,
    initramfs_with,
    initramfs_without,
    install,
    mask,
    mode,
    owner,
    partitions,
    put,
    record,
    relabel,
    remove,
    special,
    sshd,
    stale,
    touch,
    uninstall,
    unit,
    without_module,
    xattr,
)
from tests.validate.mutations.good import KERNEL, Change, Model, package, programs_file
from tests.validate.small_views import File, Folder, Link
from validate.rpmdb import Relation


@dataclass(frozen=True)
class Row:
    """change: what is done. also: other rules that fail by it, by their ids or beginnings."""

    change: Change
    also: tuple[str, ...] = ()
    arch: str = "x86_64"
    version: str = "10"


def modules(old: str) -> Change:
    """cloud-init's configuration without one module."""
    return edit("/etc/cloud/cloud.cfg", old, "bootcmd")


def container(*faults: str) -> Change:
    def change(m: Model) -> None:
        m.container_faults = faults
    return change


def qcow2(name: str) -> Change:
    """The file is another one, which the test made."""
    def change(m: Model) -> None:
        from validate.artefact import inspect

        assert m.artefact is not None
        m.artefact = inspect(m.artefact.path.with_name(name))
    return change


def named_zlib(m: Model) -> None:
    from dataclasses import replace

    qcow2("zstd.qcow2")(m)
    assert m.artefact is not None
    m.artefact = replace(m.artefact, ccis_format="qcow2-zlib")


def drop_header_sector(m: Model) -> None:
    m.raw[sorted(m.raw)[-1]] = bytes(512)


def second_bash(m: Model) -> None:
    m.packages.append(package("bash", m.version, release="2", provides=()))


def cut_mbr(m: Model) -> None:
    from dataclasses import replace

    assert m.disk is not None
    sector = bytearray(m.disk.boot_sector)
    sector[458:462] = b"\1\0\0\0"
    m.disk = replace(m.disk, boot_sector=bytes(sector))


EFI = "/boot/efi/EFI/BOOT/BOOTX64.EFI"
GRUB = "/boot/efi/EFI/centos/grubx64.efi"
VMLINUZ = f"/boot/vmlinuz-{KERNEL}"
PROFILE = "/etc/NetworkManager/system-connections/a.nmconnection"
OWNED = ("packages.files-owned",)
ARTEFACT: dict[str, Row | Change] = {
    "artefact.qcow2-features": Row(qcow2("snapshot.qcow2"), ("artefact.recorded",)),
    "artefact.compression-type": Row(named_zlib, ("artefact.recorded",)),
    "artefact.container": container("disk.raw is missing"),
    "size.artefact": Row(artefact(size_bytes=3 << 30), ("artefact.recorded",)),
    "packages.not-eol": record(source_date_epoch=1_905_000_000),
    "artefact.format": artefact(named_format="raw"),
    "artefact.self-contained": Row(artefact(backing_file="/etc/passwd"), ("artefact.sound",)),
    "artefact.sound": Row(qcow2("leaked.qcow2"), ("artefact.recorded",)),
    "artefact.virtual-size": Row(artefact(virtual_size_bytes=(1 << 30) + 512), (
        "azure.virtual-size", "gce.virtual-size", "vagrant.virtual-size", "artefact.recorded")),
    "artefact.recorded": record(artefacts=[]),
    "azure.virtual-size": Row(artefact(virtual_size_bytes=(1 << 30) + 512), ("artefact.",)),
    "gce.virtual-size": Row(artefact(virtual_size_bytes=(1 << 30) + (1 << 20)), ("artefact.",)),
    "vagrant.virtual-size": Row(
        artefact(virtual_size_bytes=(1 << 30) + (1 << 20)), ("artefact.",)),
    "brightbox.compression": Row(named_zlib, ("artefact.",)),
    "hpcloud.compression": Row(named_zlib, ("artefact.",)),
}

PACKAGES: dict[str, Row | Change | str] = {
    "packages.known-keys": Row(header("bash", key_id="0" * 16), ("packages.one-key",)),
    "packages.one-key": Row(header("bash", key_id="1" * 16), ("packages.known-keys",)),
    "packages.keyring": install("gpg-pubkey", key_id="", provides=(
        Relation("gpg(0123456789abcdef)", 8, "4"),)),
    "packages.files-intact": stale("/usr/bin/ping", digest="0" * 64),
    "packages.config-intact": stale("/etc/cloud/cloud.cfg.d/05_logging.cfg", digest="0" * 64),
    "packages.closure": header("bash", requires=(Relation("libgone.so.1()(64bit)"),)),
    "packages.conflicts": header("bash", conflicts=(Relation("tar"),)),
    "packages.one-version": Row(second_bash, ("identity.packages-recorded",)),
    "packages.one-kernel": install("kernel-core", release="2"),
    "packages.no-other-kernel": install("kernel-debug-core"),
    "packages.architectures": install("glibc", arch="i686"),
    "packages.licences": header("bash", license="GPL-3.0-or-later AND Proprietary"),
    "packages.licence-texts": Row(stale("/usr/share/licenses/tar/COPYING", flags=1 << 7),
                                  ("packages.files-intact",)),
    "packages.vendor": header("bash", vendor="Somebody"),
    "packages.build-host": header("bash", build_host="laptop"),
    "packages.origin-recorded": lambda m: record(packages=[
        one.model_copy(update={"repository": "epel"}) if one.name == "bash" else one
        for one in m.record.packages])(m),
    "packages.files-owned": touch("/usr/local/bin/tool", loose=True),
    "packages.repositories": touch(
        "/etc/yum.repos.d/x.repo",
        "[other]\nname=CentOS other\nbaseurl=https://x.centos.org/\ngpgcheck=1\n"
        "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-centosofficial\n"),
    "packages.repository-urls": edit("/etc/yum.repos.d/centos.repo", "https://mirrors",
                                     "http://10.0.0.2/mirrors"),
    "packages.key-files": edit("/etc/yum.repos.d/centos.repo", "KEY-centosofficial", "KEY-gone"),
    "packages.dnf-conf": append("/etc/dnf/dnf.conf", "exclude=kernel*"),
    "packages.no-releasever": "/etc/dnf/vars/releasever",
    "packages.dnf-stream": edit("/etc/dnf/vars/stream", "-stream", ""),
    "packages.release-set": uninstall("centos-gpg-keys"),
    "packages.expected": uninstall("tar"),
    "packages.unwanted": install("plymouth"),
    "packages.no-development": install("kernel-headers"),
    "packages.minimum-versions": header("openssl-libs", version="1.1.1k"),
    "packages.locale-installed": Row(edit("/etc/locale.conf", "C.UTF-8", "de_DE.UTF-8"),
                                     ("container.language",)),
    "packages.history-none": "/var/lib/dnf/history.sqlite",
    "packages.modules-none": Row(touch("/etc/dnf/modules.d/x.module"), version="9"),
    "identity.packages-recorded": lambda m: m.packages.append(package("extra", m.version)),
    "security.packages-signed": header("bash", signed=False),
    "cloud.packages": uninstall("sudo"),
    "cloud.guest-agent": Row(uninstall("qemu-guest-agent"), ("openstack.agent", "ovirt.agent")),
    "cloud.dhcp-client": uninstall("dhcpcd"),
    "boot.initramfs-generic": Row(uninstall("dracut-config-generic"), ("packages.expected",)),
    "network.no-wireless": install("wpa_supplicant"),
}

IDENTITY: dict[str, Row | Change | str] = {
    "identity.machine-id-mode": mode("/etc/machine-id", 0o666 & 0o600),
    "identity.release-links": put("/etc/redhat-release", File("Red Hat")),
    "identity.system-release": put("/etc/system-release", File("Red Hat")),
    "identity.release-text": put("/etc/centos-release", File("Rocky Linux release 10\n")),
    "identity.os-release-complete": edit("/usr/lib/os-release", "PLATFORM_ID", "X"),
    "identity.release-agrees": header("centos-stream-release", version="9.0"),
    "identity.entry-names": Row(lambda m: m.files.update({
        f"/boot/loader/entries/{'0' * 32}-{KERNEL}.conf": m.files[ENTRY]})),
    "identity.hosts": append("/etc/hosts", "10.0.0.5 builder"),
    "identity.hostname-elsewhere": append("/etc/sysconfig/network", "DHCP_HOSTNAME=web1"),
    "identity.connections-mode": touch(PROFILE, "[connection]\n", mode=0o644),
    "identity.connections-generic": touch(PROFILE, "interface-name=ens3\n", mode=0o600),
    "identity.connections": touch(PROFILE, "mac-address=52:54:00:1:2:3\n", mode=0o600),
    "identity.registration": "/var/lib/yum/uuid",
    "identity.storage-ids": "/etc/lvm/devices/system.devices",
    "identity.kerberos": "/etc/krb5.keytab",
    "identity.dhcp-ids": "/etc/dhcpcd.duid",
    "identity.os-release": edit("/usr/lib/os-release", 'ID="centos"', 'ID="other"'),
    "identity.machine-id": edit("/etc/machine-id", "", "0" * 32, at_end=True),
    "identity.machine-id-copies": "/var/lib/dbus/machine-id",
    "identity.host-keys": "/etc/ssh/ssh_host_rsa_key",
    "identity.random-seed": "/var/lib/systemd/random-seed",
    "identity.initiator-names": "/etc/iscsi/initiatorname.iscsi",
    "identity.hostname": touch("/etc/hostname", "builder\n"),
    "identity.network-cards": "/etc/udev/rules.d/70-persistent-net.rules",
    "identity.rpm-database": Row(touch("/root/.rpmdb/rpmdb.sqlite"), ("clean.package-cache",)),
}

CLEAN: dict[str, Row | Change | str] = {
    "clean.log-extra": "/var/log/spooler",
    "clean.log-rotations": "/var/log/foo-20250101",
    "clean.log-folders": Row(stale("/var/log/audit", mode=0o040750), ("packages.files-intact",)),
    "clean.spools": "/var/spool/cron/cloud-user",
    "clean.accounting": "/var/lib/lastlog/lastlog2.db",
    "clean.run": "/run/utmp",
    "clean.pseudo": "/dev/null",
    "clean.caches": "/var/cache/man/index.db",
    "clean.all-histories": "/root/.zsh_history",
    "clean.home-secrets": "/root/.aws/credentials",
    "clean.secrets": Row(touch("/etc/foo.conf", "-----BEGIN PRIVATE KEY-----\n")),
    "clean.backups": "/etc/fstab.bak",
    "clean.ca-trust": "/etc/pki/ca-trust/source/anchors/company.pem",
    "clean.firewall": "/etc/firewalld/zones/public.xml",
    "clean.daemon-state": "/var/lib/sss/db/cache_x.ldb",
    "clean.cloud-init-output": touch("/etc/sudoers.d/90-cloud-init-users", mode=0o440),
    "clean.first-boot-marks": "/.unconfigured",
    "clean.first-boot-answers": remove("/etc/locale.conf"),
    "clean.special-files": special("/var/lib/pipe"),
    "clean.broken-links": put("/etc/foo", Link("/nowhere")),
    "clean.times": lambda m: m.times.update({"/etc/hosts": 4_000_000_000}),
    "clean.attributes": xattr("/etc/hosts", "user.note", b"x"),
    "clean.selinux-local": "/var/lib/selinux/targeted/active/booleans.local",
    "clean.proxy-everywhere": touch("/etc/profile.d/p.sh", "export http_proxy=http://10.0.0.1\n"),
    "clean.remote-logging": append("/etc/rsyslog.conf", "*.* @@10.0.0.1"),
    "clean.journal-upload": Row(unit("systemd-journal-upload.service")),
    "clean.logs": "/var/log/messages",
    "clean.package-cache": "/var/cache/dnf/x",
    "clean.temporary": "/tmp/.left",
    "clean.leases": "/var/lib/dhclient/dhclient.leases",
    "clean.resolv-conf": "/etc/resolv.conf",
    "clean.installer": "/root/anaconda-ks.cfg",
    "clean.homes": "/root/.cache",
    "clean.ssh-keys": Row(touch("/root/.ssh/authorized_keys"),
                          ("clean.home-secrets", "security.keys-anywhere")),
    "clean.private-keys": "/etc/pki/tls/private/localhost.key",
    "clean.account-backups": "/etc/shadow-",
    "clean.cloud-init-state": "/var/lib/cloud/instance",
    "clean.service-state": "/var/lib/logrotate/status",
    "clean.package-leftovers": "/etc/ssh/sshd_config.rpmnew",
    "clean.proxy": append("/etc/dnf/dnf.conf", "proxy=http://10.0.0.1"),
}
CLEAN["clean.proxy"] = Row(CLEAN["clean.proxy"], ("packages.dnf-conf",))  # type: ignore[arg-type]
CLEAN["clean.home-secrets"] = touch("/root/.aws/credentials")

SECURITY: dict[str, Row | Change | str] = {
    "security.ssh-passwords": cloud("ssh_pwauth: true"),
    "security.ssh-include-first": Row(edit("/etc/ssh/sshd_config", "Include", "#"),
                                      ("security.ssh-interactive", "security.ssh-pam")),
    "security.ssh-passwords-not-yes": sshd("PasswordAuthentication yes"),
    "security.ssh-interactive": sshd("KbdInteractiveAuthentication yes"),
    "security.ssh-hosts-based": sshd("HostbasedAuthentication yes"),
    "security.ssh-rhosts": sshd("IgnoreRhosts no"),
    "security.ssh-environment": sshd("PermitUserEnvironment yes"),
    "security.ssh-strict-modes": sshd("StrictModes no"),
    "security.ssh-pam": sshd("UsePAM no"),
    "security.ssh-gateway": sshd("GatewayPorts yes"),
    "security.ssh-keys-file": sshd("AuthorizedKeysFile /etc/ssh/keys/%u"),
    "security.ssh-no-commands": sshd("AuthorizedKeysCommand /usr/bin/keys"),
    "security.ssh-config-mode": touch(SSHD_FIRST, "X11Forwarding no\n", mode=0o644),
    "security.ssh-folder-mode": put("/etc/ssh", Folder(0o700)),
    "security.ssh-empty-passwords": sshd("PermitEmptyPasswords yes"),
    "security.ssh-root": sshd("PermitRootLogin yes"),
    "security.keys-anywhere": "/etc/ssh/keys.d/authorized_keys",
    "security.system-shells": edit("/etc/passwd", "/bin:/sbin/nologin", "/bin:/bin/bash"),
    "security.accounts-consistent": append("/etc/group", "other:x:1:"),
    "security.accounts-known": edit("/etc/passwd", "bin:x:1:1:", "bin:x:9:1:"),
    "security.root-shell": edit("/etc/passwd", ":/root:/bin/bash", ":/root:/bin/zsh"),
    "security.shells-listed": put("/etc/shells", File("/bin/sh\n")),
    "security.sudoers-valid": append("/etc/sudoers", "Defaults targetpw"),
    "security.setuid-packaged": Row(stale("/usr/bin/su", mode=0o100755),
                                    ("packages.files-intact",)),
    "security.capabilities": Row(xattr("/usr/bin/bash", "security.capability",
                                       bytes.fromhex("01000002" "80000000" + "00" * 12)),
                                 ("packages.files-intact",)),
    "security.group-writable": touch("/usr/bin/tool", mode=0o775),
    "security.sticky": put("/srv/open", Folder(0o1777)),
    "security.owners-known": Row(owner("/etc/hosts", 4242), ("packages.config-intact",)),
    "security.crypto-policy": put("/etc/crypto-policies/config", File("LEGACY\n")),
    "security.selinux-contexts": relabel("/etc/hosts", "user_home_t"),
    "security.selinux-policy": put("/etc/selinux/targeted/policy/policy.33", File("x")),
    "security.pam-profile": put("/etc/authselect/authselect.conf", File("custom/mine\n")),
    "security.sysctl": touch("/etc/sysctl.d/99-x.conf", "kernel.randomize_va_space=0\n"),
    "security.sysctl-network": touch("/etc/sysctl.d/99-x.conf", "net.ipv4.ip_forward = 1\n"),
    "security.preload": "/etc/ld.so.preload",
    "security.trusted-hosts": "/etc/hosts.equiv",
    "security.rc-local": mode("/etc/rc.d/rc.local", 0o755),
    "security.login-defs": edit("/etc/login.defs", "1000", "500"),
    "security.cron-jobs": Row(touch("/etc/cron.d/x", loose=True), OWNED),
    "security.autologin": touch("/etc/systemd/system/getty@tty1.service.d/a.conf",
                                "ExecStart=/sbin/agetty --autologin root tty1\n"),
    "security.repositories-checked": Row(
        both(edit("/etc/yum.repos.d/centos.repo", "gpgcheck=1\n", ""),
             edit("/etc/dnf/dnf.conf", "gpgcheck=1\n", "")), ("security.signatures-checked",)),
    "security.audit": disable("auditd.service"),
    "security.passwords": edit("/etc/shadow", "bin:!locked", "bin:"),
    "security.accounts": Row(
        both(append("/etc/passwd", "bob:x:1001:1:::/bin/bash"), append("/etc/shadow", "bob:!::"))),
    "security.shadow-mode": mode("/etc/shadow", 0o640),
    "security.account-files-mode": mode("/etc/passwd", 0o664),
    "security.sudoers-mode": mode("/etc/sudoers", 0o644),
    "security.selinux-enforcing": put("/etc/selinux/config", File("SELINUX=permissive\n")),
    "security.selinux-labels": Row(relabel("/usr/bin/ping", "unlabeled_t"),
                                   ("security.selinux-contexts",)),
    "security.no-autorelabel": "/.autorelabel",
    "security.world-writable": mode("/etc/hosts", 0o646),
    "security.setuid": touch("/usr/bin/mine", mode=0o4755),
    "security.signatures-checked": edit("/etc/dnf/dnf.conf", "gpgcheck=1\n", ""),
    "security.repositories-signed": touch("/etc/yum.repos.d/off.repo",
                                          "[off]\nenabled=0\ngpgcheck=0\n"),
    "security.debug-shell": unit("debug-shell.service"),
}
SECURITY["security.account-files-mode"] = Row(
    mode("/etc/passwd", 0o664), ("security.group-writable",))
SECURITY["security.debug-shell"] = Row(unit("debug-shell.service"), ("services.enabled-within",))

BOOT: dict[str, Row | Change | str] = {
    "artefact.gpt-backup": drop_header_sector,
    "artefact.partition-alignment": partitions(2, start_bytes=(16 << 20) + 512),
    "boot.protective-mbr": cut_mbr,
    "boot.esp-size": partitions(2, size_bytes=50 << 20),
    "boot.esp-filesystem": Row(filesystem("/boot/efi", type="ext4"), ("boot.fstab",)),
    "boot.fstab-only": Row(append("/etc/fstab", "LABEL=data /data xfs defaults 0 0"),
                           ("boot.fstab",)),
    "boot.no-swap": append("/etc/fstab", "/swapfile none swap defaults 0 0"),
    "boot.root-plain": filesystem("/", kinds=("lvm",)),
    "boot.grubenv": edit("/boot/grub2/grubenv", "####", "###"),
    "boot.default-entry": edit("/boot/grub2/grubenv", "Block\n" + "#" * 17,
                               "Block\nsaved_entry=gone\n"),
    "boot.bls-files": edit(ENTRY, "initrd /initramfs-", "initrd /initramfs-x-"),
    "boot.lasting-arguments": edit("/etc/default/grub", " console=ttyS0,115200n8", ""),
    "boot.efi-stub": edit("/boot/efi/EFI/centos/grub.cfg", "1111-root", "2222-root"),
    "boot.sysconfig-kernel": edit("/etc/sysconfig/kernel", "=yes", "=no"),
    "boot.quiet-none": argument("quiet"),
    "boot.no-crashkernel": argument("crashkernel=1G"),
    "boot.no-weakening": argument("mitigations=off"),
    "boot.no-stray-arguments": argument("ds=nocloud"),
    "boot.console-order": arguments("console=tty0 console=ttyS0,115200n8",
                                    "console=ttyS0,115200n8 console=tty0"),
    "boot.console-order-arm": Row(
        arguments("console=ttyAMA0", "console=ttyAMA0 console=tty0"), arch="aarch64"),
    "boot.console-power": Row(arguments("console=hvc0", "x=y"), arch="ppc64le"),
    "boot.partitions-power": Row(partitions(1, type_guid=""), arch="ppc64le"),
    "boot.grub-timeout": edit("/etc/default/grub", "TIMEOUT=1", "TIMEOUT=30"),
    "boot.grub-entries": edit("/etc/default/grub", "BLSCFG=true", "BLSCFG=false"),
    "boot.grub-serial": edit("/etc/default/grub", "serial console", "gfxterm"),
    "boot.no-rescue-kernel": touch("/boot/initramfs-0-rescue-0123.img", mode=0o600),
    "boot.initramfs-drivers": initramfs_without("virtio_blk"),
    "boot.initramfs-clean": initramfs_with("root/.ssh/"),
    "boot.initramfs-readable": Row(put(f"/boot/initramfs-{KERNEL}.img", programs_file(
        b"\x02\x21\x4c\x18" + bytes(2 << 20), 0o600)), ("boot.initramfs", "kvm.", "hyperv.",
                                                        "aws.", "azure.")),
    "boot.initramfs-mode": mode(f"/boot/initramfs-{KERNEL}.img", 0o644),
    "boot.modules-available": without_module("e1000e"),
    "boot.modules-more": without_module("mana"),
    "boot.kernel-config": edit(f"/boot/config-{KERNEL}", "CONFIG_SECCOMP=y", "# nothing"),
    "boot.grub-config-mode": mode("/boot/grub2/grub.cfg", 0o645),
    "boot.no-grub-password": "/boot/grub2/user.cfg",
    "boot.firmware-none": touch("/usr/lib/firmware/big", size_bytes=80 << 20),
    "boot.uefi-programs-x86": Row(put(EFI, programs_file(bytes(70_000), 0o700)),
                                  ("boot.shim-signed",)),
    "boot.uefi-programs-arm": Row(put("/boot/efi/EFI/BOOT/BOOTAA64.EFI", programs_file(
        bytes(70_000), 0o700)), arch="aarch64"),
    "boot.shim-signed": put(EFI, programs_file(programs.efi("x86_64", None), 0o700)),
    "boot.grub-signed": put(GRUB, programs_file(programs.efi("x86_64", "Me"), 0o700)),
    "boot.kernel-signed": put(VMLINUZ, programs_file(programs.efi("x86_64", None), 0o755)),
    "boot.sbat": put(GRUB, programs_file(
        programs.efi("x86_64", "CentOS Secure Boot Signing 201", sbat=1), 0o700)),
    "boot.fallback-chain": remove("/boot/efi/EFI/centos/BOOTX64.CSV"),
    "size.free": touch("/var/big", size_bytes=4 << 30),
    "boot.partitions-x86": Row(partitions(1, type_guid=""), ("boot.bios-loader",)),
    "boot.partitions-arm": Row(partitions(1, type_guid=""), arch="aarch64"),
    "boot.bios-loader": Row(disk(boot_area=bytes(4096))),
    "boot.uefi-loader-x86": Row(put(EFI, programs_file(
        programs.efi("x86_64", "Microsoft Corporation UEFI CA 2011")[:1000], 0o700)),
        ("boot.uefi-programs", "boot.shim-signed")),
    "boot.uefi-loader-arm": Row(put("/boot/efi/EFI/BOOT/BOOTAA64.EFI", programs_file(
        programs.efi("aarch64", None)[:1000], 0o700)), arch="aarch64"),
    "boot.root-filesystem": Row(filesystem("/", type="btrfs"), ("boot.fstab",)),
    "boot.fstab": edit("/etc/fstab", "UUID=1111-root", "/dev/vda3"),
    "boot.kernel": remove(f"/boot/vmlinuz-{KERNEL}"),
    "boot.kernel-arguments": Row(argument("selinux=0"), ("boot.no-weakening",)),
    "boot.serial-console-x86": Row(arguments("console=ttyS0,115200n8", "x=y"),
                                   ("boot.console-order",)),
    "boot.serial-console-arm": Row(
        arguments("console=ttyS0,115200n8 console=ttyAMA0", "x=y"),
        ("boot.console-order",), arch="aarch64"),
    "boot.default-target": put("/etc/systemd/system/default.target", Link("/gone")),
}
BOOT["boot.no-swap"] = Row(BOOT["boot.no-swap"], ("boot.fstab",))  # type: ignore[arg-type]
BOOT["boot.kernel"] = Row(BOOT["boot.kernel"], (  # type: ignore[arg-type]
    "boot.bls-files", "boot.kernel-signed", "identity.entry-names"))
BOOT["boot.bls-files"] = Row(
    BOOT["boot.bls-files"], ("identity.entry-names",))  # type: ignore[arg-type]
BOOT["boot.initramfs-mode"] = mode(f"/boot/initramfs-{KERNEL}.img", 0o644)
BOOT["boot.grub-config-mode"] = mode("/boot/grub2/grub.cfg", 0o645)

CLOUD_ROWS: dict[str, Row | Change | str] = {
    "cloud.config-valid": Row(touch("/etc/cloud/cloud.cfg.d/91-x.cfg", "a: [\n"),
                              ("cloud.", "security.ssh-passwords", "target.", "openstack.",
                               "vmware.", "aws.")),
    "cloud.users-default": cloud("users: [bob]"),
    "cloud.user-locked": cloud("system_info: {default_user: {lock_passwd: false}}"),
    "cloud.user-shell": cloud("system_info: {default_user: {shell: /bin/zsh}}"),
    "cloud.user-groups": cloud("system_info: {default_user: {groups: [wheel]}}"),
    "cloud.host-keys": cloud("ssh_deletekeys: false"),
    "cloud.host-key-types": cloud("ssh_genkeytypes: [rsa]"),
    "cloud.passwords-off": Row(cloud("password: secret-one"), ("clean.secrets",)),
    "cloud.no-chpasswd": cloud("chpasswd: {expire: false}"),
    "cloud.distro": cloud("system_info: {distro: debian}"),
    "cloud.modules": modules("seed_random"),
    "cloud.modules-config": modules("runcmd"),
    "cloud.modules-final": modules("scripts-user"),
    "cloud.network-on": cloud("network: {config: disabled}"),
    "cloud.hostname-taken": cloud("preserve_hostname: true"),
    "cloud.hosts-left": cloud("manage_etc_hosts: true"),
    "cloud.identify-on": "/etc/cloud/ds-identify.cfg",
    "cloud.units-unmasked": mask("cloud-init-main.service"),
    "cloud.units": disable("chronyd.service"),
    "cloud.cloud-init-on": "/etc/cloud/cloud-init.disabled",
    "cloud.default-user": cloud("system_info: {default_user: {name: centos}}"),
    "cloud.root-disabled": cloud("disable_root: false"),
    "cloud.growpart": Row(modules("growpart"), ("cloud.modules",)),
    "cloud.resizefs": Row(modules("resizefs"), ("cloud.modules",)),
    "cloud.time-zone": both(touch("/usr/share/zoneinfo/Mars", "x"),
                            put("/etc/localtime", Link("../usr/share/zoneinfo/Mars"))),
    "services.runnable": touch("/usr/lib/systemd/system/sshd.service",
                               "[Service]\nExecStart=/usr/sbin/gone\n"),
    "services.enabled-within": unit("strange.service"),
    "services.masked-within": mask("rare.service"),
    "services.host-key-makers": mask("sshd-keygen@.service"),
    "services.timers": disable("logrotate.timer"),
    "services.logging": disable("rsyslog.service"),
    "services.no-questions": Row(unit("initial-setup.service"), ("services.enabled-within",)),
    "services.kdump-off": unit("kdump.service"),
    "services.timeouts": append("/etc/systemd/system.conf", "DefaultTimeoutStartSec=5s"),
    "network.any-card": touch("/etc/NetworkManager/conf.d/x.conf", "no-auto-default=*\n"),
    "network.keyfile": "/etc/sysconfig/network-scripts/ifcfg-eth0",
    "network.sysconfig": append("/etc/sysconfig/network", "NETWORKING=no"),
    "network.internal-dhcp": append("/etc/NetworkManager/NetworkManager.conf", "dhcp=dhclient"),
    "network.ipv6-on": argument("ipv6.disable=1"),
    "network.ipv6-sysctl": touch("/etc/sysctl.d/9.conf", "net.ipv6.conf.all.disable_ipv6=1\n"),
    "network.no-routes": "/etc/sysconfig/network-scripts/route-eth0",
    "time.chrony": append("/etc/chrony.conf", "server ntp.builder.lan"),
    "time.source": edit("/etc/chrony.conf", "pool 2.centos.pool.ntp.org iburst\n", ""),
    "time.one-keeper": unit("systemd-timesyncd.service"),
    "time.hardware-clock": touch("/etc/adjtime", "0.0 0 0.0\n0\nLOCAL\n"),
    "size.docs": touch("/usr/share/doc/big", size_bytes=40 << 20),
    "size.languages": touch("/usr/share/locale/big", size_bytes=80 << 20),
}
for _id in ("services.masked-within", "cloud.units-unmasked", "services.host-key-makers"):
    CLOUD_ROWS[_id] = Row(CLOUD_ROWS[_id], ("services.masked-within",))  # type: ignore[arg-type]

CONTAINER: dict[str, Row | Change | str] = {
    "container.ids-small": Row(
        both(owner("/etc/hosts", 70_000), append("/etc/passwd", "big:x:70000:0::/:/bin/false"),
             append("/etc/shadow", "big:!::"), append("/etc/group", "big:x:70000:")),
        ("packages.config-intact",)),
    "container.boot-empty": install("dracut"),
    "container.boot-folder": "/boot/x",
    "container.libraries": remove("/usr/lib64/libc.so.6"),
    "container.no-kernel": "/boot/vmlinuz-1",
    "container.no-disk": touch("/etc/fstab", "LABEL=a / xfs\n"),
    "container.language": edit("/etc/locale.conf", "C.UTF-8", "xx_XX.UTF-8"),
    "container.no-hardware-database": "/etc/udev/hwdb.bin",
    "container.no-firmware": "/usr/lib/firmware/x",
    "container.mirror-statistics": put("/etc/dnf/vars/infra", File("vm\n")),
    "container.small-additions": edit("/etc/dnf/dnf.conf", "tsflags=nodocs\n", ""),
    "system.init": remove("/usr/sbin/init"),
    "system.packages": uninstall("iproute"),
    "system.units": disable("sshd.service"),
    "system.default-target": put("/etc/systemd/system/default.target", Link("/gone")),
}
CONTAINER["container.no-kernel"] = Row(touch("/boot/vmlinuz-1"), ("container.boot-folder",))
CONTAINER["container.language"] = Row(
    edit("/etc/locale.conf", "C.UTF-8", "xx_XX.UTF-8"), ("packages.locale-installed",))

_WSL = "/usr/lib/wsl/oobe.sh"
TARGETS: dict[str, Row | Change | str] = {
    "target.data-sources": cloud("datasource_list: [ None ]"),
    "aws.no-firewall": install("firewalld"),
    "aws.login-terminals": edit("/etc/systemd/logind.conf.d/50-ccis-cloud.conf", "=0", "=6"),
    "target.nvme-timeout": arguments(" nvme_core.io_timeout=4294967295", ""),
    "aws.time": edit("/etc/chrony.conf", "server 169.254.169.123", "#"),
    "aws.drivers": initramfs_without("ena"),
    "aws.idle-states": argument("processor.max_cstate=1"),
    "aws.arm-arguments": Row(argument("iommu.strict=0"), arch="aarch64"),
    "aws.modules-off": edit("/etc/modprobe.d/ccis-aws.conf", "blacklist nouveau\n", ""),
    "aws.not-strict-tokens": cloud("datasource: {Ec2: {metadata_urls: [x]}}"),
    "azure.no-firewall": install("firewalld"),
    "azure.login-terminals": edit("/etc/systemd/logind.conf.d/50-ccis-cloud.conf", "=0", "=6"),
    "target.agent": disable("waagent.service"),
    "azure.arguments": arguments(" rootdelay=300", ""),
    "azure.arguments-arm": Row(arguments("console=ttyAMA0", "console=ttyS1"),
                               ("boot.console-order-arm", "azure."), arch="aarch64"),
    "azure.udf": Row(touch("/etc/modprobe.d/cis.conf", "install udf /bin/true\n"),
                     ("boot.modules-more",)),
    "azure.agent-provisioning": append("/etc/waagent.conf", "ResourceDisk.Format=y"),
    "azure.keep-alive": edit("/etc/ssh/sshd_config.d/40-ccis-azure.conf", "180", "120"),
    "azure.keep-alive-effective": sshd("ClientAliveInterval 900"),
    "azure.hyperv-daemons": uninstall("hyperv-daemons"),
    "azure.hyperv-unmasked": Row(mask("hypervkvpd.service"), ("services.masked-within",)),
    "azure.time": edit("/etc/chrony.conf", "refclock", "#"),
    "azure.time-device": edit("/etc/udev/rules.d/99-ccis-ptp-hyperv.rules", "hyperv", "kvm"),
    "azure.modules-off": edit("/etc/modprobe.d/ccis-azure.conf", "blacklist floppy\n", ""),
    "azure.dhcp-patience": edit("/etc/NetworkManager/conf.d/50-ccis-azure.conf", "300", "20"),
    "azure.drivers": initramfs_without("hv_storvsc"),
    "azure.agent-state": Row(touch("/var/lib/waagent/provisioned"), ("clean.daemon-state",)),
    "brightbox.drivers": initramfs_without("virtio_net"),
    "cloudstack.wget": uninstall("wget"),
    "cloudstack.drivers": Row(initramfs_without("virtio_scsi"), ("boot.initramfs-drivers",)),
    "docker.no-services": install("chrony"),
    "docker.shell": Row(remove("/usr/bin/bash"), ("security.", "packages.")),
    "oci.no-services": install("chrony"),
    "oci.shell": Row(remove("/usr/bin/bash"), ("security.", "packages.")),
    "target.not-strict": Row(edit("/etc/cloud/cloud.cfg.d/91-ec2_datasource.cfg", "false",
                                  "warn"), ("eucalyptus.strict-line",)),
    "eucalyptus.strict-line": edit("/etc/cloud/cloud.cfg.d/91-ec2_datasource.cfg",
                                   "  Ec2:\n    strict_id: false", "  Ec2: {strict_id: false}"),
    "eucalyptus.drivers": Row(initramfs_without("virtio_blk"), ("boot.initramfs-drivers",)),
    "gce.no-firewall": install("firewalld"),
    "gce.login-terminals": edit("/etc/systemd/logind.conf.d/50-ccis-cloud.conf", "=0", "=6"),
    "gce.time": append("/etc/chrony.conf", "pool 2.centos.pool.ntp.org"),
    "gce.metadata-address": edit("/etc/hosts", "169.254.169.254 metadata.google.internal metadata",
                                 "# nothing"),
    "gce.drivers": initramfs_without("virtio_net"),
    "gce.gvnic": Row(without_module("gve"), ("boot.modules-more",)),
    "gce.no-extra": install("lvm2"),
    "gce.ssh-root": edit("/etc/ssh/sshd_config.d/40-ccis-gce.conf", "420", "0"),
    "gce.modules-off": edit("/etc/modprobe.d/ccis-gce.conf", "blacklist", "#"),
    "hpcloud.drivers": initramfs_without("virtio_net"),
    "hyperv.daemons": uninstall("hyperv-daemons"),
    "hyperv.drivers": initramfs_without("hv_netvsc"),
    "incus.no-disk-units": unit("systemd-udevd.service"),
    "lxc.no-disk-units": unit("systemd-udevd.service"),
    "openvz.no-disk-units": unit("systemd-udevd.service"),
    "incusvm.drivers": initramfs_without("virtio_net"),
    "incusvm.agent": Row(both(without_module("virtiofs"), without_module("9p")),
                         ("boot.modules-more",)),
    "install.dracut": uninstall("dracut"),
    "kvm.drivers": initramfs_without("virtio_net"),
    "kvm.shutdown": Row(mask("systemd-logind.service"), ("services.masked-within",)),
    "live.dracut": uninstall("dracut"),
    "live.no-installer": Row(touch("/root/anaconda-ks.cfg"), ("clean.installer",)),
    "opennebula.shell": Row(edit("/etc/passwd", "nobody:", "somebody:"), ("security.",)),
    "opennebula.sudo": Row(uninstall("sudo"), ("cloud.packages",)),
    "opennebula.one-agent": install("one-context"),
    "opennebula.media": Row(without_module("isofs"), ("boot.modules-available",)),
    "openstack.agent": Row(uninstall("qemu-guest-agent"), ("cloud.guest-agent",)),
    "openstack.agent-usable": touch("/etc/sysconfig/qemu-ga",
                                    "FILTER_RPC_ARGS=--block-rpcs=guest-fsfreeze-freeze\n"),
    "openstack.devices": Row(without_module("virtio_rng"), ("boot.modules-available",)),
    "openstack.zeroconf": edit("/etc/sysconfig/network", "=yes", "=no"),
    "openstack.all-sources": cloud("datasource_list: [ OpenStack ]"),
    "ovirt.agent": Row(uninstall("qemu-guest-agent"), ("cloud.guest-agent",)),
    "ovirt.media": Row(without_module("sr_mod"), ("boot.modules-available",)),
    "ovirt.drivers": Row(initramfs_without("virtio_scsi"), ("boot.initramfs-drivers",)),
    "vagrant.key": edit("/home/vagrant/.ssh/authorized_keys", "ssh-rsa", "ssh-dss"),
    "vagrant.sudo": edit("/etc/sudoers.d/vagrant", "NOPASSWD: ", ""),
    "vagrant.no-cloud-init": install("cloud-init"),
    "vagrant.units": disable("chronyd.service"),
    "vagrant.packages": uninstall("nfs-utils"),
    "vagrant.user": both(append("/etc/passwd", "bob:x:1001:0:::/bin/bash"),
                         append("/etc/shadow", "bob:!::")),
    "vagrant.ssh-modes": put("/home/vagrant/.ssh", Folder(0o755, uid=1000, gid=1000)),
    "vagrant.key-mode": mode("/home/vagrant/.ssh/authorized_keys", 0o644),
    "vagrant.home-mode": put("/home/vagrant", Folder(0o755, uid=1000, gid=1000)),
    "vagrant.sshd": sshd("UseDNS yes"),
    "vagrant.infra": put("/etc/dnf/vars/infra", File("container\n")),
    "virtualbox.drivers": initramfs_without("virtio_net"),
    "virtualbox.no-additions": install("virtualbox-guest-additions"),
    "vmware.tools": uninstall("open-vm-tools"),
    "vmware.tools-start": disable("vmtoolsd.service"),
    "vmware.customisation": cloud("disable_vmware_customization: true"),
    "vmware.drivers": initramfs_without("vmw_pvscsi"),
    "wsl.configuration": edit("/etc/wsl.conf", "=true", "=false"),
    "wsl.first-start": edit("/etc/wsl-distribution.conf", "1000", "0"),
    "wsl.configuration-mode": mode("/etc/wsl.conf", 0o666 & 0o664),
    "wsl.units": Row(unit("tmp.mount", "local-fs.target"),
                     ("wsl.no-conflicts", "services.enabled-within")),
    "wsl.first-program": Row(remove(_WSL)),
    "wsl.first-program-mode": mode(_WSL, 0o644),
    "wsl.no-default-user": append("/etc/wsl.conf", "default=me"),
    "wsl.no-conflicts": unit("systemd-tmpfiles-setup.service", "sysinit.target"),
    "target.console": Row(arguments(" console=hvc0", ""), ("boot.console-order",)),
    "xen.login": Row(mask("serial-getty@hvc0.service"), ("services.masked-within",)),
    "xen.menu": Row(remove("/boot/grub2/grub.cfg"), ("boot.grub-config-mode",)),
    "xen.drivers": initramfs_without("xen-blkfront"),
}
TARGETS["wsl.configuration-mode"] = Row(
    mode("/etc/wsl.conf", 0o664), ("security.group-writable",))

_ALL: dict[str, Row | Change | str] = {
    **ARTEFACT, **PACKAGES, **IDENTITY, **CLEAN, **SECURITY, **BOOT, **CLOUD_ROWS, **CONTAINER,
    **TARGETS}


def row(rule_id: str) -> Row:
    """The row of a rule."""
    found = _ALL[rule_id]
    if isinstance(found, str):
        return Row(touch(found))
    return found if isinstance(found, Row) else Row(found)


def known() -> set[str]:
    """The ids of all rules that have a row."""
    return set(_ALL)


