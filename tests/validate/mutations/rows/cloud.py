"""Mutations of what a cloud needs, and of what a container must not have."""

from __future__ import annotations

from tests.validate.mutations.changes import (
    append,
    argument,
    both,
    cloud,
    disable,
    edit,
    install,
    mask,
    owner,
    put,
    remove,
    touch,
    uninstall,
    unit,
)
from tests.validate.mutations.good import Change
from tests.validate.mutations.row import (
    Row,
    modules,
)
from tests.validate.small_views import File, Link

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
