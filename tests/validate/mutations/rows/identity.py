"""Mutations that leave a machine's identity or its traces in an image."""

from __future__ import annotations

from tests.validate.mutations.changes import (
    ENTRY,
    append,
    edit,
    header,
    mode,
    put,
    remove,
    special,
    stale,
    touch,
    unit,
    xattr,
)
from tests.validate.mutations.files import KERNEL
from tests.validate.mutations.good import Change
from tests.validate.mutations.row import (
    PROFILE,
    Row,
)
from tests.validate.small_views import File, Link

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
