"""Mutations of packages and their files."""

from __future__ import annotations

from tests.validate.mutations.changes import (
    append,
    edit,
    header,
    install,
    record,
    stale,
    touch,
    uninstall,
)
from tests.validate.mutations.good import Change, package
from tests.validate.mutations.row import (
    Row,
    second_bash,
)
from validate.rpmdb import Relation

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
