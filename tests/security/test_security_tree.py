"""A tree in which things lie in wait: whatever of ours works on it, the host notices nothing.

Each function that touches a tree meets each path that it touches as a link out at every level, as
a FIFO, a device, a folder, a terabyte, a loop. It may do its work or name what is wrong; it may not
read or write outside, and not wait.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.booting import bootloader, kernel_plugins
from builder.booting.drivers import check_drivers
from builder.disk.layout import plan_layout
from builder.kickstart.read import read
from builder.packages import installed
from builder.scripting.tree_shims import shims
from builder.steps import settings
from builder.tree import labels
from builder.tree.adapt import adapt
from builder.tree.kernels import kernels
from builder.tree.normalise import settle
from builder.tree.seal import seal
from builder.tree.tree import Tree
from host.errors import CcisError, InputError
from images.target import Layer
from specs.model import Rule
from tests.builder.disk.disk_trees import MIB
from tests.builder.disk.disk_trees import request as partition
from tests.builder.kickstart.lines import apply, small_tree
from tests.security.hostile_trees import SHAPES, lay, secrets_in, seen

EPOCH = 1_700_000_000
KERNEL = "6.12.0-1.el10"
RPM = "/usr/lib/sysimage/rpm"
CONTEXTS = "/etc/selinux/targeted/contexts/files/file_contexts"
ENTRY = "/boot/loader/entries/x.conf"
STUB = "/boot/efi/EFI/centos/grub.cfg"
IMAGE = f"/boot/initramfs-{KERNEL}.img"

Act = Callable[[Tree, Path], object]

pytestmark = [pytest.mark.timeout(120),
              pytest.mark.skipif(os.geteuid() != 0, reason="devices and sandboxes need root")]


def database(statements: str) -> bytes:
    """Return an SQLite database."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(statements)
    return connection.serialize()


HISTORY = database("CREATE TABLE trans (id INTEGER, dt_begin INTEGER, dt_end INTEGER);"
                   "CREATE TABLE console_output (line TEXT); INSERT INTO trans VALUES (1, 2, 3);")
PACKAGES = database("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL);")
SHADOW = f"root:!:{int(time.time()) // 86400}:0:99999:7:::\n".encode()


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    (tmp_path / "victim").mkdir()
    return tmp_path / "victim"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return furnished(tmp_path)


def furnished(folder: Path) -> Tree:
    """A tree with a kernel, a loader's files, a policy and databases, all in their places."""
    tree = small_tree(folder)
    files = {
        f"/usr/lib/modules/{KERNEL}/modules.dep": "", f"/boot/vmlinuz-{KERNEL}": "",
        ENTRY: f"linux /vmlinuz-{KERNEL}\noptions old\n", "/boot/efi/EFI/centos/grubx64.efi": "",
        STUB: "old", CONTEXTS: "/.* system_u:object_r:default_t:s0\n", "/boot/grub2/grub.cfg": "",
        "/etc/machine-id": "abc\n", "/etc/default/grub": 'GRUB_CMDLINE_LINUX="old"\n',
        "/etc/kernel/cmdline": "old\n", "/var/log/x.log": "", "/usr/bin/dracut": "#!/bin/sh\n",
        "/var/cache/ldconfig/aux-cache": "", IMAGE: "",
    }
    for path, text in files.items():
        tree.write(path, text)
    tree.write("/usr/sbin/grub2-mkconfig", "#!/bin/sh\n:\n", mode=0o755)
    tree.write("/usr/bin/grub2-editenv", '#!/bin/sh\n: > "$1"\n', mode=0o755)
    for path, content in ((f"{RPM}/rpmdb.sqlite", PACKAGES),
                          ("/var/lib/dnf/history.sqlite", HISTORY)):
        tree.make_folder(str(Path(path).parent))
        (tree.root / path.lstrip("/")).write_bytes(content)
    return tree


def layout(*points: str):  # type: ignore[no-untyped-def]
    parts = [partition(point, 40, fstype="ext4") for point in points]
    return plan_layout([partition("/", 300, fstype="ext4"), *parts], 700 * MIB, "msdos", "seed")


def kickstart(tree: Tree, text: str = "bootloader\n"):  # type: ignore[no-untyped-def]
    path = tree.root.parent / "own.ks"
    path.write_text(text)
    return read(path, "RHEL10")


def settling(tree: Tree, _: Path) -> None:
    settle(tree.root, EPOCH, time.time(), "scripts")


def loading(tree: Tree, _: Path) -> None:
    bootloader.write_settings(tree, kickstart(tree), layout())
    bootloader.install(tree, kickstart(tree), layout())


def sealing(tree: Tree, _: Path) -> None:
    checks = [{"kind": "absent", "paths": ["/var/log/**", "/etc/ssh/ssh_host_*", "/etc/hostname"]},
              {"kind": "empty_file", "paths": ["/etc/machine-id"]},
              {"kind": "file_content", "path": "/etc/motd", "equals": "x"}]
    seal(tree, [Rule.model_validate({"id": "a.b", "title": "t", "rationale": "r", "seal": True,
                                     "check": check}) for check in checks])


def configuring(tree: Tree, _: Path) -> None:
    settings.configure(tree, kickstart(tree, ""), layout("/srv/data"))


def adapting(tree: Tree, _: Path) -> None:
    adapt(tree, Layer(kernel_arguments=["new"]), "x.yaml")


def by_hand(tree: Tree, results: Path) -> None:
    labels.save_set_by_hand(tree, [b"/etc/motd", b"/etc/../etc/hosts"], results)
    (results / "labels.json").write_text('{"/etc/motd": "a:b:c:s0", "/etc/hosts": "a:b:c:s0"}')
    labels.restore_set_by_hand(tree, results)


def noting(tree: Tree, results: Path) -> None:
    scratch = results / "scratch"
    scratch.mkdir()
    installed.note(tree, RPM, scratch, results)


def accounts(tree: Tree, _: Path) -> None:
    apply(tree, "rootpw --lock\nsshkey --username=root 'ssh-ed25519 AAAA'\n")


def hosts_accounts(tree: Tree, _: Path) -> None:
    for tool in ("useradd", "groupadd"):
        tree.remove(f"/usr/sbin/{tool}")
    apply(tree, "group --name=new\nuser --name=guest --uid=1234\n")


def lines(tree: Tree, _: Path) -> None:
    apply(tree, "lang en_US.UTF-8\nkeyboard us\ntimezone UTC\nselinux --enforcing\n"
                "network --hostname=x --device=eth0 --bootproto=dhcp\n")


def looking(tree: Tree, _: Path) -> None:
    assert isinstance(kernels(tree), list)
    shims(tree, "", {})
    kernel_plugins.allow(tree)


WORK: list[tuple[Act, str, bytes]] = [
    (settling, "/etc/shadow", SHADOW), (settling, "/etc/shadow-", SHADOW),
    (settling, "/var/cache/ldconfig/aux-cache", b""),
    (settling, f"{RPM}/rpmdb.sqlite", PACKAGES), (settling, f"{RPM}/rpmdb.sqlite-wal", b""),
    (settling, "/var/lib/dnf/history.sqlite", HISTORY),
    (settling, "/var/lib/dnf/history.sqlite-journal", b"x"),
    (loading, ENTRY, b"options old\n"), (loading, STUB, b""), (loading, "/etc/default/grub", b""),
    (loading, "/etc/kernel/cmdline", b""), (loading, "/boot/grub2/grub.cfg", b""),
    (loading, "/boot/grub2/grubenv", b""), (loading, "/etc/os-release", b"VERSION_ID=9\n"),
    (sealing, "/var/log/deep/x.log", b""), (sealing, "/etc/machine-id", b"abc\n"),
    (sealing, "/etc/motd", b""), (sealing, "/etc/ssh/ssh_host_rsa_key", b""),
    (sealing, "/etc/hostname", b""),
    (configuring, "/srv/data", b""), (configuring, "/etc/fstab", b""),
    (adapting, ENTRY, b"options old\n"), (adapting, "/boot/grub2/grub.cfg", b"linux /v old\n"),
    (adapting, "/etc/default/grub", b'GRUB_CMDLINE_LINUX="old"\n'),
    (lambda tree, _: labels.relabel(tree), CONTEXTS, b"/.* a:b:c:s0\n"),
    (lambda tree, _: labels.relabel(tree), f"{CONTEXTS}.local", b"/.* a:b:c:s0\n"),
    (lambda tree, _: labels.relabel(tree), f"{CONTEXTS}.subs", b"/a /b\n"),
    (lambda tree, _: labels.relabel(tree), f"{CONTEXTS}.bin", b"\x8a\xff\x7c\xf9"),
    (lambda tree, _: labels.relabel(tree), "/etc/selinux/config", b"SELINUXTYPE=targeted\n"),
    (by_hand, "/etc/motd", b""), (by_hand, "/etc/hosts", b""),
    (lambda tree, _: check_drivers(tree, {"x.yaml": ["virtio_blk"]}), IMAGE, b""),
    (lambda tree, _: check_drivers(tree, {"x.yaml": ["virtio_blk"]}),
     f"/usr/lib/modules/{KERNEL}/modules.builtin", b"virtio_blk.ko\n"),
    (noting, f"{RPM}/rpmdb.sqlite", PACKAGES), (noting, f"{RPM}/Packages", b""),
    (accounts, "/etc/shadow", b"root:x:1:0:99999:7:::\n"),
    (accounts, "/root/.ssh/authorized_keys", b""),
    (hosts_accounts, "/etc/passwd", b"root:x:0:0:root:/root:/bin/bash\n"),
    (hosts_accounts, "/etc/group", b"root:x:0:\n"),
    (hosts_accounts, "/etc/shadow", b""), (hosts_accounts, "/home/guest/.bashrc", b""),
    (hosts_accounts, "/etc/skel/.bashrc", b"x"), (hosts_accounts, "/etc/login.defs", b""),
    (lines, "/etc/locale.conf", b""), (lines, "/etc/vconsole.conf", b""),
    (lines, "/etc/localtime", b""), (lines, "/etc/selinux/config", b"SELINUX=permissive\n"),
    (lines, "/etc/hostname", b""),
    (lines, "/etc/NetworkManager/system-connections/eth0.nmconnection", b""),
    (looking, "/usr/bin/dracut", b""), (looking, f"/usr/lib/modules/{KERNEL}/x", b""),
    (looking, "/etc/kernel/install.d/50-dracut.install", b""),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("act", "path", "content"),
    [pytest.param(*row, id=f"{getattr(row[0], '__name__', 'act').strip('<>')}-{row[1]}")
     for row in WORK])
def test_nothing_outside_is_read_written_or_waited_for(
    tree: Tree, victim: Path, tmp_path: Path, act: Act, path: str, content: bytes, shape: str,
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    lay(tree.root, victim, path, content, shape)
    before = seen(victim)
    started_s = time.monotonic()
    try:
        act(tree, results)
    except CcisError as error:  # a HostError is what a program of the tree ends with
        assert isinstance(error, InputError) or "failed in the tree" in error.what
    assert seen(victim) == before
    assert secrets_in(tree.root) == [] and secrets_in(results) == []
    assert time.monotonic() - started_s < 60
