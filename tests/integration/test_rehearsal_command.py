"""`ccis rehearsal`: a repository that is made once, found, and served over HTTP."""

from __future__ import annotations

import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.integration.conftest import CCIS, Command


@pytest.mark.alone
def test_create_again_does_nothing_and_path_finds_it(ccis: Command) -> None:
    made = ccis("rehearsal", "create", "rehearsal-10").stdout.strip()
    started = time.monotonic()
    again = ccis("rehearsal", "create", "rehearsal-10").stdout.strip()
    assert time.monotonic() - started < 3
    assert made == again == ccis("rehearsal", "path", "rehearsal-10").stdout.strip()
    assert (Path(made) / "BaseOS/x86_64/os/repodata/repomd.xml").is_file()


def test_serve_gives_the_repository_over_http_until_interrupted(ccis: Command) -> None:
    folder = Path(ccis("rehearsal", "create", "rehearsal-10").stdout.strip())
    server = subprocess.Popen([CCIS, "rehearsal", "serve", "rehearsal-10"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              # A background job, as CI may run us, ignores SIGINT.
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        index = "BaseOS/x86_64/os/repodata/repomd.xml"
        with urllib.request.urlopen(f"{url.rstrip('/')}/{index}", timeout=10) as answer:
            assert answer.read() == (folder / index).read_bytes()
    finally:
        server.send_signal(signal.SIGINT)
        _, error = server.communicate(timeout=30)
    assert server.returncode == 130 and "Traceback" not in error
