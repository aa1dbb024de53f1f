"""The files that a kickstart is made of: found where they may be, fetched, and checked.

What is included gets into the image: a script's text, a line, a key. So a kickstart from somebody
else must not choose which of this host's files that is. It may name

* what %pre wrote, in the installer's own folders, by any path;
* files beside the kickstart, in its folder and below, none of them hidden, by a relative path;
* files below the folders that a person names (--include-path), relative or by the whole path;
* URLs. What came from the network may name what %pre wrote and URLs, never a file of this host.

Links are followed within those folders and never lead out of them (host/beneath).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urljoin, urlsplit

from host.beneath.root import Root
from host.beneath.walk import NOT_THERE
from host.errors import CcisError, InputError, RemoteError
from host.fetch import fetch
from host.files import read_regular
from host.urls import shown

LIMIT_BYTES = 4 << 20
_SCHEMES = ("http://", "https://", "ftp://")
# Whose files, and whose users' files, lie below: a kickstart that happens to lie in one of them
# has no folder of its own.
_SHARED = ("/", "/boot", "/dev", "/etc", "/home", "/proc", "/run", "/sys", "/tmp", "/usr", "/var",  # noqa: S108
           "/var/tmp", "/root", "/dev/shm", "/opt", "/srv", "/mnt", "/media", "/var/lib",  # noqa: S108
           "/var/log", "/usr/share", "/usr/local")


@dataclass(frozen=True)
class _Origin:
    """Where a text came from. folder: what it was found below, of the host or the installer's;
    inside: its path there. url: of what the network gave."""

    kind: Literal["host", "installer", "network"]
    folder: Path = Path("/")
    inside: str = ""
    url: str = ""


@dataclass(frozen=True)
class Brought:
    """A kickstart that is no file of this host: it came from a URL, or from standard input.

    name: what a file of it would be called. shown: how messages call it. url: where it came from.
    Like anything from the network it may name URLs and what %pre wrote, and no file of this host.
    """

    name: str
    shown: str
    content: bytes = field(repr=False)
    url: str = ""

    def __str__(self) -> str:
        """Return what messages call it."""
        return self.shown

    @property
    def stem(self) -> str:
        """Its name without an ending, as a path has it."""
        return Path(self.name).stem


Given = Path | Brought
"""A kickstart as it is given: a file, or what was brought here."""


@dataclass
class Sources:
    """Where a kickstart's parts come from.

    installer: the folder that holds what %pre wrote, looked at first; None: no %pre has run.
    folders: of this host, where parts may be besides the kickstart's own folder.
    fetch_urls: False leaves what is on the network unread.
    texts: what was read, by the name that messages give it.
    parts: the name of what an %include (by name of file and word) came to, unless %pre wrote it.
    mended: lines taken out (file, number) and files that lack %end, when reading goes on behind
    an error.
    """

    installer: Path | None = None
    folders: Sequence[Path] = ()
    fetch_urls: bool = True
    texts: dict[str, str] = field(default_factory=dict)
    parts: dict[tuple[str, str], str] = field(default_factory=dict)
    mended: set[tuple[str, int]] = field(default_factory=set)
    unended: set[str] = field(default_factory=set)
    _origins: dict[str, _Origin] = field(default_factory=dict)

    def lines(self, name: str) -> list[str]:
        """Return the lines of a file that was loaded, without what was mended."""
        lines = self.texts[name].split("\n")
        kept = ["\n" if (name, number) in self.mended else f"{line}\n"
                for number, line in enumerate(lines, start=1)]
        if kept and lines[-1] == "":
            kept.pop()
        return [*kept, "%end\n"] if name in self.unended else kept

    def open(self, path: Given) -> None:
        """Read the kickstart itself, wherever it is. Raises InputError for what is no text."""
        name = str(path)
        if isinstance(path, Brought):
            self._origins[name] = _Origin("network", url=path.url)
            self.texts.setdefault(name, _text(path.content, name))
            return
        self._origins[name] = _Origin("host", path.parent, f"/{path.name}")
        if name in self.texts:
            return
        try:
            content = read_regular(path, LIMIT_BYTES + 1)
        except OSError as error:
            if error.errno in NOT_THERE:
                raise missing(name, name) from error
            raise InputError("a kickstart file cannot be read", where=name,
                             why=error.strerror) from error
        except InputError as error:
            raise InputError(error.what, where=name,
                             remedy="save the kickstart as a file and name that, or give it to "
                                    "`--kickstart -`") from error
        self.texts[name] = _text(content, name)

    def load(self, name: str, including: str, where: str) -> str | None:
        """Read a file or URL and return the name that messages give it; None: not there (yet).

        including: the file that includes it; relative names are relative to that one.
        Raises InputError for what may not be included and for what is no text, RemoteError for a
        URL that can't be fetched.
        """
        origin = self._origins[including]
        if name.lower().startswith("file:") and origin.kind == "network":
            raise InputError("a kickstart from the network can't name a file of this host",
                             where=where, why=name)
        if name.lower().startswith("file:///"):
            name = unquote(urlsplit(name).path)
        found = self._found(name, origin, where)
        if found is None and ("://" in name
                              or (origin.kind == "network" and not name.startswith("/"))):
            found = self._fetched(urljoin(origin.url, name) if origin.url else name, where)
        if found is not None and self._origins[found].kind != "installer":
            self.parts[including, name] = found
        return found

    def _found(self, name: str, origin: _Origin, where: str) -> str | None:
        """Look for a file: what %pre wrote before what the host has."""
        if "://" in name:
            return None
        for kind, folder, inside in self._candidates(name, origin, where):
            named: str = inside if kind == "installer" else os.path.normpath(f"{folder}/{inside}")
            if named in self._origins and named in self.texts:
                return named
            content = _content(folder, inside, name, where)
            if content is None and kind == "host" and Root(folder).is_link(inside):
                raise _refused(f"{name} is a link that leads out of its folder, or nowhere", where)
            if content is not None:
                self.texts[named] = _text(content, named)
                self._origins[named] = _Origin(kind, folder, inside)
                return named
        return None

    def _candidates(
        self, name: str, origin: _Origin, where: str,
    ) -> Iterator[tuple[Literal["host", "installer"], Path, str]]:
        """Yield where a file may be: the folder that it must be below, and its path there."""
        if self.installer is not None:
            beside = f"{os.path.dirname(origin.inside)}/{name}"  # noqa: PTH120
            places = [name, beside] if origin.kind == "installer" else [name]
            for inside in dict.fromkeys(os.path.normpath(f"/{place}") for place in places):
                yield "installer", self.installer, inside.replace("//", "/")
        if origin.kind != "host":
            return
        whole = [] if name.startswith("/") else [
            os.path.normpath(f"{origin.folder.absolute()}/{os.path.dirname(origin.inside)}/{name}")]  # noqa: PTH120
        folders = [Path(os.path.abspath(folder)) for folder in self.folders]  # noqa: PTH100
        if whole:
            here = _below(os.path.abspath(origin.folder), whole[0])  # noqa: PTH100
            named = any(_below(str(folder), whole[0]) for folder in folders)
            if here is not None and (named or origin.folder in self.folders
                                     or _is_own(origin, here, name, where)):
                yield "host", origin.folder, here
            elif here is None and not named:
                raise _refused(f"{name} leads out of the kickstart's folder", where)
        for folder, given in zip(folders, self.folders, strict=True):
            for place in [*whole, os.path.normpath(f"{folder}/{name}")
                          if not name.startswith("/") else os.path.normpath(name)]:
                if (there := _below(str(folder), place)) is not None:
                    yield "host", given, there

    def _fetched(self, url: str, where: str) -> str | None:
        if not url.startswith(_SCHEMES):
            raise InputError(f"{url} can't be included", where=where,
                             remedy=f"use a file, or one of {', '.join(_SCHEMES)}")
        if not self.fetch_urls:
            return None
        known = next((name for name, one in self._origins.items() if one.url == url), None)
        if known is not None:
            return known
        name = shown(url)
        while name in self.texts:  # two that differ in what is not shown
            name += "'"
        try:
            self.texts[name] = _text(fetch(url, LIMIT_BYTES), name)
        except RemoteError as error:
            raise RemoteError("an included kickstart can't be fetched", where=where,
                              why=f"{url}: {error.why}") from error
        self._origins[name] = _Origin("network", url=url)
        return name


def from_network(where: str) -> bool:
    """Say whether a place (file:line) is in what the network gave."""
    return where.startswith(_SCHEMES)


def _below(folder: str, path: str) -> str | None:
    """Return a path as it is seen from a folder, None when it lies elsewhere."""
    if folder == "/" or path == folder or path.startswith(f"{folder}/"):
        return "/" + path[len(folder):].lstrip("/")
    return None


def _is_own(origin: _Origin, inside: str, name: str, where: str) -> bool:
    """Raise InputError unless a file is one that lies beside kickstarts on purpose."""
    here = origin.folder.resolve()
    if str(here) in _SHARED or str(here.parent) in ("/home", "/run/user"):
        raise _refused(f"{name} would be any file of {origin.folder.resolve()}", where,
                       "put the kickstart and its parts into a folder of their own, or name")
    if any(part.startswith(".") for part in inside.split("/")):
        raise _refused(f"{name} is a hidden file", where)
    return True


def _refused(what: str, where: str, remedy: str = "move it there, or name") -> InputError:
    return InputError(what, where=where, why="it would get into the image",
                      remedy=f"{remedy} the folder that it may come from: --include-path FOLDER")


def _content(folder: Path, inside: str, name: str, where: str) -> bytes | None:
    """Return a file's content, None when it is not there."""
    root = Root(folder)
    try:
        with root.open(inside, follow=True) as stream:
            return stream.read(LIMIT_BYTES + 1)
    except InputError as error:
        raise InputError(error.what.replace(inside, name, 1), where=where,
                         remedy="name a kickstart file") from error
    except OSError as error:
        if error.errno not in NOT_THERE:
            raise InputError("a kickstart file cannot be read", where=where,
                             why=f"{name}: {error.strerror}") from error
    return None


def missing(where: str, name: str) -> CcisError:
    """Return the error for a part that is not there."""
    return InputError(
        "a kickstart file cannot be read", where=where, why=f"{name} is not there",
        remedy="check the path: %include is relative to the including file, a whole path means "
               "what %pre wrote; for other folders of this host say --include-path FOLDER",
    )


def _text(content: bytes, name: str) -> str:
    """Return a file's text: UTF-8, with or without byte order mark, with any line ends."""
    if len(content) > LIMIT_BYTES:
        raise InputError("is too large for a kickstart", where=name,
                         why=f"more than {LIMIT_BYTES >> 20} MiB",
                         remedy="is this the right file?")
    if b"\0" in content:
        raise InputError("is no text", where=f"{name}:{content[:content.index(0)].count(10) + 1}",
                         why="it holds a NUL byte", remedy="is this the right file?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[:error.start].count(b"\n") + 1
        raise InputError(
            "is not UTF-8", where=f"{name}:{line}", why=f"byte 0x{content[error.start]:02x}",
            remedy="convert it, such as: iconv -f latin1 -t utf-8 FILE",
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
