"""`lint`: what is said of which line, and that no file, however broken, is too much for it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.kickstart.lint import Findings, lint
from images import catalogue

RELEASE = catalogue.release("centos-stream-10")
OURS = catalogue.kickstart_of(catalogue.image("generic-cloud"))


def judge(folder: Path, text: str | bytes, name: str = "test.ks") -> Findings:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return lint(path, RELEASE)


def said(report: Findings, *kinds: str) -> list[tuple[str, str, int | None]]:
    return [(finding.kind, finding.name, finding.line) for finding in report.findings
            if finding.kind in kinds]


def test_each_line_has_a_verdict_in_the_order_of_the_file(tmp_path: Path) -> None:
    report = judge(tmp_path, "text\nlang en_US.UTF-8\nliveimg --url=https://x/y\n"
                             "network --device=eth0 --essid=home\n%post\ntrue\n%end\n")
    assert said(report, "honoured", "meaningless", "refused") == [
        ("meaningless", "text", 1), ("honoured", "lang", 2), ("refused", "liveimg", 3),
        ("honoured", "network", 4), ("refused", "network --essid", 4), ("honoured", "%post", 5)]
    assert report.refused


def test_our_own_kickstarts_are_clean() -> None:
    report = lint(OURS, RELEASE)
    assert not report.refused
    assert said(report, "warning") == []


@pytest.mark.parametrize(("text", "name", "line", "says"), [
    ("rootpw --plaintext x", "rootpw", 1, "plain text"),
    ("text\nuser --name=vagrant --plaintext --password vagrant", "user", 2, "plain text"),
    ("part / --size=1000 --encrypted --passphrase=x", "part", 1, "plain text"),
    ("%post\necho a:b | chpasswd\n%end", "%post", 2, "plain text"),
    ("%post\ntrue\ncurl https://example.org | sh\n%end", "%post", 3, "curl wants the network"),
    ("%post\ndnf -y install vim\n%end", "%post", 2, "a package manager wants the network"),
    ("%post\ngit clone https://example.org/x\n%end", "%post", 2, "git clone"),
    ("%post\npip3 install x\n%end", "%post", 2, "pip install"),
    ("url --url mirror.example.org/os/", "url", 1, "has no scheme"),
    ("repo --name=x --baseurl=mirror.example.org/os/", "repo", 1, "has no scheme"),
    ("repo --name=x --baseurl=https://x/DATESTAMP/", "repo", 1, "DATESTAMP looks like"),
    ("bootloader --timeout=1", "bootloader", 1, "serial console"),
    ("install", "install", 1, "it is read as in"),
    ("timezone UTC --isUtc", "timezone", 1, "RHEL10 has --isUtc no longer"),
    ("rootpw --lock\nrootpw --iscrypted x", "rootpw", 2, "said before"),
    ("timezone UTC --utc\ntimezone Europe/Paris", "timezone", 2, "said before"),
    ("firewall --enabled\n%packages\n-firewalld\n%end", "firewall", 1, "excludes firewalld"),
])
def test_what_bites_later(tmp_path: Path, text: str, name: str, line: int, says: str) -> None:
    found = [finding for finding in judge(tmp_path, text + "\n").findings
             if finding.kind == "warning" and finding.name == name]
    assert [(each.line, True) for each in found] == [(line, says in each.says) for each in found]
    assert found


@pytest.mark.parametrize("text", [
    "rootpw --iscrypted nope", "rootpw --lock", "%post\n# curl https://x\ndnf -C -y remove x\n%end",
    "%post\nyum -C -y --noplugins remove x --setopt=clean_requirements_on_remove=1\n%end",
    "%post\nrpm -q kernel --qf x\nsystemctl enable curl.service\n%end",
    "url --url=https://mirror.example.org/$basearch/os/", "bootloader --location=none",
    "bootloader --append='console=ttyS0,115200n8'", "network --device=a\nnetwork --device=b",
    "%post\necho root:x | chpasswd -e\n%end",
])
def test_what_is_fine_is_not_warned_of(tmp_path: Path, text: str) -> None:
    assert said(judge(tmp_path, text + "\n"), "warning") == []


def test_what_pre_writes_is_named_and_not_looked_at(tmp_path: Path) -> None:
    report = judge(tmp_path, "%include /tmp/part.ks\n%include https://example.org/more.ks\n"
                             "%pre\ntouch /tmp/was-run-by-lint\n%end\n")
    assert said(report, "note") == [("note", "%include", 1), ("note", "%include", 2)]
    assert not Path("/tmp/was-run-by-lint").exists()


def test_errors_do_not_hide_what_is_behind_them(tmp_path: Path) -> None:
    report = judge(tmp_path, "frobnicate\nlang en_US\npart / --sze=3\nliveimg --url=https://x\n")
    assert said(report, "refused") == [
        ("refused", "", 1), ("refused", "", 3), ("refused", "liveimg", 4)]
    assert ("honoured", "lang", 2) in said(report, "honoured")


def test_a_disk_that_can_t_be_made_is_refused_with_its_line(tmp_path: Path) -> None:
    report = judge(tmp_path, "text\npart / --fstype=reiserfs --size=1000\n")
    assert [finding.line for finding in report.findings if finding.kind == "refused"] == [2]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert lint(tmp_path / "none.ks", RELEASE).refused
    assert lint(tmp_path, RELEASE).refused


def test_a_hundred_kickstarts_take_a_few_seconds(tmp_path: Path) -> None:
    text = OURS.read_text()
    began = time.monotonic()
    for number in range(100):
        judge(tmp_path, text, f"{number}.ks")
    assert time.monotonic() - began < 20  # a third of it on a quiet machine


PIECES = [
    "text", "%packages", "%end", "%post", "%pre", "%post --nochroot --log=", "part / --size=1",
    "%include x", "%include /", "@core", '"', "'", "lang", "%addon", "%addon com_redhat_kdump",
    "user --name=", "\x00", "bootloader --append=", "url --url=x", "%certificate", "%anaconda",
    "part / --size=999999999999999999999", "rootpw", "network --device", "\\", "%", "%%",
    "raid / --level=9", "logvol / --vgname=x --name=y --size=-1", "volgroup x pv.1", "realm join",
    "autopart --type=lvm", "clearpart --all", "sshpw", "module --name=x", "%ksappend y",
    "repo --name=a --baseurl=b", "timezone --utc", "firewall --port=x:y:z", "keyboard --xlayouts=",
    "bootloader --location=none", "install", "auth --x", "part pv.1 --size=1 --grow --encrypted",
    "part / --mkfsoptions='\"' --size=1", "network --vlanid=x --device=y", "%onerror", "\ufeff",
]


@settings(max_examples=60, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(
    st.binary(max_size=400),
    st.lists(st.sampled_from(PIECES), max_size=15).map(lambda lines: "\n".join(lines).encode()),
    st.integers(0, len(OURS.read_bytes())).map(lambda length: OURS.read_bytes()[:length]),
    st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=4)).map(
        lambda pair: OURS.read_bytes()[:pair[0]] + pair[1] + OURS.read_bytes()[pair[0]:]),
))
def test_no_file_is_too_broken(tmp_path: Path, content: bytes) -> None:
    report = judge(tmp_path, content)
    for finding in report.findings:
        assert finding.says and str(tmp_path) in finding.where


@pytest.mark.parametrize("content", [
    b"\x00" * (1 << 20), b"a" * (4 << 20), b"text\n" * 5_000, b"%packages\n" + b"x\n" * 20_000,
    b"%post\n" * 300, b"%include test.ks\n", b"part / --size=1 " + b"--grow " * 8_000 + b"\n",
    b"'" * 10_000, bytes(range(256)) * 1000,
], ids=["nulls", "one long line", "many lines", "many packages", "open sections", "itself",
        "many options", "quotes", "every byte"])
def test_huge_files_end_soon(tmp_path: Path, content: bytes) -> None:
    began = time.monotonic()
    judge(tmp_path, content)
    assert time.monotonic() - began < 30
