"""Every kind of offline check, beside an image that passes and one that fails it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specs.kinds import KINDS
from specs.model import Rule, load, names
from tests.validate.small_views import (
    File,
    Folder,
    Link,
    disk_of,
    package,
    record_of,
    view_of,
    volumes_of,
)
from validate.disk import DiskFacts, FileSystem
from validate.judge import judge
from validate.view import View

SHADOW = "root:!locked::0:99999:7:::\nbin:*:1::::::\n"
PASSWD = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/sbin/nologin\n"
SSHD = "/etc/ssh/sshd_config"
UNIT = "/usr/lib/systemd/system/a.service"
WANTS = "/etc/systemd/system/multi-user.target.wants/a.service"
RPMDB = {"/etc/os-release": 'VERSION_ID="10"\n', "/usr/lib/sysimage/rpm/rpmdb.sqlite": "x",
         "/var/lib/rpm": Link("../../usr/lib/sysimage/rpm")}
ENTRY = "/boot/loader/entries/x-1.conf"
KERNEL = {
    "/boot/vmlinuz-1": "x", "/boot/initramfs-1.img": File(size_bytes=2 << 20),
    "/usr/lib/modules/1/modules.dep": "x", "/lib": Link("usr/lib"),
    ENTRY: "linux /vmlinuz-1\noptions root=UUID=a console=ttyS0,115200n8\n",
}
FSTAB = "# fstab\nUUID=1111-root / xfs defaults 0 0\nUUID=aaaa-bbbb /boot/efi vfat x 0 2\n"
LOOP = {"/etc/a": Link("b"), "/etc/b": Link("a")}


def without(files: dict[str, Any], *paths: str, **more: Any) -> dict[str, Any]:
    return {path: what for path, what in files.items() if path not in paths}


def _mounted(point: str, fstype: str) -> DiskFacts:
    one = FileSystem("/dev/sda2", fstype, mountpoint=point)
    return DiskFacts(1 << 30, "gpt", [], [one], mounted={point: one})


# (check, an image that passes, an image that fails, a word of the evidence for the failure)
CASES: list[tuple[dict[str, Any], View, View, str]] = [
    ({"kind": "absent", "paths": ["/tmp/*", "/etc/x"]},
     view_of({"/tmp": Folder()}), view_of({"/tmp/.left": ""}), "/tmp/.left"),
    # what mke2fs puts at the top of each file system, and nothing that merely has its name
    *(({"kind": "absent", "paths": ["/tmp/*", "/var/cache/dnf/*"]},
       view_of({f"{point}/lost+found": Folder(0o700)}, disk=_mounted(point, "ext4")), wrong,
       "lost+found")
      for point in ("/tmp", "/var/cache/dnf") for wrong in (
          view_of({f"{point}/lost+found": Folder(0o700)}),
          view_of({f"{point}/lost+found": Folder(0o700)}, disk=_mounted(point, "xfs")),
          view_of({f"{point}/lost+found": "x"}, disk=_mounted(point, "ext4")),
          view_of({f"{point}/lost+found/#12": "x"}, disk=_mounted(point, "ext4")))),
    ({"kind": "absent", "paths": ["/etc/a"]},
     view_of({}), view_of(LOOP), "/etc/a"),
    ({"kind": "empty_file", "paths": ["/etc/machine-id"]},
     view_of({"/etc/machine-id": ""}), view_of({"/etc/machine-id": "abc"}), "3 bytes"),
    ({"kind": "empty_file", "paths": ["/etc/machine-id"]},
     view_of({"/etc/machine-id": ""}), view_of({}), "not there"),
    ({"kind": "empty_file", "paths": ["/etc/machine-id"]},
     view_of({"/etc/machine-id": ""}), view_of({"/etc/machine-id": Link("/dev/null")}),
     "not a regular file"),
    ({"kind": "file_content", "path": "/etc/x", "equals": "a\n"},
     view_of({"/etc/x": "a\n"}), view_of({"/etc/x": "a"}), "a"),
    ({"kind": "present", "paths": ["/boot/x*"], "min_bytes": 2},
     view_of({"/boot/x1": "ab"}), view_of({"/boot/x1": "a"}), "1 bytes"),
    ({"kind": "present", "paths": ["/bin/sh"]},
     view_of({"/bin": Link("usr/bin"), "/usr/bin/sh": "x"}), view_of(LOOP), "not there"),
    ({"kind": "attributes", "paths": ["/etc/shadow"], "modes": ["0000"]},
     view_of({"/etc/shadow": File(mode=0)}), view_of({"/etc/shadow": ""}), "0644"),
    ({"kind": "attributes", "paths": ["/etc/shadow"], "modes": ["0644"]},
     view_of({"/etc/shadow": ""}), view_of({"/etc/shadow": File(uid=7)}), "7:0"),
    ({"kind": "symlink", "path": "/etc/localtime", "targets": ["/usr/share/zoneinfo/UTC"]},
     view_of({"/etc/localtime": Link("../usr/share/zoneinfo/Etc/UTC"),
              "/usr/share/zoneinfo/Etc/UTC": Link("../UTC"), "/usr/share/zoneinfo/UTC": "x"}),
     view_of({"/etc/localtime": Link("../usr/share/zoneinfo/UTC")}), "not there"),
    ({"kind": "world_writable"},
     view_of({"/tmp": Folder(0o1777), "/etc/a": Link("b")}),
     view_of({"/etc/x": File(mode=0o666)}), "/etc/x (0666)"),
    ({"kind": "world_writable"},
     view_of({"/tmp": Folder(0o1777)}), view_of({"/srv": Folder(0o777)}), "/srv"),
    ({"kind": "setuid_within", "allow": ["/usr/bin/su"]},
     view_of({"/usr/bin/su": File(mode=0o4755)}),
     view_of({"/usr/bin/mine": File(mode=0o2755)}), "/usr/bin/mine (2755)"),
    ({"kind": "file_matches", "paths": ["/etc/x"], "lines": ["^A=1$"], "not_lines": ["^B="]},
     view_of({"/etc/x": "# B=2\nA=1\n"}), view_of({"/etc/x": "A=1\nB=2\n"}), "B=2"),
    ({"kind": "file_matches", "paths": ["/etc/x"], "lines": ["^A=1$"]},
     view_of({"/etc/x": "A=1"}), view_of({"/etc/x": "#A=1"}), "no line"),
    ({"kind": "file_matches", "paths": ["/etc/x"], "lines": ["^A=1$"]},
     view_of({"/etc/x": Link("/y"), "/y": "A=1"}), view_of({}), "not there"),
    ({"kind": "os_release", "fields": {"ID": "centos", "VERSION_ID": r"\d+"}},
     view_of({"/etc/os-release": Link("../usr/lib/os-release"),
              "/usr/lib/os-release": 'ID="centos"\nVERSION_ID=10\n'}),
     view_of({"/etc/os-release": "ID=debian\nVERSION_ID=10\n"}), "ID=debian"),
    ({"kind": "yaml_value", "path": "/c", "key": "a.b", "one_of": ["x", True]},
     view_of({"/c": "a: {b: true}"}), view_of({"/c": "a: [b]"}), "None"),
    ({"kind": "yaml_value", "path": "/c", "key": "m", "contains": "growpart"},
     view_of({"/c": "m: [a, [growpart, always]]"}), view_of({"/c": "m: [a]"}), "a"),
    ({"kind": "sshd_setting", "key": "PermitRootLogin", "one_of": ["no"], "default": "yes"},
     view_of({SSHD: "Include sshd_config.d/*.conf\nPermitRootLogin yes\n",
              f"{SSHD}.d/1.conf": "permitrootlogin=no\n"}),
     view_of({SSHD: "Match User a\n  PermitRootLogin no\n"}), "default"),
    ({"kind": "sshd_setting", "key": "PermitRootLogin", "one_of": ["no"], "default": "no"},
     view_of({SSHD: "#PermitRootLogin yes\n"}),
     view_of({SSHD: "PermitRootLogin yes\nPermitRootLogin no\n"}), "yes"),
    ({"kind": "package_installed", "names": ["a|b", "c"]},
     view_of(RPMDB, packages=[package("b"), package("c")]),
     view_of(RPMDB, packages=[package("a")]), "c is not installed"),
    ({"kind": "package_count", "max": 1},
     view_of(RPMDB, packages=[package("a")]),
     view_of(RPMDB, packages=[package("a"), package("b")]), "2 packages"),
    ({"kind": "module_blocked", "names": ["nouveau"]},
     view_of({"/etc/modprobe.d/a.conf": "blacklist nouveau\n"}),
     view_of({"/etc/modprobe.d/a.conf": "blacklist other\n"}), "nouveau is not blocked"),
    ({"kind": "package_absent", "names": ["telnet-server"]},
     view_of(RPMDB, packages=[package("a")]),
     view_of(RPMDB, packages=[package("telnet-server")]), "telnet-server-1-1"),
    ({"kind": "packages_signed"},
     view_of(RPMDB, packages=[package("a"), package("gpg-pubkey", signed=False)]),
     view_of(RPMDB, packages=[package("a", signed=False)]), "a-1-1.noarch"),
    ({"kind": "packages_recorded"},
     view_of(RPMDB, packages=[package("a"), package("gpg-pubkey")], record=record_of("a")),
     view_of(RPMDB, packages=[package("a")], record=record_of("b")), "not in build.json: a-1-1"),
    ({"kind": "rpm_database", "places": {"10": "/usr/lib/sysimage/rpm"}},
     view_of(RPMDB, packages=[package("a")]),
     view_of({**RPMDB, "/root/.rpmdb/rpmdb.sqlite": "x"}, packages=[package("a")]), ".rpmdb"),
    ({"kind": "rpm_database", "places": {"10": "/usr/lib/sysimage/rpm"}},
     view_of(RPMDB, packages=[package("a")]), view_of(RPMDB, packages=[]), "0 packages"),
    ({"kind": "unit_enabled", "units": ["b.service|a.service"]},
     view_of({UNIT: "x", WANTS: Link(UNIT)}), view_of({UNIT: "x"}), "not enabled"),
    ({"kind": "unit_enabled", "units": ["a.service"]},
     view_of({UNIT: "x", WANTS: Link(UNIT)}),
     view_of({UNIT: "x", WANTS: Link(UNIT), "/etc/systemd/system/a.service": Link("/dev/null")}),
     "not enabled"),
    ({"kind": "unit_enabled", "units": ["a.service"]},
     view_of({UNIT: "x", WANTS: Link(UNIT)}), view_of({WANTS: Link(UNIT)}), "not enabled"),
    ({"kind": "unit_off", "units": ["a.service"]},
     view_of({UNIT: "x"}), view_of({UNIT: "x", WANTS: Link(UNIT)}), WANTS),
    ({"kind": "passwords_locked"},
     view_of({"/etc/shadow": SHADOW, "/etc/passwd": PASSWD}),
     view_of({"/etc/shadow": SHADOW + "x::1::::::\n"}), "empty password"),
    ({"kind": "passwords_locked"},
     view_of({"/etc/shadow": SHADOW}), view_of({"/etc/shadow": "root:$6$a$b:1::::::\n"}),
     "root has a password"),
    ({"kind": "passwords_locked"},
     view_of({"/etc/shadow": SHADOW, "/etc/passwd": PASSWD}),
     view_of({"/etc/shadow": SHADOW, "/etc/passwd": "root::0:0::/root:/bin/sh\n"}),
     "in /etc/passwd"),
    ({"kind": "accounts"},
     view_of({"/etc/passwd": PASSWD}),
     view_of({"/etc/passwd": PASSWD + "toor:x:0:0::/:/bin/sh\n"}), "toor has number 0"),
    ({"kind": "accounts"},
     view_of({"/etc/passwd": PASSWD}),
     view_of({"/etc/passwd": PASSWD + "me:x:1000:1000::/:/bin/sh\n"}), "me (1000)"),
    ({"kind": "selinux_labels", "types": {"/etc/x": "etc_t|usr_t"}},
     view_of({"/etc/x": ""}), view_of({"/etc/x": File(label="a:b:tmp_t:s0")}), "tmp_t"),
    ({"kind": "selinux_labels", "types": {}, "unlabelled_ok": ["/efi/**"]},
     view_of({"/efi/x": File(label="")}), view_of({"/etc/x": File(label="")}), "/etc/x"),
    ({"kind": "partition_table", "scheme": "gpt", "purposes": ["bios-boot", "efi-system"]},
     view_of({}, disk=disk_of()), view_of({}, disk=disk_of(order="er")), "no bios-boot"),
    ({"kind": "partition_table", "scheme": "gpt"},
     view_of({}, disk=disk_of()), view_of({}, disk=disk_of(order="berd")), "lies behind"),
    ({"kind": "partition_table", "scheme": "gpt"},
     view_of({}, disk=disk_of()), view_of({}, disk=disk_of(scheme="msdos")), "msdos"),
    ({"kind": "filesystem", "mountpoint": "/", "types": ["xfs"], "label": "root"},
     view_of({}, disk=disk_of()), view_of({}, disk=disk_of(root_type="ext3")), "ext3"),
    ({"kind": "fstab", "by": ["UUID"]},
     view_of({"/etc/fstab": FSTAB}, disk=disk_of()),
     view_of({"/etc/fstab": "/dev/vda1 / xfs defaults 0 0"}, disk=disk_of()), "/dev/vda1"),
    ({"kind": "fstab", "by": ["UUID"]},
     view_of({"/etc/fstab": FSTAB}, disk=disk_of()),
     view_of({"/etc/fstab": FSTAB.replace("xfs", "ext4")}, disk=disk_of()), "is xfs, not ext4"),
    ({"kind": "fstab", "by": ["UUID"]},
     view_of({"/etc/fstab": FSTAB}, disk=disk_of()),
     view_of({"/etc/fstab": FSTAB.replace("1111", "2222")}, disk=disk_of()), "no UUID=2222"),
    # Roots that are not a partition: what is under them counts.
    ({"kind": "partition_table", "scheme": "gpt"},
     view_of({}, disk=volumes_of()), view_of({}, disk=volumes_of(order="bped")), "lies behind"),
    ({"kind": "fstab", "by": ["UUID", "/dev/mapper"]},
     view_of({"/etc/fstab": "/dev/mapper/cs-root / xfs x 0 0"}, disk=volumes_of()),
     view_of({"/etc/fstab": "/dev/mapper/cs-other / xfs x 0 0"}, disk=volumes_of()), "cs-other"),
    ({"kind": "fstab", "by": ["UUID", "/dev/mapper"]},
     view_of({"/etc/fstab": "/dev/cs/root / xfs x 0 0"}, disk=volumes_of()),
     view_of({"/etc/fstab": "/dev/sda3 / xfs x 0 0"}, disk=volumes_of()), "mounted by /dev/sda3"),
    ({"kind": "fstab", "by": ["UUID"]},
     view_of({"/etc/fstab": "UUID=1111-root / btrfs subvol=/root 0 0"},
             disk=volumes_of(subvolume="root")),
     view_of({"/etc/fstab": "UUID=1111-root / btrfs subvol=rot 0 0"},
             disk=volumes_of(subvolume="root")), "no subvolume rot"),
    ({"kind": "kernel_arguments", "root_on_disk": True},
     view_of({ENTRY: "options root=/dev/mapper/cs-root"}, disk=volumes_of()),
     view_of({ENTRY: "options root=/dev/mapper/cs-home"}, disk=volumes_of()), "is not the root"),
    ({"kind": "kernel_arguments", "root_on_disk": True},
     view_of({ENTRY: "options root=UUID=1111-root rootflags=noatime,subvol=root"},
             disk=volumes_of(subvolume="root")),
     view_of({ENTRY: "options root=UUID=1111-root"}, disk=volumes_of(subvolume="root")),
     "no rootflags=subvol=root"),
    ({"kind": "bios_boot"},
     view_of({}, disk=disk_of()), view_of({}, disk=disk_of(boot_area=bytes(9))), "empty"),
    ({"kind": "bios_boot"},
     view_of({}, disk=disk_of()), view_of({}, disk=disk_of(boot_sector=bytes(512))), "no code"),
    ({"kind": "kernel_arguments", "present": ["console=ttyS0(,.*)?"], "absent": ["selinux=0"]},
     view_of({ENTRY: "options $kernelopts console=ttyS0,115200n8\n",
              "/boot/grub2/grubenv": "kernelopts=root=UUID=a\n"}),
     view_of({ENTRY: "options console=ttyS01\n"}), "no console=ttyS0"),
    ({"kind": "kernel_arguments", "absent": ["selinux=0"]},
     view_of({"/boot/grub2/grub.cfg": "menuentry x {\n linux /vmlinuz ro\n}"}),
     view_of({"/boot/grub2/grub.cfg": 'set kernelopts="selinux=0"\n linux /v $kernelopts\n'}),
     "selinux=0"),
    ({"kind": "kernel_arguments", "absent": ["selinux=0"]},
     view_of(KERNEL), view_of({}), "no boot entry"),
    ({"kind": "kernel_arguments", "root_on_disk": True},
     view_of({ENTRY: "options root=UUID=1111-root"}, disk=disk_of()),
     view_of({ENTRY: "options root=UUID=aaaa-bbbb"}, disk=disk_of()), "is not the root file"),
    ({"kind": "kernel_complete"},
     view_of(KERNEL), view_of(without(KERNEL, "/boot/initramfs-1.img")), "no initramfs"),
    ({"kind": "kernel_complete"},
     view_of(KERNEL), view_of({**KERNEL, "/usr/lib/modules/2/modules.dep": "x"}),
     "2: no /boot/vmlinuz-2"),
    ({"kind": "kernel_complete"},
     view_of(KERNEL), view_of({**KERNEL, ENTRY: "linux /vmlinuz-11\n"}), "no boot entry"),
]


def rule(check: dict[str, Any]) -> Rule:
    return Rule.model_validate(
        {"id": "a.b", "title": "t", "rationale": "r", "check": check})


def named(value: object) -> str:
    return str(value["kind"]) if isinstance(value, dict) else ""


@pytest.mark.parametrize(("check", "good", "bad", "evidence"), CASES, ids=named)
def test_a_good_image_passes_and_a_bad_one_fails(
    check: dict[str, Any], good: View, bad: View, evidence: str,
) -> None:
    passed = judge(rule(check), good)
    assert passed.status == "passed", passed.found
    failed = judge(rule(check), bad)
    assert failed.status == "failed", failed.found
    assert evidence in failed.found


def test_every_offline_kind_has_a_case() -> None:
    """Here, or as a rule that has its mutation (tests/validate/mutations)."""
    offline = {name for name, kind in KINDS.items() if kind.tier == "offline"}
    rules = {rule.check.kind for name in names() for rule in load(name).rules}
    assert {check["kind"] for check, *_ in CASES} | (rules & offline) == offline


NOTHING_TO_LOOK_AT: list[tuple[dict[str, Any], Callable[[], View]]] = [
    ({"kind": "attributes", "paths": ["/etc/gshadow"], "modes": ["0000"]}, lambda: view_of({})),
    ({"kind": "file_matches", "paths": ["/etc/x*"], "not_lines": ["a"], "missing_ok": True},
     lambda: view_of({})),
    ({"kind": "sshd_setting", "key": "A", "one_of": ["no"], "default": "yes"},
     lambda: view_of({})),
    ({"kind": "packages_recorded"}, lambda: view_of(RPMDB)),
    ({"kind": "bios_boot"}, lambda: view_of({})),
]


@pytest.mark.parametrize(("check", "make"), NOTHING_TO_LOOK_AT, ids=named)
def test_a_rule_without_its_subject_is_not_applicable(
    check: dict[str, Any], make: Callable[[], View],
) -> None:
    assert judge(rule(check), make()).status == "not-applicable"


HOSTILE: list[tuple[dict[str, Any], View]] = [
    ({"kind": "file_matches", "paths": ["/etc/x"], "lines": ["a"]},
     view_of({"/etc/x": File(size_bytes=1 << 40)})),
    ({"kind": "yaml_value", "path": "/c", "key": "a", "one_of": ["b"]},
     view_of({"/c": "[" * 100_000})),
    ({"kind": "yaml_value", "path": "/c", "key": "a", "one_of": ["b"]},
     view_of({"/c": "a: *nothing"})),
    ({"kind": "sshd_setting", "key": "A", "one_of": ["no"], "default": "no"},
     view_of({SSHD: f"Include {SSHD}\n"})),
    ({"kind": "package_installed", "names": ["a"]}, view_of({})),
]


@pytest.mark.parametrize(("check", "view"), HOSTILE, ids=named)
def test_what_cannot_be_read_is_unknown_and_no_crash(check: dict[str, Any], view: View) -> None:
    assert judge(rule(check), view).status == "unknown"
