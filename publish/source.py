"""A published tree as a stranger meets it: a folder of this host, or a URL. Nothing is believed."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from publish.folder import FolderFile, UnusableError, opened

_CHUNK_BYTES = 1 << 20
_TIMEOUT_S = 60.0


class ReadFolder(Protocol):
    """A folder that is read. Every method may raise UnusableError."""

    @property
    def inode(self) -> tuple[int, int]:
        """What tells it from another one that takes its place."""

    def entries(self) -> tuple[dict[str, FolderFile], dict[str, str]]:
        """Return the files by name, and for each other thing a sentence about it."""

    def read(self, name: str, limit_bytes: int) -> bytes:
        """Return a small file's content."""

    def sha256(self, name: str, on_bytes: Callable[[int], None]) -> str:
        """Return the SHA-256 of a file; on_bytes: called with the size of each piece read."""


class Source(Protocol):
    """A tree that is read."""

    @property
    def name(self) -> str:
        """What the tree is called, for people, and to tell it from others."""

    @contextmanager
    def folder(self, path: str, names: Callable[[], set[str]]) -> Iterator[ReadFolder]:
        """Open a folder. names: of the files that should be in it, where it can't be listed."""
        yield ...  # type: ignore[misc]

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield a file's content, piece by piece. Raises UnusableError, Missing."""


class MissingError(UnusableError):
    """A file is not there."""


@dataclass(frozen=True)
class LocalTree:
    """A tree in a folder of this host."""

    root: Path

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.root.resolve())

    @contextmanager
    def folder(self, path: str, names: Callable[[], set[str]]) -> Iterator[ReadFolder]:
        """Open a folder without following links."""
        with opened(self.root, path) as found:
            yield found

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield a regular file's content."""
        where = Path(path)
        try:
            with opened(self.root, str(where.parent)) as found:
                files, _ = found.entries()
                if where.name not in files:
                    raise MissingError("it is missing")
                yield from found.pieces(where.name)
        except FileNotFoundError as error:
            raise MissingError("it is missing") from error


@dataclass(frozen=True)
class HttpTree:
    """A tree behind a web server. url: of its root, without a slash at its end."""

    url: str

    @property
    def name(self) -> str:
        """Its URL."""
        return self.url

    @contextmanager
    def folder(self, path: str, names: Callable[[], set[str]]) -> Iterator[ReadFolder]:
        """Return a folder that has exactly the files that it should have and the server gives."""
        yield HttpFolder(self, path, names)

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield what the server gives for a path."""
        with self.request(path, "GET") as answer:
            try:
                while piece := answer.read(_CHUNK_BYTES):
                    yield piece
            except (OSError, http.client.HTTPException) as error:
                raise UnusableError(f"it can't be fetched: {error}") from error

    @contextmanager
    def request(self, path: str, method: str) -> Iterator[http.client.HTTPResponse]:
        """Ask for a path below the root; raises UnusableError."""
        request = urllib.request.Request(  # noqa: S310  # the scheme was looked at by tree_of()
            f"{self.url}/{quote(path)}", method=method,
            headers={"Accept-Encoding": "identity", "Cache-Control": "no-cache"})
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                yield answer
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (403, 404, 410):
                raise MissingError("it is missing") from error
            raise UnusableError(f"it can't be fetched: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise UnusableError(f"it can't be fetched: {reason}") from error


@dataclass(frozen=True)
class HttpFolder:
    """A folder behind a web server, which can't be listed: `names` says what should be in it."""

    tree: HttpTree
    path: str
    names: Callable[[], set[str]]

    @property
    def inode(self) -> tuple[int, int]:
        """Nothing is known that would tell."""
        return (0, 0)

    def entries(self) -> tuple[dict[str, FolderFile], dict[str, str]]:
        """Return those of the names that the server has, each a file of its own."""
        files, others = {}, {}
        for number, name in enumerate(sorted(self.names())):
            try:
                with self.tree.request(f"{self.path}/{name}", "HEAD") as answer:
                    size = answer.headers.get("Content-Length", "")
                    if not size.isdecimal():
                        others[name] = "the server does not say how large it is"
                        continue
                    files[name] = FolderFile(name, int(size), (0, number))
            except MissingError:
                continue
            except UnusableError as error:
                others[name] = str(error)
        return files, others

    def read(self, name: str, limit_bytes: int) -> bytes:
        """Return a small file's content."""
        content = b""
        for piece in self.tree.stream(f"{self.path}/{name}"):
            content += piece
            if len(content) > limit_bytes:
                raise UnusableError(f"it is larger than {limit_bytes} bytes, which is not read")
        return content

    def sha256(self, name: str, on_bytes: Callable[[int], None]) -> str:
        """Return the SHA-256 of a file, which is kept nowhere."""
        digest = hashlib.sha256()
        for piece in self.tree.stream(f"{self.path}/{name}"):
            digest.update(piece)
            on_bytes(len(piece))
        return digest.hexdigest()


def tree_of(name: str) -> LocalTree | HttpTree:
    """Return the tree that a path or a URL names."""
    if name.startswith(("http://", "https://")):
        return HttpTree(name.rstrip("/"))
    return LocalTree(Path(name))

