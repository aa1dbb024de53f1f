"""Small things by URL: what a server does, and what comes of it; see also test_transfer.py."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.errors import RemoteError
from host.fetch import fetch
from host.patience import Patience
from tests.stumbling import Stumbling, stumbling

QUICK = Patience(stall_s=1, whole_s=1.5, tries=3, tries_slow=2, pause_s=0.05)
CONTENT = b"text\n" * 200


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Stumbling]:
    (tmp_path / "part.ks").write_bytes(CONTENT)
    with stumbling(tmp_path) as running:
        yield running


@pytest.mark.parametrize("how", ["ok", "away", "503-once", "reset-once", "truncated-once"])
def test_what_passes_is_asked_for_again(server: Stumbling, how: str) -> None:
    assert fetch(f"{server.mirror(how)}part.ks", patience=QUICK) == CONTENT


def test_who_says_when_to_come_again_is_heard(server: Stumbling) -> None:
    begun_s = time.monotonic()
    assert fetch(f"{server.mirror('429-once')}part.ks", patience=QUICK) == CONTENT
    assert time.monotonic() - begun_s >= 1


@pytest.mark.parametrize(("how", "asked", "says"), [
    ("503", 3, "it answered 503"), ("404", 1, "it answered 404"),
    ("truncated", 3, "it broke off: 990 bytes are missing"), ("stalled", 2, "timed out"),
    ("trickle", 2, "takes more than 1.5 s"),
])
def test_what_does_not_pass_ends_within_bounds_and_says_why(
    server: Stumbling, how: str, asked: int, says: str,
) -> None:
    begun_s = time.monotonic()
    with pytest.raises(RemoteError, match=says) as caught:
        fetch(f"{server.mirror(how)}part.ks", patience=QUICK)
    assert caught.value.where == f"{server.mirror(how)}part.ks"
    assert server.asked[how] == asked and time.monotonic() - begun_s < 10


def test_a_proxy_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(RemoteError) as caught:
        fetch("http://mirror.example/key", patience=QUICK)
    assert "(through the proxy http://127.0.0.1:9)" in str(caught.value.why)
    assert "http_proxy" in str(caught.value.remedy)
