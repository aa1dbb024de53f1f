"""A small web server for a release tree, to try it out: ranges, types, ETag, what caches may keep.

Files are reached by descriptor, links are not followed, nothing is listed. For real use there is
nginx: docs/release-tree.md.
"""

from __future__ import annotations

import email.utils
import os
import re
import stat
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from host.beneath.openat2 import reopen
from host.beneath.root import Root
from host.errors import InputError

_PIECE_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_DATED = re.compile(r"-[0-9]{8}\.[0-9]+\.[^/]*$")
_TYPES = {".json": "application/json", ".asc": "text/plain; charset=utf-8",
          ".meta4": "application/metalink4+xml", ".SHA256SUM": "text/plain; charset=utf-8",
          ".gz": "application/gzip", ".xz": "application/x-xz", ".zst": "application/zstd",
          ".tar": "application/x-tar"}


def server(root: Path, address: str, port: int) -> ThreadingHTTPServer:
    """Return a server of the tree at `root` that listens; port 0: some free one.

    Raises InputError when root is no folder, or one can't listen there.
    """
    if not root.is_dir():
        raise InputError("is not a folder", where=str(root), remedy="give a release tree's root")
    tree = Root(root)

    class Handler(_Handler):
        pass

    Handler.tree = tree
    try:
        return _Server((address, port), Handler)
    except OSError as error:
        raise InputError("can't listen there", where=f"{address}:{port}", why=error.strerror,
                         remedy="name another port (0: some free one) or address") from error


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that goes away in the middle; that is its right."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    tree: Root
    protocol_version = "HTTP/1.1"
    server_version = "ccis"
    sys_version = ""

    def do_GET(self) -> None:  # http.server's name
        """Answer with a file, or a part of it."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:  # http.server's name
        """Answer with what would be said of a file."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
        """Say nothing: whoever tries a tree out has seen the answer."""

    def _answer(self, *, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        if "\0" in path or ".." in PurePosixPath(path).parts:
            self._say(HTTPStatus.NOT_FOUND)
            return
        try:
            with self.tree.folder(str(PurePosixPath(path).parent), links=False) as folder:
                found = os.open(PurePosixPath(path).name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC,
                                dir_fd=folder)
        except (OSError, InputError):
            self._say(HTTPStatus.NOT_FOUND)
            return
        try:
            status = os.fstat(found)
            if not stat.S_ISREG(status.st_mode):
                self._say(HTTPStatus.NOT_FOUND)
                return
            opened = reopen(found, os.O_RDONLY | os.O_NONBLOCK)
        finally:
            os.close(found)
        try:
            self._file(path, opened, status, with_body)
        finally:
            os.close(opened)

    def _file(self, path: str, opened: int, status: os.stat_result, with_body: bool) -> None:
        tag = f'"{int(status.st_mtime):x}-{status.st_size:x}"'  # as nginx makes it
        dated = _DATED.search(path) is not None
        headers = {
            "ETag": tag, "Accept-Ranges": "bytes",
            "Last-Modified": email.utils.formatdate(int(status.st_mtime), usegmt=True),
            "Cache-Control": "public, max-age=31536000, immutable" if dated else "no-cache",
            "Content-Type": _TYPES.get(PurePosixPath(path).suffix, "text/plain; charset=utf-8"
                                       if path.endswith("/CHECKSUM") else
                                       "application/octet-stream"),
        }
        if self.headers.get("If-None-Match") == tag:
            self._say(HTTPStatus.NOT_MODIFIED, headers)
            return
        start, end = 0, status.st_size
        code = HTTPStatus.OK
        wanted = _RANGE.fullmatch(self.headers.get("Range", ""))
        if wanted and any(wanted.groups()) and self.headers.get("If-Range", tag) == tag:
            first, last = wanted.groups()
            start = int(first) if first else max(0, status.st_size - int(last))
            end = min(int(last) + 1, status.st_size) if first and last else status.st_size
            if start >= end:
                self._say(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
                          {"Content-Range": f"bytes */{status.st_size}"})
                return
            code = HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{status.st_size}"
        self._say(code, {**headers, "Content-Length": str(end - start)})
        while with_body and start < end:
            piece = os.pread(opened, min(_PIECE_BYTES, end - start), start)
            if not piece:  # it was cut short: the reader must not take it for whole
                self.close_connection = True
                return
            self.wfile.write(piece)
            start += len(piece)

    def _say(self, code: HTTPStatus, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}) and code != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", "0")
        self.end_headers()
