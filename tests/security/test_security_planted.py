"""One real build with a secret in every place: afterwards each is looked for everywhere."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import mmap
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from images import catalogue
from tests import small_repository

pytestmark = pytest.mark.integration

CCIS = Path(sys.executable).with_name("ccis")
PLANTED = {
    "root": "Planted-root-4711", "user": "Planted-user-4712", "hash": "Planted-hash-4713",
    "repository": "Planted/repo:@-4715",
    "proxy": "Planted-proxy-4716", "token": "Planted-token-4717",
    "environment": "Planted-environment-4718", "vnc": "Planted-vnc-4719",
    "script": "Planted-script-4720",
}


class Server:
    """The rehearsal's AppStream behind a password, and a proxy that wants another one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.served = 0
        outer = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *words: object) -> None:
                super().__init__(*words, directory=str(folder))  # type: ignore[arg-type]

            def do_GET(self) -> None:
                through = self.path.startswith("http://")
                header, kind = (("Proxy-Authorization", "proxy") if through
                                else ("Authorization", "repository"))
                words = base64.b64encode(f"planted:{PLANTED[kind]}".encode()).decode()
                if self.headers.get(header) != f"Basic {words}":
                    self.send_response(407 if through else 401)
                    self.send_header(header.replace("orization", "enticate"), 'Basic realm="x"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                outer.served += 1
                self.path = urlsplit(self.path).path
                super().do_GET()

            def log_message(self, *words: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = small_repository.make(tmp_path / "small")
    made.close()
    running = Server(made.folder)
    yield running
    running.http.shutdown()
    running.http.server_close()


def kickstart(server: Server) -> str:
    """Return container-minimal's kickstart, flat, with a secret in every place that takes one."""
    own = catalogue.kickstart_of(catalogue.image("container-minimal"))
    text = "".join(
        (own.parent / line.split()[1]).read_text().replace("rootpw", "# rootpw")
        if line.startswith("%include") else f"{line}\n" for line in own.read_text().splitlines())
    address = f"planted:{quote(PLANTED['repository'], safe='')}@{server.address}"
    (server.folder / "list").write_text(f"http://{address}/\n")
    return (
        f"rootpw --plaintext {PLANTED['root']}\n"
        f"user --name=planted --plaintext --password={PLANTED['user']}\n"
        f"user --name=hashed --iscrypted --password=$6$salt${PLANTED['hash']}\n"
        f"vnc --password={PLANTED['vnc']}\n"
        f"repo --name=planted --baseurl=http://{address}/\n"
        f"repo --name=listed --mirrorlist=http://{address}/list?token={PLANTED['token']}\n"
        f"repo --name=proxied --baseurl=http://127.0.0.1:9/ "
        f"--proxy=http://planted:{PLANTED['proxy']}@{server.address}\n"
        f"{text}\n%post\npassword={PLANTED['script']}\n%end\n")


def command_lines(stop: threading.Event, found: set[bytes]) -> None:
    """Collect what every process of this host is called, as anybody here can see it."""
    while not stop.is_set():
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found.add(path.read_bytes())
            except OSError:
                continue


def hidden(secret: str) -> list[bytes]:
    """Return a secret, and what anybody who guesses it would look for."""
    raw = secret.encode()
    digests = [hashlib.new(name, raw + end) for name in ("md5", "sha1", "sha256", "sha512")
               for end in (b"", b"\n")]
    return [raw, quote(secret, safe="").encode(), base64.b64encode(raw)[:-4],
            base64.b64encode(f"planted:{secret}".encode())[8:-4],
            *(digest.hexdigest().encode() for digest in digests),
            *(digest.digest() for digest in digests)]


def places(folder: Path, wanted: list[bytes]) -> list[str]:
    """Return the files below a folder that hold, or are called by, one of the wanted bytes."""
    found = []
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            if any(each in os.fsencode(name) for each in wanted[:4]):
                found.append(f"{parent}/{name}")
        for name in names:
            path = Path(parent, name)
            if path.is_symlink() or not path.is_file() or path.stat().st_size == 0:
                continue
            with path.open("rb") as stream, \
                    mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                found += [str(path) for each in wanted if content.find(each) >= 0]
    return sorted(set(found))


def test_planted_secrets_are_nowhere_but_where_they_belong(
    server: Server, tmp_path: Path,
) -> None:
    path = tmp_path / "planted.ks"
    path.write_text(kickstart(server))
    store, out = tmp_path / "store", tmp_path / "out"
    environment = {
        **os.environ, "CCIS_STORE": str(store), "AWS_SECRET_ACCESS_KEY": PLANTED["environment"],
        "https_proxy": f"http://planted:{PLANTED['environment']}@127.0.0.1:9",
        "LIBGUESTFS_TRACE": "1"}
    words = ["container-minimal", "--kickstart", str(path), "--release", "rehearsal-10"]
    stop, seen = threading.Event(), set[bytes]()
    watcher = threading.Thread(target=command_lines, args=(stop, seen))
    watcher.start()
    said, logs = "", []
    try:
        for command in (["plan", *words, "--json"],
                        ["build", *words, "--format", "tar-zst", "--out", str(out)],
                        ["plan", *words], ["explain", str(path), "--no-pre"], ["lint", str(path)],
                        # And what is said of a password that is wrong.
                        ["plan", *words[:2], str(broken(path)), *words[3:]]):
            process = subprocess.Popen(
                [CCIS, "--verbose", *command], env=environment, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            printed = process.communicate(timeout=600)
            said += f"\n{command}\n" + "".join(printed)
            logs += sorted((cache() / "logs").glob(f"*-{process.pid}.log"))
            assert process.returncode == (4 if "broken.ks" in str(command) else 0), said[-3000:]
    finally:
        stop.set()
        watcher.join()
    assert server.served and logs
    record = next(out.glob("*/build.json"))
    listed = json.loads(record.read_text())["repositories"]
    assert f"http://{server.address}/" in [each["url"] for each in listed]
    texts = {"what was printed": said, **{str(log): log.read_text() for log in logs},
             "command lines": "\n".join(sorted(line.decode(errors="replace") for line in seen))}
    wrong = []
    for kind, secret in PLANTED.items():
        wanted = hidden(secret)
        wrong += [f"{kind} in {name}" for name, text in texts.items()
                  if any(each in text.encode() for each in wanted)]
        everywhere = places(store, wanted) + places(out, wanted)
        if kind == "hash":
            # It is there, so the search finds what is to be found.
            assert any(place.endswith("/etc/shadow") for place in everywhere)
            everywhere = [place for place in everywhere if not place.endswith("/etc/shadow")]
        wrong += [f"{kind} in {place}" for place in everywhere]
    assert wrong == []


def broken(path: Path) -> Path:
    """Return the same kickstart with another user at the repositories."""
    other = path.with_name("broken.ks")
    other.write_text(path.read_text().replace("http://planted:", "http://wrong:"))
    return other


def cache() -> Path:
    from host.places import cache_folder

    return cache_folder()
