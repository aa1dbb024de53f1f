"""Kickstarts that are no files: from a URL or a pipe; names in any script; sizes of disks."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.kickstart.read import read
from builder.kickstart.sources import Brought
from builder.request import Request
from ccis import given
from ccis.selection import Order
from host.errors import InputError, RemoteError
from host.progress import Silent


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Where the files of tmp_path/served are."""
    (tmp_path / "served").mkdir()
    handler = functools.partial(_Quiet, directory=str(tmp_path / "served"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def requests(*images: str, kickstart: str | None = None, size: str | None = None) -> list[Request]:
    return Order(images=list(images), kickstart=kickstart, arch="x86_64",
                 disk_size=size).requests(Silent())


def test_a_kickstart_comes_from_a_url_once_and_its_parts_from_beside_it(
    url: str, tmp_path: Path,
) -> None:
    (tmp_path / "served/my cloud.ks").write_text("%include part.ks\n")
    (tmp_path / "served/part.ks").write_text("text\nnonsense\n")
    (request,) = requests(kickstart=f"{url}/my%20cloud.ks?token=secret")
    assert (request.image.name, request.flavour) == ("my-cloud", "MyCloud")
    assert request.kickstart.name == "my cloud.ks"
    (tmp_path / "served/my cloud.ks").unlink()  # it is here already
    with pytest.raises(InputError) as caught:
        read(request.kickstart, "RHEL10")
    assert caught.value.where == f"{url}/part.ks:2"
    assert "secret" not in str(request.kickstart)


@pytest.mark.parametrize("line", [
    "%include /etc/hostname", "%include file:///etc/hostname", "url --url=file:///srv/tree"])
def test_a_kickstart_from_elsewhere_names_no_file_of_this_host(
    url: str, tmp_path: Path, line: str,
) -> None:
    (tmp_path / "served/x.ks").write_text(f"{line}\n")
    (request,) = requests(kickstart=f"{url}/x.ks")
    if line.startswith("url"):
        kickstart = read(request.kickstart, "RHEL10")
        assert [command.where for command in kickstart.find("url")] == [f"{url}/x.ks:1"]
        return  # builder.packages.origins refuses lines of this kind by their place
    with pytest.raises(InputError) as caught:
        read(request.kickstart, "RHEL10")
    assert caught.value.where == f"{url}/x.ks:1"


@pytest.mark.parametrize(("text", "error", "says"), [
    ("nfs://server/my.ks", InputError, "can't come by nfs:"),
    ("http://127.0.0.1:9/my.ks", RemoteError, "cannot be fetched"),
    ("http://[/my.ks", InputError, "is no address"),
])
def test_what_can_t_be_fetched_is_said(
    text: str, error: type[Exception], says: str,
) -> None:
    with pytest.raises(error, match=says):
        given.kickstart(text)


@pytest.mark.parametrize("word", ["-", "/dev/stdin"])
def test_a_kickstart_comes_through_a_pipe(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"text\nnonsense\n")
    os.close(writing)
    with os.fdopen(reading) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        piped = given.kickstart(word)
    assert isinstance(piped, Brought)
    with pytest.raises(InputError) as caught:
        read(piped, "RHEL10")
    assert caught.value.where == "standard input:2"


def test_an_empty_pipe_is_no_kickstart(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        with pytest.raises(InputError, match="nothing came in"):
            given.kickstart("-")


@pytest.mark.parametrize(("file", "flavour"), [
    ("my cloud_2.ks", "MyCloud2"),
    ("Müller.ks", "Muller"),
    ("образ.ks", None),
    ("образ-2.ks", None),
    ("クラウド.ks", None),
    ("2024.ks", "2024"),
    ("--.ks", None),
    ("a:b,c\\d.ks", "ABCD"),
])
def test_a_kickstart_s_name_may_be_in_any_script(file: str, flavour: str | None) -> None:
    (request,) = requests(kickstart=file)
    assert request.flavour.isascii() and request.flavour.startswith(flavour or "Kickstart")
    assert request.image.name == request.image.name.lower()


def test_names_that_have_no_ascii_letters_stay_apart() -> None:
    names = {requests(kickstart=f"{letter}.ks")[0].image.name for letter in "абв"}
    assert len(names) == 3


def test_the_size_of_a_disk_is_for_all_that_have_one() -> None:
    (one,) = requests(kickstart="my.ks", size="20 GiB")
    assert one.image.disk_size_bytes == 20 << 30
    sizes = {each.image.name: each.image.disk_size for each in
             requests("generic-cloud", "container-base", size="12 GiB")}
    assert sizes == {"generic-cloud": "12 GiB", "container-base": None}


@pytest.mark.parametrize(("image", "size", "says"), [
    ("generic-cloud", "20", "is not a size such as"),
    ("generic-cloud", "0 GiB", "is not a size such as"),
    ("container-base", "20 GiB", "has no disk"),
])
def test_a_size_that_is_none_is_refused(image: str, size: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        requests(image, size=size)
    assert caught.value.where == "--disk-size"
