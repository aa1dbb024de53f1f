"""`lint`: what is said of which line, and that no file, however broken, is too much for it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.booting.grub_probe import answering_programs
from builder.kickstart.lint import Findings, lint
from builder.kickstart.script_hazards import STOOD_IN
from builder.sandbox.sandbox import Sandbox
from builder.scripting.layout_shims import layout_shims
from builder.scripting.tree_shims import shims
from builder.tree.tree import Tree
from images import catalogue
from tests.builder.kickstart.storage_lines import planned

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
    ("%post\ntrue\nexit 0\ntrue\n%end", "%post", 3, "1 lines after it are not run"),
    ("%pre\nif x; then\n  exit 1\nfi\nexec /bin/bash\n\ntrue\n%end", "%pre", 5, "`exec` ends"),
    ("%post\ntrue\nset -eux\n%end", "%post", 3, "goes on without the rest"),
    ("%post\necho nameserver 1.1.1.1 > /etc/resolv.conf\n%end", "%post", 2, "clean.resolv-conf"),
    ("%post\ncat >/root/.config/x/y <<'E'\nexit\nE\n%end", "%post", 2, "clean.homes"),
    ("%post --nochroot\ncp /tmp/k.pem /mnt/sysimage/etc/pki/tls/private/k.pem\n%end", "%post", 2,
     "/etc/pki/tls/private/k.pem is removed"),
    ("%post\nx 2>&1 | tee -a /var/log/x.log\n%end", "%post", 2, "clean.logs"),
    ("%post\nif x; then /usr/sbin/grub2-install /dev/sda; fi\n%end", "%post", 2, "full path"),
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
    "exec </dev/tty3 >/dev/tty3\nchvt 3\ntrue", "exec 2>&1\ntrue", "exit 0",
    "case $1 in\n  a) exit 1 ;;\nesac\ntrue", "f() {\n  exit 1\n}\nf",
    "test -e /x || exit 1\ntrue",
    "(\n  exit 1\n)\ntrue", "cat > /root/x <<E\nexit 1\nE\ntrue",
    "while read x; do\nexit\ndone\ntrue",
    "> /var/log/wtmp\ncat /dev/null > /var/log/lastlog\n: > /etc/resolv.conf", "echo x > /tmp/y",
    "grub2-install /dev/sda", "rm -f /etc/resolv.conf", "cat /var/log/x.log > /root/keep",
    "echo '> /etc/resolv.conf'",
])
def test_what_does_not(tmp_path: Path, text: str) -> None:
    assert said(judge(tmp_path, f"%post\n{text}\n%end\n"), "warning") == []


def test_a_log_that_is_sealed_away_is_noted(tmp_path: Path) -> None:
    report = judge(tmp_path, "%post --log=/var/log/anaconda/post.log\ntrue\n%end\n"
                             "%post --nochroot --log=/mnt/sysimage/root/ks-x.log\ntrue\n%end\n"
                             "%post --nochroot --log=/tmp/x.log\ntrue\n%end\n"
                             "%post --log=/root/post.log\ntrue\n%end\n")
    assert said(report, "note") == [("note", "%post", 1), ("note", "%post", 4)]


def test_stand_ins_are_those_that_there_are(tmp_path: Path) -> None:
    layout = planned(tmp_path, "part / --size=1000")
    (tmp_path / "usr/bin").mkdir(parents=True)
    for name in STOOD_IN:
        (tmp_path / "usr/bin" / name).touch()
    programs = shims(Tree(tmp_path, Sandbox(tmp_path, 1)), "",
                     {**answering_programs(layout), **layout_shims(layout)})
    assert sorted(path.rpartition("/")[2] for path in programs) == list(STOOD_IN)


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
    began = time.process_time()
    for number in range(100):
        judge(tmp_path, text, f"{number}.ks")
    assert time.process_time() - began < 20  # a third of it is usual


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
