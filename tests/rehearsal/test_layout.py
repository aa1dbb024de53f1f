"""Where Debian's files go in the CentOS tree."""

from __future__ import annotations

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.layout import arrange, matches, usr
from rehearsal.model import PackagedFile
from rehearsal.rpmfile import FLAG_CONFIG, FLAG_DOC, FLAG_LICENSE, FLAG_NOREPLACE


def regular(path: str, mode: int = 0o644, group: str = "root") -> PackagedFile:
    return PackagedFile(path, stat.S_IFREG | mode, b"text", group=group)


def link(path: str, target: str) -> PackagedFile:
    return PackagedFile(path, stat.S_IFLNK | 0o777, target.encode())


@pytest.mark.parametrize(("debian", "centos"), [
    ("/bin/bash", "/usr/bin/bash"),
    ("/lib/systemd/system/x.service", "/usr/lib/systemd/system/x.service"),
    ("/lib64", "/usr/lib64"),
    ("/library/x", "/library/x"),
    ("/usr/lib/x", "/usr/lib/x"),
    ("/etc/bin/x", "/etc/bin/x"),
])
def test_top_folders_move_under_usr(debian: str, centos: str) -> None:
    assert usr(debian) == centos


@given(st.from_regex(r"\A/(bin|sbin|lib|lib64|etc|var)(/[a-z.]{1,8}){0,4}\Z"))
def test_moving_under_usr_happens_once(path: str) -> None:
    assert usr(usr(path)) == usr(path)


@pytest.mark.parametrize(("path", "target", "expected"), [
    # /lib/systemd/system/a -> ../../../usr/share/b would leave /usr twice
    ("/lib/systemd/system/a", "../../../usr/share/b", "../../../share/b"),
    ("/lib/x/a", "b", "b"),
    ("/sbin/a", "/lib/b", "/lib/b"),
    ("/usr/lib/a", "../../lib/b", "../../lib/b"),
])
def test_relative_links_still_reach_their_goal(path: str, target: str, expected: str) -> None:
    assert arrange(link(path, target), "p", {}).target == expected


@pytest.mark.parametrize(("path", "flags"), [
    ("/etc/foo.conf", FLAG_CONFIG | FLAG_NOREPLACE),
    ("/usr/share/man/man1/x.1.gz", FLAG_DOC),
    ("/usr/share/doc/x/README", FLAG_DOC),
    ("/usr/bin/x", 0),
])
def test_files_are_flagged_for_rpm(path: str, flags: int) -> None:
    assert arrange(regular(path), "p", {}).flags == flags


def test_a_copyright_becomes_a_licence_of_the_rpm() -> None:
    file = arrange(regular("/usr/share/doc/libc6/copyright"), "glibc", {})
    assert (file.path, file.flags) == ("/usr/share/licenses/glibc/libc6", FLAG_LICENSE)


def test_messages_and_manuals_belong_to_their_language() -> None:
    assert arrange(regular("/usr/share/locale/de/LC_MESSAGES/x.mo"), "p", {}).lang == "de"
    assert arrange(regular("/usr/share/man/pt_BR/man1/x.1.gz"), "p", {}).lang == "pt_BR"
    assert arrange(regular("/usr/share/man/man1/x.1.gz"), "p", {}).lang == ""


def test_set_gid_shadow_becomes_set_uid_root_as_on_centos() -> None:
    file = arrange(regular("/sbin/unix_chkpwd", 0o2755, "shadow"), "pam", {"shadow": "root"})
    assert (oct(file.mode & 0o7777), file.group) == ("0o4755", "root")


def test_pam_includes_name_the_centos_stack() -> None:
    source = PackagedFile("/etc/pam.d/x", stat.S_IFREG | 0o644,
                          b"@include common-auth\n@include common-session-noninteractive\n")
    content = arrange(source, "p", {}).content.decode()
    assert content.split() == ["auth", "include", "system-auth",
                               "session", "include", "system-auth"]


@pytest.mark.parametrize(("glob", "path", "hit"), [
    ("/usr/bin/*", "/usr/bin/x", True),
    ("/usr/bin/*", "/usr/bin/x/y", False),
    ("/usr/**.mod", "/usr/lib/grub/a.mod", True),
    ("/usr/lib/", "/usr/lib/a/b", True),
    ("/usr/lib/", "/usr/library", False),
    ("/etc/rc?.d/", "/etc/rc3.d/S01x", True),
    ("/a+b", "/a+b", True),
])
def test_globs(glob: str, path: str, *, hit: bool) -> None:
    assert matches(path, [glob]) is hit
