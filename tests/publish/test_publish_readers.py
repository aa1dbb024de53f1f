"""Readers go on all the time while publishers publish, promote, roll back and are killed.

Each reader says what it saw that no state of the tree ever was; there must be nothing. One reads
the folder, the others come through nginx: CHECKSUM and what it speaks of, python-tuf's client,
ranges.
"""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tuf.ngclient import Updater, UpdaterConfig

from publish import checksums
from publish.model import parse_index
from publish.sign import Signer
from publish.trust import keyring
from publish.verify import Wish, verify
from tests.publish.chain.conftest import Sig, sig
from tests.publish.conftest import IMAGES, MakeBuild
from tests.publish.servers import nginx

__all__ = ["sig"]  # a fixture

CHURN_S = 20
POLICY = ("name: churn\ntitle: Churn\npublish_into: development\nchannels:\n"
          "  development: {gates: []}\n  testing: {gates: []}\n  production: {gates: []}\n")
LATEST = "CentOS-Stream-GenericCloud-10-latest.x86_64.qcow2"


def get(url: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


def stem(build_id: str) -> str:
    return f"CentOS-Stream-GenericCloud-10-{build_id}.x86_64.qcow2"


class Readers:
    """What the readers know: the content of each night, which never changes; and what they found.
    """

    def __init__(self, sig: Sig, url: str, contents: dict[str, bytes], place: Path) -> None:
        self.sig, self.url, self.contents, self.place = sig, url, contents, place
        self.wrong: list[str] = []
        self.rounds = {"folder": 0, "checksum": 0, "tuf": 0, "ranges": 0}
        self.latest_seen: set[str] = set()
        self.done = threading.Event()
        self.known = {hashlib.sha256(each).hexdigest() for each in contents.values()}

    def folder(self) -> None:
        """Verify the whole tree, again and again."""
        report = verify(self.sig.root, wish=Wish(root_key=self.sig.first_root,
                                                 state=self.place / "state-1"))
        self.wrong += [f"{each.file}: {each.problem}" for each in report.findings]

    def checksum(self) -> None:
        """Read CHECKSUM, then -latest, then CHECKSUM: if it is the same, it was true of -latest."""
        base = f"{self.url}/{IMAGES}"
        with keyring(self.sig.signer.public_key().encode()) as trusted:
            before = get(f"{base}/CHECKSUM")[1]
            status, latest = get(f"{base}/{LATEST}")
            _, beside = get(f"{base}/{LATEST}.SHA256SUM")
            after = get(f"{base}/CHECKSUM")[1]
            text, problems = checksums.parse(trusted.clear_signed(before))
        digest = hashlib.sha256(latest).hexdigest()
        self.latest_seen.add(digest)
        if problems or status != 200 or digest not in self.known:
            self.wrong.append(f"-latest: {status} {len(latest)} bytes, {problems}")
        if before == after and (digest != text[LATEST].sha256 or digest not in beside.decode()):
            self.wrong.append("-latest is not what CHECKSUM says")

    def tuf(self) -> None:
        """Come as a stranger with the first root, ask for the index and a file that it names."""
        with TemporaryDirectory() as folder:
            for name in ("m", "t"):
                Path(folder, name).mkdir()
            client = Updater(f"{folder}/m", f"{self.url}/tuf/", f"{folder}/t", f"{self.url}/",
                             config=UpdaterConfig(prefix_targets_with_hash=False),
                             bootstrap=self.sig.first_root.read_bytes())
            name = random.choice(list(self.contents))
            target = client.get_targetinfo(f"{IMAGES}/{stem(name)}")
            if target is not None and Path(client.download_target(target)).read_bytes() \
                    != self.contents[name]:
                self.wrong.append(f"{name} by TUF")
        status, text = get(f"{self.url}/{IMAGES}/index.json")
        index = parse_index(text)
        for build in index.builds:
            for file in build.served:
                if file.sha256 not in self.known or status != 200:
                    self.wrong.append(f"index.json: {file.file}")

    def ranges(self) -> None:
        """Ask for a random piece of a dated file that the index names."""
        index = parse_index(get(f"{self.url}/{IMAGES}/index.json")[1])
        build = random.choice(index.builds)
        content = self.contents[build.build_id]
        start = random.randrange(len(content))
        end = random.randrange(start, len(content))
        status, piece = get(f"{self.url}/{IMAGES}/{stem(build.build_id)}",
                            Range=f"bytes={start}-{end}")
        if (status, piece) != (206, content[start:end + 1]):
            self.wrong.append(f"bytes {start}-{end} of {build.build_id}: {status}")

    def keep(self, name: str) -> Callable[[], None]:
        """Return the work of a thread that reads in one way until all is done."""
        def work() -> None:
            while not self.done.is_set():
                try:
                    getattr(self, name)()
                except Exception as error:
                    self.wrong.append(f"{name}: {type(error).__name__}: {error}")
                self.rounds[name] += 1

        return work


@pytest.mark.integration
def test_readers_never_see_what_never_was(
    sig: Sig, make_build: MakeBuild, signer: Signer, tmp_path: Path,
) -> None:
    chance = random.Random(13)
    contents = {build_id: next((sig.root / IMAGES).glob(f"*{build_id}*.qcow2")).read_bytes()
                for build_id in ("20261120.0", "20261121.0")}
    nights = {f"202612{day:02}.0": chance.randbytes(100_000) for day in range(1, 29)}
    for build_id, content in nights.items():
        make_build(build_id, {"qcow2": content}, where="nights")
    (tmp_path / "churn.yaml").write_text(POLICY)
    words = [sys.executable, "-m", "tests.publish.churn", sig.root, tmp_path / "nights",
             sig.place / "online", tmp_path / "churn.yaml"]
    kills = 0
    with nginx(sig.root, tmp_path / "nginx") as url:
        readers = Readers(sig, url, contents | nights, tmp_path)
        threads = [threading.Thread(target=readers.keep(name)) for name in readers.rounds]
        for thread in threads:
            thread.start()
        end = time.monotonic() + CHURN_S
        while time.monotonic() < end:
            publisher = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            time.sleep(chance.uniform(0.8, 4))
            publisher.send_signal(signal.SIGKILL)
            said, _ = publisher.communicate()
            kills += 1
            assert said == b"", said.decode()
        readers.done.set()
        for thread in threads:
            thread.join()
    assert readers.wrong == []
    assert kills >= 4 and min(readers.rounds.values()) >= 3
    assert len(readers.latest_seen) >= 2, "nothing was published meanwhile"
    sig.put("20270101.0")  # whoever comes next finds a tree that can be worked on
    report = sig.verify(state=tmp_path / "state-1")
    assert (report.findings, report.notes) == ([], [])
