"""services, firewall, time, first boot and kdump: what runs after these lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.kickstart.commands.services import crashkernel
from builder.kickstart.read import read
from builder.tree.tree import Tree
from host.errors import InputError
from tests.builder.kickstart.lines import add_unit, apply, is_enabled, small_tree, stand_in


def test_services_are_disabled_first_and_then_enabled(tree: Tree) -> None:
    for name in ("a", "b", "c"):
        add_unit(tree, name)
    apply(tree, "services --enabled=b")
    apply(tree, "services --enabled=a,c --disabled=a,b,nothing")
    assert [name for name in ("a", "b", "c") if is_enabled(tree, name)] == ["a", "c"]


def test_of_two_services_lines_the_last_one_counts(tree: Tree) -> None:
    for name in ("a", "b"):
        add_unit(tree, name)
    apply(tree, "services --enabled=a\nservices --enabled=b")
    assert [name for name in ("a", "b") if is_enabled(tree, name)] == ["b"]


@pytest.mark.parametrize(("lines", "runs"), [
    ("timezone UTC --utc", True),
    ("timesource --ntp-disable", False),
    ("timesource --ntp-disable\nservices --enabled=chronyd", True),
    ("services --disabled=chronyd", False),
])
def test_the_clock_is_kept_unless_told_otherwise(tree: Tree, lines: str, runs: bool) -> None:
    add_unit(tree, "chronyd")
    apply(tree, lines)
    assert is_enabled(tree, "chronyd") is runs


def test_nontp_of_older_files(tree: Tree) -> None:
    add_unit(tree, "chronyd")
    apply(tree, "timezone UTC --isUtc --nontp", "RHEL8")
    assert not is_enabled(tree, "chronyd")


@pytest.mark.parametrize(("line", "runs"), [
    ("firstboot --enabled", True), ("firstboot --reconfig", True), ("firstboot --disabled", False),
    ("text", False),
])
def test_initial_setup_runs_only_where_it_is_wanted(tree: Tree, line: str, runs: bool) -> None:
    add_unit(tree, "initial-setup")
    apply(tree, line)
    assert is_enabled(tree, "initial-setup") is runs


@pytest.mark.parametrize(("line", "words"), [
    ("firewall --disabled", "--disabled --service=ssh"),
    ("text", "--enabled --service=ssh"),  # Anaconda's firewall is on unless told otherwise
    ("firewall --enabled --service=ssh", "--enabled --service=ssh"),
    ("firewall --enabled --ssh --http --port=1234:udp,99 --trust=eth1",
     "--enabled --trust=eth1 --port=1234:udp --port=99:tcp --service=ssh --service=http"),
    ("firewall --enabled --remove-service=ssh --service=https,cockpit",
     "--enabled --remove-service=ssh --service=https --service=cockpit"),
])
def test_firewalld_is_asked_as_anaconda_asks_it(tree: Tree, line: str, words: str) -> None:
    asked = stand_in(tree, "/usr/bin/firewall-offline-cmd")
    apply(tree, line)
    assert asked() == words


def test_the_system_s_own_defaults_stay(tree: Tree) -> None:
    asked = stand_in(tree, "/usr/bin/firewall-offline-cmd")
    apply(tree, "firewall --use-system-defaults")
    assert asked() == ""


@pytest.mark.parametrize(("line", "dialect", "program", "words"), [
    ("authselect select sssd with-mkhomedir", "RHEL10", "/usr/bin/authselect",
     "select sssd with-mkhomedir --force"),
    ("auth --enableshadow --passalgo=sha512", "RHEL7", "/usr/sbin/authconfig",
     "--update --nostart --enableshadow --passalgo=sha512"),
])
def test_the_tree_s_own_tool_sets_up_authentication(
    tree: Tree, line: str, dialect: str, program: str, words: str,
) -> None:
    asked = stand_in(tree, program)
    apply(tree, line, dialect)
    assert asked() == words


def test_kdump_is_turned_off_and_on(tree: Tree) -> None:
    add_unit(tree, "kdump")
    apply(tree, "%addon com_redhat_kdump --enable --reserve-mb=auto\n%end")
    assert is_enabled(tree, "kdump")
    apply(tree, "%addon com_redhat_kdump --disable\n%end")
    assert not is_enabled(tree, "kdump")


@pytest.mark.parametrize(("words", "version", "argument"), [
    ("--disable", "10", None),
    ("--enable --reserve-mb=160", "10", "crashkernel=160M"),
    ("--enable --reserve-mb='128M'", "9", "crashkernel=128M"),
    ("--enable --reserve-mb='auto'", "9", "crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M"),
    ("--enable", "10", "crashkernel=2G-64G:256M,64G-:512M"),
    ("--enable --reserve-mb auto", "8", "crashkernel=auto"),
])
def test_kdump_s_memory_is_a_kernel_argument(
    tmp_path: Path, words: str, version: str, argument: str | None,
) -> None:
    tree = small_tree(tmp_path, version=version)
    file = tmp_path / "test.ks"
    file.write_text(f"%addon com_redhat_kdump {words}\n%end\n")
    assert crashkernel(read(file, "RHEL10"), tree) == argument


@pytest.mark.parametrize(("line", "begins"), [
    ("bootloader --password=secret", "GRUB2_PASSWORD=grub.pbkdf2.sha512.10000."),
    ("bootloader --iscrypted --password=grub.pbkdf2.sha512.1.A.B",
     "GRUB2_PASSWORD=grub.pbkdf2.sha512.1.A.B\n"),
])
def test_grub_s_password(tree: Tree, line: str, begins: str) -> None:
    apply(tree, line)
    assert tree.read("/boot/grub2/user.cfg").startswith(begins)
    assert tree.files.stat("/boot/grub2/user.cfg").st_mode & 0o777 == 0o600


def test_a_certificate_goes_where_it_is_wanted(tree: Tree) -> None:
    apply(tree, "%certificate --filename=own.pem --dir=/etc/pki/ca-trust/source/anchors/\n"
                "-----BEGIN\n%end", "F42")
    assert tree.read("/etc/pki/ca-trust/source/anchors/own.pem") == "-----BEGIN\n"


def test_an_init_script_is_a_service_too(tree: Tree) -> None:
    with pytest.raises(InputError, match="no unit network"):
        apply(tree, "services --enabled=network")
