"""Kickstart lines and what they write into the root tree, side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.kickstart import registry
from builder.kickstart.read import read
from builder.root.sandbox import Sandbox
from builder.root.tree import Tree
from host.errors import InputError


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "root"
    for folder in ("etc/selinux", "usr/share/zoneinfo/Europe", "usr/lib/systemd/system"):
        (root / folder).mkdir(parents=True)
    (root / "usr/share/zoneinfo/UTC").write_text("")
    (root / "usr/share/zoneinfo/Europe/Paris").write_text("")
    policy = "# comment\nSELINUX=permissive\nSELINUXTYPE=targeted\n"
    (root / "etc/selinux/config").write_text(policy)
    return Tree(root, Sandbox(root, 0))


def apply(tree: Tree, line: str) -> None:
    path = tree.root.parent / "test.ks"
    path.write_text(line + "\n")
    registry.apply(read(path, "RHEL10"), tree)


@pytest.mark.parametrize(("line", "file", "text"), [
    ("lang en_US.UTF-8", "/etc/locale.conf", 'LANG="en_US.UTF-8"\n'),
    ("keyboard us", "/etc/vconsole.conf", 'KEYMAP="us"\n'),
    ("keyboard --vckeymap=de --xlayouts=fr", "/etc/vconsole.conf", 'KEYMAP="de"\n'),
    ("keyboard --xlayouts=fr", "/etc/vconsole.conf", 'KEYMAP="fr"\n'),
    ("timezone UTC --utc", "/etc/adjtime", "0.0 0 0.0\n0\nUTC\n"),
    ("timezone Europe/Paris", "/etc/adjtime", "0.0 0 0.0\n0\nLOCAL\n"),
    ("selinux --enforcing", "/etc/selinux/config",
     "# comment\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"),
    ("selinux --disabled", "/etc/selinux/config",
     "# comment\nSELINUX=disabled\nSELINUXTYPE=targeted\n"),
    ("network --hostname=cloud.example.org", "/etc/hostname", "cloud.example.org\n"),
    ("network --device=eth0 --bootproto=dhcp",
     "/etc/NetworkManager/system-connections/eth0.nmconnection",
     "[connection]\nid=eth0\nuuid=5e543c99-3624-543c-955f-83697c314808\ntype=ethernet\n"
     "autoconnect=true\ninterface-name=eth0\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n"),
])
def test_a_line_writes_a_file(tree: Tree, line: str, file: str, text: str) -> None:
    apply(tree, line)
    assert tree.read(file) == text


def test_timezone_links_localtime(tree: Tree) -> None:
    apply(tree, "timezone Europe/Paris --utc")
    assert str((tree.root / "etc/localtime").readlink()) == "../usr/share/zoneinfo/Europe/Paris"


def test_a_static_address(tree: Tree) -> None:
    apply(tree, "network --device=eth1 --bootproto=static --ip=10.0.0.5 --netmask=255.255.0.0 "
                "--gateway=10.0.0.1 --nameserver=10.0.0.2,10.0.0.3 --noipv6 --onboot=no")
    path = "/etc/NetworkManager/system-connections/eth1.nmconnection"
    text = tree.read(path)
    for line in ("address1=10.0.0.5/16,10.0.0.1", "method=manual", "dns=10.0.0.2;10.0.0.3;",
                 "method=disabled", "autoconnect=false"):
        assert line in text.split("\n")
    assert tree.path(path).stat().st_mode & 0o777 == 0o600  # NetworkManager ignores others


def test_dhcp_on_whichever_link_writes_no_profile(tree: Tree) -> None:
    apply(tree, "network --bootproto=dhcp --device=link --activate --onboot=on")
    assert not tree.exists("/etc/NetworkManager")


@pytest.mark.parametrize(("line", "says"), [
    ("timezone Mars/Olympus", "there is no time zone 'Mars/Olympus'"),
    ("services --enabled=nothing", "there is no unit nothing.service"),
    ("firewall --enabled --ssh", "no firewall to work with"),
    ("network --bootproto=static --ip=10.0.0.5 --netmask=255.0.0.0 --gateway=10.0.0.1",
     "needs a --device"),
    ("sshkey --username=nobody 'ssh-ed25519 AAAA'", "there is no user 'nobody'"),
    ("%addon com_redhat_kdump --enable\n%end", "kdump is enabled but not installed"),
])
def test_what_the_tree_cannot_fulfil_is_an_error_with_its_place(
    tree: Tree, line: str, says: str,
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        apply(tree, line)
    assert str(caught.value.where).endswith("test.ks:1")


@pytest.mark.parametrize("line", [
    "services --disabled=kdump", "firewall --disabled", "firstboot --disabled", "text", "reboot",
    "%addon com_redhat_kdump --disable\n%end",
])
def test_turning_off_what_is_not_there_changes_nothing(tree: Tree, line: str) -> None:
    before = sorted(tree.root.rglob("*"))
    apply(tree, line)
    assert sorted(tree.root.rglob("*")) == before


def test_paths_never_leave_the_tree(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("host")
    (tree.root / "etc/escape").symlink_to("../../outside")
    (tree.root / "etc/absolute").symlink_to(str(tmp_path / "outside"))
    for name in ("escape", "absolute"):
        assert tree.path(f"/etc/{name}").is_relative_to(tree.root)
        tree.write(f"/etc/{name}", "guest")
    assert (tmp_path / "outside").read_text() == "host"


def test_a_loop_of_links_is_an_error(tree: Tree) -> None:
    (tree.root / "etc/a").symlink_to("b")
    (tree.root / "etc/b").symlink_to("a")
    with pytest.raises(InputError, match="loop"):
        tree.path("/etc/a")
