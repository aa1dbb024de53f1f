"""Mirrors and caches get the new content of a name, whatever they compare: judged by the real ones.

Each night here has equal sizes and equal times of its sources, as two nights that differ in one
word of %post have. The publications follow each other within a second.
"""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from publish.verify import verify
from tests.publish.conftest import IMAGES, MakeBuild, Publish
from tests.publish.servers import caching_proxy, nginx, rsync_daemon

LATEST = "CentOS-Stream-GenericCloud-10-latest.x86_64.qcow2"
NIGHTS = {"20261120.0": b"a" * 5000, "20261121.0": b"b" * 5000, "20261122.0": b"c" * 5000}


@pytest.fixture
def nights(make_build: MakeBuild) -> list[Path]:
    return [make_build(build_id, {"qcow2": content}) for build_id, content in NIGHTS.items()]


def run(*words: str | Path) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize("options", ["-a", "-aH", "-rt", "-aH --delay-updates --delete-after"])
def test_an_rsync_mirror_is_the_tree(
    options: str, root: Path, nights: list[Path], put: Publish, tmp_path: Path,
) -> None:
    mirror = tmp_path / "mirror"
    with rsync_daemon(root, tmp_path / "daemon") as url:
        for night, content in zip(nights, NIGHTS.values(), strict=True):
            put(night)
            run("rsync", *options.split(), url, f"{mirror}/")
            assert (mirror / IMAGES / LATEST).read_bytes() == content
            assert verify(mirror).findings == []


def http(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), b""


def test_nginx_never_says_that_a_changed_name_is_as_it_was(
    root: Path, nights: list[Path], put: Publish, tmp_path: Path,
) -> None:
    seen: dict[str, bytes] = {}
    last: dict[str, str] = {}
    put(nights[0])
    with nginx(root, tmp_path / "n") as url:
        for night, content in zip(nights, NIGHTS.values(), strict=True):
            put(night)
            for name in (LATEST, "CHECKSUM", "index.json", "index.json.asc",
                         f"{LATEST}.SHA256SUM"):
                address = f"{url}/{IMAGES}/{name}"
                status, headers, body = http(address)
                assert seen.setdefault(f"{name} {headers['ETag']}", body) == body
                if name in last:
                    assert http(address, **{"If-None-Match": last[name]})[0] == 200
                if name == LATEST:
                    assert (status, body) == (200, content)
                last[name] = headers["ETag"]


FETCH: dict[str, Callable[[str, Path], list[str | Path]]] = {
    "wget -N": lambda url, folder: ["wget", "-q", "-N", "-P", folder, url],
    "aria2": lambda url, folder: ["aria2c", "-q", "--conditional-get=true", "--remote-time=true",
                                  "--allow-overwrite=true", "-d", folder, url],
    "curl -z": lambda url, folder: ["curl", "-sSfR", "--create-dirs", "-o", folder / LATEST,
                                    *(["-z", str(folder / LATEST)]
                                      if (folder / LATEST).exists() else []), url],
}


@pytest.mark.parametrize("client", FETCH)
def test_a_client_that_asks_for_what_is_newer_gets_it(
    client: str, root: Path, nights: list[Path], put: Publish, tmp_path: Path,
) -> None:
    put(nights[0])
    folder = tmp_path / "fetched"
    with nginx(root, tmp_path / "n") as url:
        for night, content in zip(nights, NIGHTS.values(), strict=True):
            put(night)
            run(*FETCH[client](f"{url}/{IMAGES}/{LATEST}", folder))
            assert (folder / LATEST).read_bytes() == content


def test_a_cache_that_asks_again_gets_what_is_new(
    root: Path, nights: list[Path], put: Publish, tmp_path: Path,
) -> None:
    put(nights[0])
    with nginx(root, tmp_path / "n") as origin, caching_proxy(origin, tmp_path / "c") as url:
        for night, content in zip(nights, NIGHTS.values(), strict=True):
            put(night)
            time.sleep(2.1)  # 1 s, counted in whole seconds: then it must ask again
            assert http(f"{url}/{IMAGES}/{LATEST}")[2] == content


def test_times_grow_whatever_the_clock_says(
    root: Path, nights: list[Path], put: Publish,
) -> None:
    """A clock that was wrong once, or goes back, gives no two contents the same time."""
    times = []
    for night, now_s in zip(nights, (2_000_000_000, 1_000_000_000, 1_000_000_000), strict=True):
        put(night, now_s=now_s)
        times.append([(root / IMAGES / name).stat().st_mtime for name in (LATEST, "CHECKSUM")])
    assert times == [[2_000_000_000 + number] * 2 for number in range(3)]


def test_what_did_not_change_keeps_its_time(
    root: Path, nights: list[Path], put: Publish,
) -> None:
    """So that a mirror has as much to do as there is new."""
    put(nights[0], now_s=1_800_000_000)
    put(nights[1], now_s=1_800_000_100)
    late = {path.name for path in (root / IMAGES).iterdir() if path.stat().st_mtime > 1_800_000_000}
    assert {name for name in late if "20261120" in name} == set()
    assert {LATEST, "CHECKSUM", f"{LATEST}.SHA256SUM"} < late
