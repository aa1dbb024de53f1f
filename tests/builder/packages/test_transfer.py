"""Mirrors that stumble: what a mirror does, what comes of it, what is said, and when it ends."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from builder.packages.connection import DIRECT, Connection
from builder.packages.repositories import Source, snapshots
from builder.packages.targets import Target
from builder.packages.targets import fetch as work
from builder.packages.transfer import Wanted, fetch, fetch_all, raise_failed
from host.errors import HostError, InputError, RemoteError
from host.patience import Patience
from tests.stumbling import Stumbling, stumbling

QUICK = Patience(connect_s=1, stall_s=1, least_bytes_per_s=1000, whole_s=8,
                 steady_bytes_per_s=1 << 20, tries=3, tries_slow=2, pause_s=0.05)
CONTENT = b"a package\n" * 100
SUM = ("sha256", hashlib.sha256(CONTENT).hexdigest())
DEAD = "http://127.0.0.1:9/"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Stumbling]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "p.rpm").write_bytes(CONTENT)
    with stumbling(folder) as running:
        yield running


def target(server: Stumbling, mirrors: str, to: Path, **more: object) -> Target:
    urls = [one if "://" in one else server.mirror(one) for one in mirrors.split()]
    connection = {**asdict(DIRECT), **({"proxy": more.pop("proxy")} if "proxy" in more else {})}
    wish = {"checksum": list(SUM), "size_bytes": len(CONTENT), **more}
    return Target("p", urls, "p.rpm", str(to / "got"), connection, **wish)  # type: ignore[arg-type]


@pytest.mark.parametrize(("mirrors", "causes", "asked"), [
    ("ok", [], {"ok": 1}),
    ("away", [], {"away": 1, "ok": 1}),
    ("503-once", ["answered 503 Service Unavailable"], {"503-once": 2}),
    ("429-once", ["answered 429 Too Many Requests"], {"429-once": 2}),
    ("reset-once", ["broke off: "], {"reset-once": 2}),
    ("truncated-once", ["broke off: 990 bytes are missing"], {"truncated-once": 2}),
    ("behind-once", ["has another checksum than its index says: sha256 "], {"behind-once": 2}),
    ("404 ok", ["answered 404 Not Found"], {"404": 1, "ok": 1}),
    (f"{DEAD} ok", ["can't be reached: "], {"ok": 1}),
    ("behind ok", ["has another checksum than its index says: sha256 "], {"behind": 1, "ok": 1}),
    ("longer ok", ["has 1001 bytes, its index says 1000"], {"longer": 1, "ok": 1}),
    ("stalled ok", ["stalled: less than 1000 bytes a second for 1 s"], {"stalled": 1, "ok": 1}),
])
def test_what_passes_is_waited_for_and_another_mirror_steps_in(
    server: Stumbling, tmp_path: Path, mirrors: str, causes: list[str], asked: dict[str, int],
) -> None:
    wanted = target(server, mirrors, tmp_path)
    work([wanted], QUICK)
    assert wanted.is_there and (tmp_path / "got").read_bytes() == CONTENT
    assert [cause.text.startswith(text) for cause, text in
            zip(wanted.causes, causes, strict=True)] == [True] * len(causes), wanted.causes
    assert dict(server.asked) == asked


@pytest.mark.parametrize(("mirrors", "asked", "last"), [
    ("503", 3, "answered 503 Service Unavailable"),
    ("429", 3, "answered 429 Too Many Requests"),
    ("404", 1, "answered 404 Not Found"),
    ("401", 1, "answered 401 Unauthorized"),
    ("truncated", 3, "broke off: 990 bytes are missing"),
    ("reset", 3, "broke off: "),
    ("behind", 2, "has another checksum than its index says: sha256 "),
    ("stalled", 2, "stalled: less than 1000 bytes a second for 1 s"),
    ("silent", 2, "stalled: less than 1000 bytes a second for 1 s"),
    (DEAD, 0, "can't be reached: "),
    ("http://nowhere.invalid/", 0, "the host's name is not known"),
])
def test_what_does_not_pass_ends_within_bounds_and_says_why(
    server: Stumbling, tmp_path: Path, mirrors: str, asked: int, last: str,
) -> None:
    begun_s = time.monotonic()
    wanted = target(server, mirrors, tmp_path)
    work([wanted], QUICK)
    assert not wanted.is_there
    assert wanted.causes[-1].text.startswith(last), wanted.causes
    assert wanted.causes[-1].url.endswith("/p.rpm") and wanted.causes[-1].remedy
    assert sum(server.asked.values()) == asked
    assert time.monotonic() - begun_s < 20  # a stall alone is 30 s


def test_names_are_spelled_as_dnf_spells_them(server: Stumbling, tmp_path: Path) -> None:
    (server.folder / "p+1~2^3.rpm").write_bytes(CONTENT)
    wanted = target(server, "503-once", tmp_path)
    wanted = replace(wanted, path="p+1~2^3.rpm")
    work([wanted], QUICK)
    assert wanted.is_there
    assert server.paths == ["/503-once/p%2B1~2%5E3.rpm"] * 2 and len(wanted.causes) == 1


def test_a_trickle_has_an_end(server: Stumbling, tmp_path: Path) -> None:
    """It is faster than what counts as a stall, and would take minutes."""
    wanted = target(server, "trickle ok", tmp_path, size_bytes=0)
    begun_s = time.monotonic()
    work([wanted], replace(QUICK, whole_s=1.5))
    assert [cause.text for cause in wanted.causes] == [
        "came too slowly: it took longer than its size allows"]
    assert wanted.is_there and time.monotonic() - begun_s < 20


def test_what_is_too_large_is_left(server: Stumbling, tmp_path: Path) -> None:
    wanted = target(server, "large", tmp_path, checksum=None, size_bytes=0, limit_bytes=1 << 18)
    work([wanted], QUICK)
    assert not wanted.is_there and server.asked["large"] == 1
    assert wanted.causes[-1].text == "is larger than 0 MiB"


WORK = """
import json, sys
from pathlib import Path
from dataclasses import asdict
from builder.packages.targets import Target, fetch
from host.patience import Patience
wanted = Target(**json.loads(sys.argv[1]))
Path(wanted.to).with_name("filler").write_bytes(bytes(4096))
fetch([wanted], Patience())
print(json.dumps([asdict(cause) for cause in wanted.causes]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_is_no_bad_mirror(server: Stumbling, tmp_path: Path) -> None:
    """To librepo it is another checksum: what it could not write is not there."""
    wanted = {**asdict(target(server, "ok", tmp_path)), "causes": []}
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c",
         'mount -t tmpfs -o size=4k none "$3" && exec "$0" -c "$1" "$2"',
         sys.executable, WORK, json.dumps(wanted), str(tmp_path)],
        check=True, capture_output=True, text=True, timeout=60)
    causes = json.loads(done.stdout)
    assert server.asked["ok"] == 1 and [cause["is_ours"] for cause in causes] == [True], causes
    with pytest.raises(HostError, match=r"can't be kept here.* CCIS_STORE"):
        raise_failed({"failed": {"p": causes}, "lies": [], "total": 1}, "it can't be had", "x:1")


def test_the_proxy_that_fails_is_named(server: Stumbling, tmp_path: Path) -> None:
    wanted = target(server, "ok", tmp_path, proxy="http://user:word@127.0.0.1:9/")
    work([wanted], QUICK)
    assert not wanted.is_there
    said = str(wanted.causes[-1])
    assert "(through the proxy http://127.0.0.1:9/)" in said and "word" not in said
    assert "--proxy" in wanted.causes[-1].remedy


def test_so_is_the_environment_s(
    server: Stumbling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    monkeypatch.delenv("no_proxy", raising=False)
    wanted = target(server, "ok", tmp_path)
    work([wanted], QUICK)
    assert "(through the proxy http://127.0.0.1:9/)" in wanted.causes[-1].text
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    again = target(server, "ok", tmp_path)
    work([again], QUICK)
    assert again.is_there


def test_a_user_of_a_url_is_told_to_its_host_alone(server: Stumbling, tmp_path: Path) -> None:
    wanted = target(server, server.mirror("away").replace("//", "//user:p%2Fw@"), tmp_path)
    work([wanted], QUICK)
    assert wanted.is_there
    assert server.heard == [("away", "Basic dXNlcjpwL3c="), ("ok", None)]


def test_an_error_names_the_repository_the_files_and_each_cause_once(
    server: Stumbling, tmp_path: Path,
) -> None:
    """Through the process in its sandbox, as a build does it."""
    folder = tmp_path / "into"
    folder.mkdir()
    url = server.mirror("404").replace("//", "//user:word@")
    wanted = [Wanted(name, (url,), name, folder / name) for name in ("a.rpm", "b.rpm")]
    told: list[str] = []
    with pytest.raises(RemoteError) as caught:
        fetch_all([*wanted, Wanted("p.rpm", (server.mirror("503-once"),), "p.rpm", folder / "p",
                                   SUM, len(CONTENT))],
                  folder, "packages of repository 'x' can't be fetched", "test.ks:1", QUICK,
                  say=told.append)
    text = str(caught.value)
    assert text.startswith(
        "test.ks:1: packages of repository 'x' can't be fetched – 2 of 3 files; ")
    for name in ("a.rpm", "b.rpm"):
        assert text.count(f"{server.mirror('404')}{name} answered 404 Not Found") == 1
    assert "word" not in text and "check the path, or name another mirror" in text
    assert (folder / "p").read_bytes() == CONTENT
    assert told == [f"{server.mirror('503-once')}p.rpm answered 503 Service Unavailable; "
                    "again in 0.05 s"]


@pytest.mark.parametrize(("mirrors", "taken"), [
    ("503-once", "503-once"), ("behind ok", "ok"), (f"{DEAD} ok", "ok"), ("stalled ok", "ok"),
])
def test_an_index_comes_from_a_mirror_that_is_up_to_date(
    server: Stumbling, mirrors: str, taken: str,
) -> None:
    index = b"<repomd xmlns='http://linux.duke.edu/metadata/repo'><revision>1</revision></repomd>\n"
    (server.folder / "repodata").mkdir()
    (server.folder / "repodata/repomd.xml").write_bytes(index)
    rows = "".join(
        f"<url protocol='http' preference='{90 - number}'>{url}repodata/repomd.xml</url>"
        for number, url in enumerate(one if "://" in one else server.mirror(one)
                                     for one in mirrors.split()))
    (server.folder / "metalink").write_text(
        "<metalink version='3.0' xmlns='http://www.metalinker.org/'><files><file name='repomd.xml'>"
        f"<verification><hash type='sha256'>{hashlib.sha256(index).hexdigest()}</hash>"
        f"</verification><resources>{rows}</resources></file></files></metalink>")
    source = Source("x", (), mirrors=("metalink", f"{server.mirror('ok')}metalink"))
    found = snapshots([source], QUICK)[0]
    assert found.urls[0] == server.mirror(taken) and found.index == index


def test_a_list_that_is_no_list_is_named(server: Stumbling) -> None:
    (server.folder / "page").write_text("<html>Please log in</html>")
    url = f"{server.mirror('ok')}page"
    for kind in ("metalink", "mirrorlist"):
        with pytest.raises(RemoteError, match=f"page is no {kind}"):
            snapshots([Source("x", (), mirrors=(kind, url), where="test.ks:1")], QUICK)


def test_a_certificate_is_looked_at(tmp_path: Path) -> None:
    """Through the sandbox, where the file of the authority must be seen."""
    certificate = tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(certificate), "-out",
         str(tmp_path / "public.pem")], check=True, capture_output=True)
    with certificate.open("a") as file:
        file.write((tmp_path / "public.pem").read_text())
    (tmp_path / "served").mkdir()
    (tmp_path / "served/p.rpm").write_bytes(CONTENT)
    with stumbling(tmp_path / "served", certificate=certificate) as server:
        url = f"{server.mirror('ok')}p.rpm"
        with pytest.raises(RemoteError, match=r"can't be read: .*certificate") as caught:
            fetch(url, patience=QUICK)
        assert "its certificates" in str(caught.value.remedy) and not server.asked
        for connection in (Connection(ca=str(tmp_path / "public.pem")),
                           Connection(verify_tls=False)):
            assert fetch(url, connection, QUICK) == CONTENT


def test_a_single_file_comes_by_the_same_rules(server: Stumbling, tmp_path: Path) -> None:
    assert fetch(f"{server.mirror('503-once')}p.rpm", patience=QUICK) == CONTENT
    with pytest.raises(RemoteError, match="answered 404 Not Found"):
        fetch(f"{server.mirror('404')}p.rpm", patience=QUICK)
    (tmp_path / "ca").write_text("no certificate")
    with pytest.raises(InputError, match="no certificate or key"):
        fetch("https://127.0.0.1:9/", Connection(ca=str(tmp_path / "ca")), QUICK)
