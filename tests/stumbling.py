"""A server that stumbles: the first part of a path says how, for tests of what fetches."""

from __future__ import annotations

import http.server
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

STALL_S = 30.0


@dataclass
class Stumbling:
    """What is served, and what it was asked for: how often, by which paths, with which login.

    Paths are /HOW/FILE. HOW: ok, behind (another content), longer, STATUS, reset, truncated,
    stalled, silent, trickle, away (to /ok/ of the host's other name) or large; with -once behind
    it, the second answer and all later ones are good.
    """

    folder: Path
    url: str = ""
    every: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    heard: list[tuple[str, str | None]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answers: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def mirror(self, how: str) -> str:
        return f"{self.url}{how}/"


@contextmanager
def stumbling(
    folder: Path, every: int = 0, certificate: Path | None = None,
) -> Iterator[Stumbling]:
    """Serve a folder. every: of so many answers one is 503, whatever the path.

    certificate: a file with one and its key, for https.
    """
    state = Stumbling(folder, every=every)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *words: object) -> None:
            pass

        def do_GET(self) -> None:
            how, _, name = self.path.lstrip("/").partition("/")
            state.asked[how] += 1
            state.answers += 1
            state.paths.append(self.path)
            state.heard.append((how, self.headers.get("Authorization")))
            if every and state.answers % every == 0:
                return self.answer(503)
            word, _, once = how.partition("-")
            if once and state.asked[how] > 1:
                word = "ok"
            path = folder / unquote(name)
            if word.isdigit():
                return self.answer(int(word))
            if word == "away":
                there = state.url.replace("127.0.0.1", "localhost")
                return self.answer(302, headers={"Location": f"{there}ok/{name}"})
            if not path.is_file():
                return self.answer(404)
            return self.stumble(word, path.read_bytes())

        def stumble(self, word: str, content: bytes) -> None:
            self.close_connection = word != "ok"
            if word == "ok":
                self.answer(200, content)
            elif word == "behind":
                self.answer(200, content[:-1] + bytes([content[-1] ^ 1]))
            elif word == "longer":
                self.answer(200, content + b"x")
            elif word == "reset":  # SO_LINGER of 0 s: close(2) sends a reset
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           struct.pack("ii", 1, 0))
                self.connection.close()
            elif word == "truncated":
                self.answer(200, content[:10], length=len(content))
            elif word == "stalled":
                self.answer(200, content[:10], length=len(content))
                state.over.wait(STALL_S)
            elif word == "silent":
                state.over.wait(STALL_S)
            elif word == "trickle":
                self.answer(200, b"", length=1 << 20)
                until = time.monotonic() + STALL_S
                while time.monotonic() < until and not state.over.wait(0.05):
                    self.wfile.write(b"x" * 500)
                    self.wfile.flush()
            elif word == "large":
                self.answer(200, b"x" * (1 << 20))

        def answer(self, status: int, content: bytes = b"", length: int | None = None,
                   headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) if length is None else length))
            if status == 429:
                self.send_header("Retry-After", "1")
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *words: object) -> None:
            """Say nothing of those who hang up: they are meant to."""

    with Server(("127.0.0.1", 0), Handler) as server:
        state.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}/"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield state
        finally:
            state.over.set()
            server.shutdown()
