"""`ccis serve` answers as nginx does, and gives nothing but the tree's own regular files."""

from __future__ import annotations

import socket
import struct
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from publish.serve import server
from tests.publish.chain.conftest import Sig, sig
from tests.publish.conftest import IMAGES, MakeBuild, Publish

__all__ = ["sig"]  # a fixture

NAME = f"{IMAGES}/CentOS-Stream-GenericCloud-10-20261121.0.x86_64.qcow2"
LATEST = NAME.replace("20261121.0", "latest")


def get(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, method=method,
                                     headers={key.replace("_", "-"): value
                                              for key, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


@pytest.fixture
def url(root: Path) -> Iterator[str]:
    root.mkdir(exist_ok=True)
    with server(root, "127.0.0.1", 0) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()


@pytest.mark.parametrize(("wanted", "status", "piece"), [
    ("bytes=0-0", 206, slice(0, 1)), ("bytes=10-19", 206, slice(10, 20)),
    ("bytes=90-", 206, slice(90, None)), ("bytes=-5", 206, slice(-5, None)),
    ("bytes=95-200", 206, slice(95, None)), ("bytes=100-", 416, slice(0, 0)),
    ("bytes=5-2", 416, slice(0, 0)), ("lines=1-2", 200, slice(None)), ("bytes=-", 200, slice(None)),
])
def test_ranges(
    wanted: str, status: int, piece: slice, url: str, make_build: MakeBuild, put: Publish,
) -> None:
    content = bytes(range(100))
    put(make_build(files={"qcow2": content}))
    assert get(f"{url}/{NAME}", Range=wanted)[::2] == (status, content[piece])


def test_what_caches_may_keep_and_how_they_ask_again(
    url: str, make_build: MakeBuild, put: Publish,
) -> None:
    put(make_build())
    _, dated, _ = get(f"{url}/{NAME}", "HEAD")
    _, latest, body = get(f"{url}/{LATEST}")
    assert "immutable" in dated["Cache-Control"] and latest["Cache-Control"] == "no-cache"
    assert get(f"{url}/{LATEST}", If_None_Match=latest["ETag"])[0] == 304
    assert get(f"{url}/{LATEST}", Range="bytes=0-1", If_Range='"other"')[::2] == (200, body)
    assert get(f"{url}/{IMAGES}/index.json")[1]["Content-Type"] == "application/json"


def test_nothing_but_the_tree_s_own_files(
    url: str, root: Path, make_build: MakeBuild, put: Publish, tmp_path: Path,
) -> None:
    put(make_build())
    (tmp_path / "secret").write_text("s")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    for path in ("link", "folder/secret", "../secret", "%2e%2e/secret", IMAGES, "", "nothing",
                 "%00", "//etc/passwd"):
        assert get(f"{url}/{path}")[::2] == (404, b""), path


def test_a_client_that_goes_away_is_no_error(
    url: str, make_build: MakeBuild, put: Publish, capfd: pytest.CaptureFixture[str],
) -> None:
    put(make_build(files={"qcow2": bytes(64 << 20)}))
    where = urllib.parse.urlsplit(url)
    with socket.create_connection((where.hostname, where.port)) as client:
        client.sendall(f"GET /{NAME} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert get(f"{url}/{NAME}", "HEAD")[0] == 200
    time.sleep(0.5)
    assert capfd.readouterr().err == ""


def test_a_tree_is_verified_through_it(sig: Sig, url: str) -> None:
    assert sig.verify(url).findings == []
