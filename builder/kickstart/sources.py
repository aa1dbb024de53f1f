"""The files that a kickstart is made of: found, fetched, checked, and read line by line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from builder.tree.tree import resolve_inside
from host.errors import CcisError, InputError, RemoteError
from host.fetch import fetch

LIMIT_BYTES = 4 << 20
TOTAL_LIMIT_BYTES = 32 << 20
_DEPTH = 40
_SCHEMES = ("http://", "https://", "ftp://", "file://")


@dataclass
class Sources:
    """Where a kickstart's parts come from.

    installer: the folder that holds what %pre wrote, looked at first; None: no %pre has run.
    fetch_urls: False leaves what is on the network unread.
    texts: what was read, by the name that messages give it.
    mended: lines taken out (file, number) and files that lack %end, when reading goes on behind
    an error.
    """

    installer: Path | None = None
    fetch_urls: bool = True
    texts: dict[str, str] = field(default_factory=dict)
    mended: set[tuple[str, int]] = field(default_factory=set)
    unended: set[str] = field(default_factory=set)

    def lines(self, name: str) -> list[str]:
        """Return the lines of a file that was loaded, without what was mended."""
        lines = self.texts[name].split("\n")
        kept = ["\n" if (name, number) in self.mended else f"{line}\n"
                for number, line in enumerate(lines, start=1)]
        if kept and lines[-1] == "":
            kept.pop()
        return [*kept, "%end\n"] if name in self.unended else kept

    def load(self, name: str, including: str | None, where: str) -> str | None:
        """Read a file or URL and return the name that messages give it; None: not there (yet).

        including: the file that includes it; relative names are relative to that one.
        Raises InputError for what is no text, RemoteError for a URL that can't be fetched.
        """
        if "://" in name or (including and "://" in including and not name.startswith("/")):
            return self._load_url(name, including, where)
        for shown, path in self._candidates(name, including):
            if path.is_dir():
                raise InputError(f"{name} is a folder", where=where,
                                 remedy="name a kickstart file")
            if path.is_file():
                if shown not in self.texts:
                    self.texts[shown] = _text(_content(path, shown), shown)
                return shown
        return None

    def _candidates(self, name: str, including: str | None) -> Iterator[tuple[str, Path]]:
        """Yield where a file may be, what %pre wrote before what the host has."""
        beside = os.path.normpath(Path(including).parent / name) if including else name
        if self.installer is not None:
            for inside in dict.fromkeys((os.path.normpath(f"/{name.lstrip('/')}"), beside)):
                if inside.startswith("/"):
                    yield inside, resolve_inside(self.installer, inside)
        yield beside, Path(beside)
        if including and not Path(name).is_absolute():
            yield name, Path(name)

    def _load_url(self, name: str, including: str | None, where: str) -> str | None:
        url = name
        if "://" not in name and including:
            url = f"{including.rpartition('/')[0]}/{name}"
        if not url.startswith(_SCHEMES):
            raise InputError(f"{url} can't be included", where=where,
                             remedy=f"use a file, or one of {', '.join(_SCHEMES)}")
        if not self.fetch_urls:
            return None
        if url not in self.texts:
            try:
                self.texts[url] = _text(fetch(url, LIMIT_BYTES), url)
            except RemoteError as error:
                raise RemoteError("an included kickstart can't be fetched", where=where,
                                  why=f"{url}: {error.why}") from error
        return url


def _content(path: Path, shown: str) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise InputError("a kickstart file cannot be read", where=shown,
                         why=error.strerror) from error
    if len(content) > LIMIT_BYTES:
        raise InputError("is too large for a kickstart", where=shown,
                         why=f"more than {LIMIT_BYTES >> 20} MiB",
                         remedy="is this the right file?")
    return content


def _text(content: bytes, shown: str) -> str:
    """Return a file's text: UTF-8, with or without byte order mark, with any line ends."""
    if b"\0" in content:
        raise InputError("is no text", where=f"{shown}:{content[:content.index(0)].count(10) + 1}",
                         why="it holds a NUL byte", remedy="is this the right file?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[:error.start].count(b"\n") + 1
        raise InputError(
            "is not UTF-8", where=f"{shown}:{line}", why=f"byte 0x{content[error.start]:02x}",
            remedy="convert it, such as: iconv -f latin1 -t utf-8 FILE",
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass
class _Frame:
    name: str
    lines: list[str]
    position: int = 0


class Lines:
    """The lines of a kickstart with those of its parts in their places, as pykickstart reads them.

    It knows file and line of what was read last; `%ksappend` is followed here, as text, wherever
    it stands (pykickstart's own preprocessKickstart does it before it parses).
    """

    def __init__(self, sources: Sources, name: str) -> None:
        self._sources = sources
        self._frames = [_Frame(name, sources.lines(name))]
        self._read_bytes = 0
        self._ended = False
        self.unread: list[tuple[str, str]] = []

    @property
    def where(self) -> str:
        """File and line of what was read last."""
        frame = self._frames[-1]
        return f"{frame.name}:{max(1, frame.position)}"

    @property
    def place(self) -> tuple[str, int]:
        """The same as a pair."""
        return self._frames[-1].name, max(1, self._frames[-1].position)

    def include(self, name: str) -> None:
        """Go on with another file. One that is not there is noted in `unread`.

        Raises InputError for a file that includes itself and for too many or too long ones.
        """
        where = self.where
        loaded = self._sources.load(name, self._frames[-1].name, where)
        if loaded is None:
            self.unread.append((where, name))
            return
        if any(frame.name == loaded for frame in self._frames):
            raise InputError(f"{loaded} includes itself", where=where)
        if len(self._frames) > _DEPTH:
            raise InputError("too many files include each other", where=where,
                             why=f"{_DEPTH} levels")
        self._read_bytes += len(self._sources.texts[loaded])
        if self._read_bytes > TOTAL_LIMIT_BYTES:
            raise InputError("the kickstart's parts are too large", where=where,
                             why=f"together more than {TOTAL_LIMIT_BYTES >> 20} MiB")
        self._frames.append(_Frame(loaded, self._sources.lines(loaded)))

    def put(self, _line: str) -> None:
        """Take the last line back (pykickstart's PutBackIterator)."""
        self._frames[-1].position -= 1

    def __iter__(self) -> Lines:
        """Return the iterator itself."""
        return self

    def __next__(self) -> str:
        """Return the next line; an empty one marks the end, as in pykickstart's own reader."""
        while True:
            frame = self._frames[-1]
            if frame.position < len(frame.lines):
                frame.position += 1
                line = frame.lines[frame.position - 1]
                if line.split()[:1] == ["%ksappend"]:
                    self._append(line)
                    continue
                return line
            if len(self._frames) > 1:
                self._frames.pop()
            elif not self._ended:
                self._ended = True
                return ""
            else:
                raise StopIteration

    def _append(self, line: str) -> None:
        words = line.split()
        if len(words) < 2:
            raise InputError("%ksappend needs a file or URL", where=self.where)
        self.include(words[1])


def missing(where: str, name: str) -> CcisError:
    """Return the error for a part that is not there."""
    return InputError(
        "a kickstart file cannot be read", where=where, why=f"{name} is not there",
        remedy="check the path; %include is relative to the including file",
    )
