"""Where packages come from: the release's repositories, and what `url` and `repo` make of them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote, urlsplit

from builder.kickstart.read import Command, Kickstart
from builder.kickstart.sources import from_network
from builder.packages.connection import Connection
from builder.packages.repositories import Source
from builder.packages.repository_files import (
    has_address,
    key_place_of,
    named_file,
    option,
    place_of,
    repository_file,
)
from builder.packages.treeinfo import variants_of
from host.errors import InputError
from host.urls import scrub, shown
from images.release import Release
from images.repository import NamedRepository

BASE_ID = "anaconda"  # how Anaconda calls the repository of `url`, and so rpm's database does
_SCHEMES = ("http", "https", "ftp", "file")
_ID = re.compile(r"[A-Za-z0-9_.:-]+\Z")  # dnf's: dnf/repo.py, repo_id_invalid
_HOST = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:\d+)?(/|\Z)")
_MEDIUM = "file:///run/install/"  # where Anaconda's images have the DVD (dracut's anaconda-lib.sh)
NONE: Mapping[str, NamedRepository] = MappingProxyType({})
_VARIABLE = re.compile(r"\$(\{?)([A-Za-z0-9_]+)")


@dataclass(frozen=True)
class Origins:
    """The repositories of a build.

    notes: what was decided and must be said, each with its place (file:line).
    files: what `repo --install` leaves in the image, by path; keys: the repositories whose keys it
    leaves there, by path.
    """

    sources: list[Source]
    notes: list[tuple[str, str]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)


def origins(
    kickstart: Kickstart, release: Release, arch: str, variables: Mapping[str, str],
    named: Mapping[str, NamedRepository] = NONE, unsigned: Collection[str] = (),
) -> Origins:
    """Return the repositories that a kickstart's packages come from.

    `url` takes the place of the release's own repositories, together with the variants that its
    .treeinfo names (BaseOS leads to AppStream), as in Anaconda. `repo` with a URL adds one, or
    takes the place of the release's of that name; without a URL it selects one of the release's,
    or of those that are known by name. Those have keys of their own, wherever the kickstart says
    they are; all others are checked with the release's, since a kickstart can bring none. A
    rehearsal stands in for whatever is on another host: nothing of that is fetched.

    variables: what `{arch}` and the like stand for in URLs. named: the repositories that are known
    by name. unsigned: those that nobody need vouch for.
    Raises InputError, with file and line, for a URL or a name that can't be one.
    """
    known = {repository.id: Source(
        repository.id, tuple(url.format_map(variables) for url in repository.mirrors),
        signed_metadata=repository.signed_metadata,
    ) for repository in release.repositories}
    reader = _Reader(release, arch, variables, named, unsigned)
    url = reader.of_url(kickstart.find("url"))
    chosen = dict(known) if url is None else {source.id: source for source in url}
    for command in kickstart.find("repo"):
        source = reader.of_repo(command, known)
        if source is None:  # the rehearsal stands in for it, beside whatever `url` names
            chosen = {**known, **chosen}
        else:
            chosen[source.id] = source
            if getattr(command.data, "install", False):
                reader.leave(command, source, known)
    sources = [_unsigned(source, known) if source.id in unsigned else source
               for source in chosen.values()]
    return Origins(sources, reader.notes, reader.files, reader.keys)


def _unsigned(source: Source, known: Mapping[str, Source]) -> Source:
    """Return a source that nobody vouches for; nobody knows who stands behind a kickstart's own."""
    own = source.key is None and source.id not in known
    return replace(source, unsigned=True, signed_metadata=False, key=None,
                   upstream="external" if own else source.upstream)


class _Reader:
    """Turns `url` and `repo` into sources, and remembers what must be said of them."""

    def __init__(
        self, release: Release, arch: str, words: Mapping[str, str],
        named: Mapping[str, NamedRepository], unsigned: Collection[str],
    ) -> None:
        self.release, self.arch, self.named, self.unsigned = release, arch, named, unsigned
        self.words = {**words, "arch": arch, "version": release.version}
        self.files: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.notes: list[tuple[str, str]] = []
        # dnf's variables, with those of CentOS's own repository files (/etc/dnf/vars).
        self.variables = {
            "releasever": release.version, "basearch": arch, "arch": arch,
            "releasever_major": release.version.partition(".")[0],
            "stream": f"{release.version}-stream", "contentdir": "centos", "infra": "stock",
        }

    def of_url(self, commands: list[Command]) -> list[Source] | None:
        """Return what the last `url` stands for; None: the release's own repositories."""
        if not commands:
            return None
        command = commands[-1]
        source = self._source(command, BASE_ID, command.data.url)
        if source is None:
            return None
        if not source.urls:
            return [source]
        return [source, *(
            replace(source, id=name, urls=(url,))
            for name, url in variants_of(source.urls[0], source.connection)
        )]

    def of_repo(self, command: Command, known: Mapping[str, Source]) -> Source | None:
        """Return what a `repo` stands for; None: the rehearsal stands in for it."""
        data = command.data
        if not _ID.match(data.name):
            raise InputError(f"{data.name!r} cannot be a repository's name", where=command.where,
                             remedy="use letters, digits and any of -_.:")
        if has_address(command):
            source = self._source(command, data.name, data.baseurl)
            source = self._as_named(source, known) if source else None
        else:
            source = self._predefined(command, known)
        return self._with_options(source, command) if source else None

    def leave(self, command: Command, source: Source, known: Mapping[str, Source]) -> None:
        """Note the files that `repo --install` leaves in the image."""
        if has_address(command):
            self.files[place_of(command.data.name)] = repository_file(
                command, self.release.dialect)
            return
        if source.id in known:
            self._note(command, f"--install: the release's packages have the file of {source.id}")
            return
        if any(map(_is_here, source.urls)):
            self._note(command, f"--install: {source.id} is on this host, so nothing of it is left "
                                "in the image")
            return
        key = key_place_of(source.id) if source.id not in self.unsigned else None
        self.files[place_of(source.id)] = named_file(self.named[source.id].title, source, key)
        if key:
            self.keys[key] = source.id

    def _note(self, command: Command, text: str) -> None:
        self.notes.append((command.where, scrub(text)))

    def _predefined(self, command: Command, known: Mapping[str, Source]) -> Source | None:
        name = command.data.name
        for source in known.values():
            if source.id.lower() == name.lower():
                return source
        there = self.named.get(name.lower())
        if there is None:
            raise InputError(
                f"the release has no repository {name!r}", where=command.where,
                why=f"{self.release.name} has {', '.join(known)}; known by name are "
                    f"{', '.join(self.named) or 'none'}",
                remedy="name one of them, give --baseurl, --mirrorlist or --metalink, or define "
                       "it: --repository FILE")
        offer = there.offer(self.release.name, self.arch)
        if offer is None and self.release.rehearsal:
            self._note(command, f"{self.release.name} stands in for {there.title}: a rehearsal "
                                "uses no repository of another host")
            return None
        if offer is None:
            raise InputError(f"the repository {there.name} has nothing for {self.release.name} on "
                             f"{self.arch}", where=command.where, why=f"it is for {there.scope}",
                             remedy="say where it is: --baseurl, --mirrorlist or --metalink")
        return Source(
            there.name, tuple(url.format_map(self.words) for url in offer.mirrors),
            signed_metadata=offer.signed_metadata, where=command.where,
            key=there.key_of(offer), upstream=there.upstream)

    def _as_named(self, source: Source, known: Mapping[str, Source]) -> Source:
        """Return a source with the key of the repository that is known by its name, if one is."""
        there = self.named.get(source.id.lower())
        if there is None or source.id in known:
            return source
        offer = there.offer(self.release.name, self.arch)
        key = there.key_of(offer) if offer else there.key
        if key is None or not (key.fingerprint or self.release.rehearsal):
            return source
        return replace(source, key=key, upstream=there.upstream)

    def _source(self, command: Command, name: str, base: str | None) -> Source | None:
        data = command.data
        lists = [(kind, address) for kind in ("mirrorlist", "metalink")
                 if (address := option(data, kind))]
        spelled = [part for part in re.split(r"[\s,]+", base or "") if part]
        addresses = [self._address(part, command) for part in spelled]
        listed = [(kind, self._address(address, command)) for kind, address in lists]
        medium = [url for url in addresses if url.startswith(_MEDIUM)]
        if medium:
            self._note(command, f"{medium[0]} is the installer's medium; {self.release.name} "
                                "stands for it")
            return None
        distant = [url for url in (*addresses, *(one for _, one in listed)) if not _is_here(url)]
        if self.release.rehearsal and distant:
            self._note(command, f"{self.release.name} stands in for {', '.join(distant)}: a "
                                "rehearsal uses no repository of another host")
            return None
        if from_network(command.where) and any(
                option(data, name) for name in ("sslcacert", "sslclientcert", "sslclientkey")):
            raise InputError("a kickstart from the network can't name a file of this host",
                             where=command.where,
                             remedy="write the line into a kickstart of your own")
        return Source(
            name, tuple(addresses), mirrors=listed[0] if listed else None, where=command.where,
            connection=Connection(
                proxy=option(data, "proxy") or None,
                verify_tls=not option(data, "noverifyssl"),
                ca=option(data, "sslcacert"), client_certificate=option(data, "sslclientcert"),
                client_key=option(data, "sslclientkey"),
            ),
        )

    def _with_options(self, source: Source, command: Command) -> Source:
        data = command.data
        return replace(
            source, cost=option(data, "cost"),
            included=tuple(option(data, "includepkgs") or ()),
            excluded=tuple(option(data, "excludepkgs") or ()),
            with_groups=not option(data, "ignoregroups"),
        )

    def _address(self, text: str, command: Command) -> str:
        """Return a URL with its variables filled in; a path of this host becomes a file: URL."""
        def fill(match: re.Match[str]) -> str:
            if match[2] not in self.variables:
                raise InputError(
                    f"nothing says what ${match[2]} is", where=command.where, why=shown(text),
                    remedy=f"known are {', '.join(f'${name}' for name in self.variables)}",
                )
            return self.variables[match[2]]

        if from_network(command.where) and (text.lower().startswith("file:") or text[:1] == "/"):
            raise InputError("a kickstart from the network can't name a folder of this host",
                             where=command.where, why=text,
                             remedy="write the line into a kickstart of your own")
        url = _VARIABLE.sub(fill, re.sub(r"\$\{(\w+)\}", r"$\1", text))
        scheme = url.partition("://")[0] if "://" in url else ""
        if scheme in _SCHEMES:
            try:
                urlsplit(url)
            except ValueError as error:
                raise InputError(f"{shown(text)} is no address of a repository",
                                 where=command.where, why=str(error)) from error
            return url
        if not scheme and _HOST.match(url):  # as curl, and so dnf and Anaconda, takes it
            self._note(command, f"{text} has no scheme: http:// is meant")
            return f"http://{url}"
        if not scheme and url.startswith("/") and Path(url).is_dir():
            return f"file://{quote(url)}"
        why = f"there is no {scheme}: here" if scheme else "it has no scheme, such as https://"
        guess = f"https://{shown(url.rpartition('://')[2].lstrip('/'))}"
        raise InputError(f"{shown(text)} is no address of a repository", where=command.where,
                         why=why, remedy=f"write {guess}")


def _is_here(url: str) -> bool:
    """Tell whether a URL leads to this very host."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return True
    host = parts.hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def said(notes: Iterable[tuple[str, str]]) -> list[str]:
    """Return notes as lines for a person."""
    return [f"{where}: {text}" for where, text in notes]
