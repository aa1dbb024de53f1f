"""Serves a made repository over HTTP, on this machine's loopback address only."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from host.errors import HostError
from rehearsal.cache import path


class _Quiet(SimpleHTTPRequestHandler):
    """The standard library's file server, without a line per request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@contextmanager
def serve(release: str, port: int = 0) -> Iterator[str]:
    """Serve the repository while the block runs and yield its URL, `http://127.0.0.1:PORT`.

    port: 0 takes any free one. Raises InputError for an unknown release, HostError when the
    repository was not made or the port is taken.
    """
    folder = path(release)
    if folder is None:
        raise HostError(f"{release} was not made yet",
                        remedy=f"run ccis rehearsal create {release}")
    handler = functools.partial(_Quiet, directory=str(folder))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise HostError(f"cannot listen on port {port}", why=error.strerror) from error
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
