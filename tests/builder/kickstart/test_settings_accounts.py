"""Accounts: `rootpw`, `user`, `group` and `sshkey` beside the lines they leave in the tree."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from builder.kickstart.commands.passwords import _libcrypt
from builder.tree.tree import Tree
from tests.builder.kickstart.lines import SHADOW, apply


def lines_of(tree: Tree, file: str, name: str) -> str:
    return next(line for line in tree.read(file).splitlines() if line.startswith(f"{name}:"))


def shadow(tree: Tree, name: str) -> str:
    return lines_of(tree, "/etc/shadow", name)


@pytest.mark.parametrize(("line", "field"), [
    ("rootpw --lock", "!"),
    ("rootpw --lock --iscrypted locked", "!locked"),  # as in Fedora's and CentOS's cloud images
    ("rootpw --iscrypted nope", "nope"),
    ("rootpw --iscrypted $6$salt$hash", "$6$salt$hash"),
])
def test_root_s_password(tree: Tree, line: str, field: str) -> None:
    apply(tree, line)
    assert shadow(tree, "root") == f"root:{field}::0:99999:7:::"
    assert tree.files.stat("/etc/shadow").st_mode & 0o777 == 0


@pytest.mark.parametrize(("method", "prefix"), [("YESCRYPT", "$y$j9T$"), ("SHA512", "$6$")])
def test_a_plain_password_is_hashed_as_the_release_does(
    tree: Tree, method: str, prefix: str,
) -> None:
    tree.write("/etc/login.defs", f"# ENCRYPT_METHOD DES\nENCRYPT_METHOD {method}\n")
    apply(tree, "rootpw --plaintext secret")
    first = shadow(tree, "root").split(":")[1]
    assert first.startswith(prefix)
    assert ctypes.c_char_p(_libcrypt().crypt(b"secret", first.encode())).value == first.encode()
    apply(tree, "rootpw --plaintext secret")
    assert shadow(tree, "root").split(":")[1] == first  # the same build, the same bytes


def test_two_rootpw_lines_the_last_one_counts(tree: Tree) -> None:
    apply(tree, "rootpw --plaintext x\nrootpw --iscrypted nope")
    assert shadow(tree, "root").startswith("root:nope:")


def test_the_first_line_for_a_user_counts_and_later_ones_are_left_out(tree: Tree) -> None:
    apply(tree, """\
user --name=one --homedir=/home/one --uid=7010 --gid=7010
user --name=one --homedir=/home/other --uid=7001
user --name=same-home --homedir=/home/one --gid=7020
user --name=three --uid=7030 --gid=7030
""")
    assert lines_of(tree, "/etc/passwd", "one") == "one:x:7010:7010::/home/one:/bin/bash"
    assert not tree.exists("/home/other")
    assert lines_of(tree, "/etc/passwd", "same-home").split(":")[3] == "7020"
    assert lines_of(tree, "/etc/passwd", "three").startswith("three:x:7030:7030:")


def test_a_user_with_everything(tree: Tree) -> None:
    apply(tree, "group --name=site --gid=3000\n"
                "user --name=vagrant --uid=1500 --gid=1600 --gecos='A User' --shell=/bin/sh "
                "--homedir=/srv/people/vagrant --groups=wheel,new(4000),site "
                "--iscrypted --password=$6$x$y")
    assert lines_of(tree, "/etc/passwd", "vagrant") == \
        "vagrant:x:1500:1600:A User:/srv/people/vagrant:/bin/sh"
    assert shadow(tree, "vagrant").startswith("vagrant:$6$x$y::0:99999:7:")
    groups = {line.split(":")[0]: line.split(":")[2:]
              for line in tree.read("/etc/group").splitlines()}
    assert groups["vagrant"] == ["1600", ""]
    assert groups["new"] == ["4000", "vagrant"]
    assert groups["site"] == ["3000", "vagrant"]
    assert groups["wheel"] == ["10", "vagrant"]
    home = tree.files.stat("/srv/people/vagrant")
    assert (home.st_uid, home.st_gid) == (1500, 1600)


def test_a_user_whose_group_is_a_system_group(tree: Tree) -> None:
    apply(tree, "user --name=clerk --gid=100 --plaintext --password=x --lock")
    assert lines_of(tree, "/etc/passwd", "clerk").split(":")[3] == "100"
    assert shadow(tree, "clerk").split(":")[1].startswith("!$y$")


def test_a_user_in_a_tree_without_shadow_utils(tree: Tree) -> None:
    before = Path("/etc/passwd").read_bytes()
    for name in ("useradd", "groupadd"):
        tree.remove(f"/usr/sbin/{name}")
    apply(tree, "group --name=site --gid=3000\nuser --name=none --groups=site")
    assert lines_of(tree, "/etc/passwd", "none") == "none:x:1000:1000::/home/none:/bin/bash"
    assert lines_of(tree, "/etc/group", "site") == "site:x:3000:none"
    assert tree.files.stat("/home/none").st_uid == 1000
    assert Path("/etc/passwd").read_bytes() == before, "the host's accounts are not touched"


def test_a_user_without_a_password_can_t_log_in_by_one(tree: Tree) -> None:
    apply(tree, "user --name=plain")
    assert shadow(tree, "plain").split(":")[1:3] == ["!!", ""]


def test_a_home_that_is_there_becomes_the_user_s(tree: Tree) -> None:
    tree.write("/home/old/file", "kept")
    apply(tree, "user --name=old --uid=1700")
    assert tree.files.stat("/home/old/file").st_uid == 1700
    assert not tree.exists("/home/old/.bashrc")


def test_a_group_that_is_there_as_asked_is_left_alone(tree: Tree) -> None:
    apply(tree, "group --name=wheel --gid=10")
    assert tree.read("/etc/group").count("wheel:") == 1


def test_a_key_may_come_before_its_user(tree: Tree) -> None:
    apply(tree, "sshkey --username=maria 'ssh-ed25519 AAAA one'\n"
                "sshkey --username=maria 'ssh-ed25519 BBBB two'\nuser --name=maria --uid=1400")
    assert tree.read("/home/maria/.ssh/authorized_keys") == \
        "ssh-ed25519 AAAA one\nssh-ed25519 BBBB two\n"
    for name, mode in (("/home/maria/.ssh", 0o700), ("/home/maria/.ssh/authorized_keys", 0o600)):
        assert tree.files.stat(name).st_mode & 0o777 == mode
        assert tree.files.stat(name).st_uid == 1400


def test_nothing_else_in_shadow_changes(tree: Tree) -> None:
    tree.write("/etc/shadow", SHADOW + "bin:*:19000:0:99999:7:::\n")
    apply(tree, "rootpw --lock")
    assert shadow(tree, "bin") == "bin:*:19000:0:99999:7:::"
