"""What names repositories: mirror lists, metalinks, and the .treeinfo of an installation tree."""

from __future__ import annotations

import configparser
import ssl
import urllib.request
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from host.errors import InputError, RemoteError
from host.fetch import fetch as fetch_plainly
from host.files import read_regular

_REPOMD = "repodata/repomd.xml"
_PEM_BYTES_MAX = 4 << 20
_INFO_FILES = (".treeinfo", "treeinfo")
# The variants that Anaconda enables: anaconda.conf, enabled_repositories_from_treeinfo.
_VARIANTS = ("addon", "optional", "variant")


@dataclass(frozen=True)
class Connection:
    """How a repository is reached. ca, client_certificate, client_key: files on this host."""

    proxy: str | None = None
    verify_tls: bool = True
    ca: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it needs."""
        return tuple(file for file in (self.ca, self.client_certificate, self.client_key) if file)


DIRECT = Connection()


def fetch(url: str, connection: Connection = DIRECT) -> bytes:
    """Return what a URL gives, over this connection; raises RemoteError with the URL.

    Raises InputError for a certificate or key that is no file with one in it.
    """
    if connection == DIRECT or url.startswith("file:"):
        return fetch_plainly(url)
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.HTTPSHandler(context=_tls(connection))]
    if connection.proxy:
        proxies = dict.fromkeys(("http", "https", "ftp"), connection.proxy)
        handlers.append(urllib.request.ProxyHandler(proxies))
    return fetch_plainly(url, handlers=handlers)


def _tls(connection: Connection) -> ssl.SSLContext:
    for file in connection.files:  # OpenSSL would read a FIFO or /dev/zero for ever
        if len(read_regular(_path(file), _PEM_BYTES_MAX + 1)) > _PEM_BYTES_MAX:
            raise InputError("is too large for a certificate or key", where=file)
    try:
        context = ssl.create_default_context(
            cafile=str(_path(connection.ca)) if connection.ca else None)
        if not connection.verify_tls:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if connection.client_certificate:
            context.load_cert_chain(
                _path(connection.client_certificate),
                _path(connection.client_key) if connection.client_key else None,
                password=lambda: "")  # nobody is there to be asked for one
    except (OSError, ValueError) as error:
        raise InputError("the certificate or key can't be used", why=str(error),
                         where=", ".join(connection.files)) from error
    return context


def _path(file: str) -> Path:
    return Path(file.removeprefix("file://"))


def listed(kind: str, url: str, connection: Connection) -> tuple[list[str], set[str]]:
    """Return the mirrors that a list names, and the SHA-256 that their index may have.

    kind: "mirrorlist" (a URL on each line; says nothing of the index) or "metalink"
    (https://www.metalinker.org/, as MirrorManager serves it).
    A list from the network names no file of this host.
    Raises RemoteError when the list can't be had or names nothing.
    """
    content = fetch(url, connection)
    digests: set[str] = set()
    if kind == "metalink":
        mirrors, digests = _read_metalink(content, url)
    else:
        lines = (line.strip() for line in content.decode("utf-8", "replace").splitlines())
        mirrors = [line for line in lines if "://" in line and not line.startswith("#")]
    mirrors = [mirror for mirror in mirrors if _may_name(url, mirror)]
    if not mirrors:
        raise RemoteError("names no mirror", where=url, why=f"it is no {kind}, or an empty one")
    return mirrors, digests


def _may_name(base: str, url: str) -> bool:
    """Say whether what came from `base` may send us to `url`: to this host's files only from one.

    A path that starts with no scheme is none of a mirror, and file: comes in many spellings.
    """
    scheme = url.partition(":")[0].lower()
    return scheme in ("http", "https", "ftp") or (scheme == "file" and base.startswith("file:"))


def _read_metalink(content: bytes, url: str) -> tuple[list[str], set[str]]:
    if b"<!DOCTYPE" in content:  # no metalink has one, and entities are what bites in XML
        raise RemoteError("is not a metalink", where=url, why="it declares a document type")
    try:
        root = ElementTree.fromstring(content)  # noqa: S314 – no document type, so no entities
    except ElementTree.ParseError as error:
        raise RemoteError("is not a metalink", where=url, why=str(error)) from error
    found = []
    for element in root.iter():
        text = (element.text or "").strip()
        if element.tag.endswith("}url") and text.endswith(_REPOMD) and "rsync:" not in text:
            found.append((-int(element.get("preference") or 0), text.removesuffix(_REPOMD)))
    digests = {(element.text or "").strip() for element in root.iter()
               if element.tag.endswith("}hash") and element.get("type") == "sha256"}
    return [mirror for _, mirror in sorted(found, key=lambda pair: pair[0])], digests


def variants_of(url: str, connection: Connection) -> list[tuple[str, str]]:
    """Return name and URL of the other repositories of an installation tree, none without any.

    Anaconda reads the tree's .treeinfo and enables its variants
    (pyanaconda/modules/payloads/payload/dnf/tree_info.py); CentOS's BaseOS names AppStream.
    """
    info = configparser.ConfigParser(interpolation=None, strict=False)
    base = url.rstrip("/") + "/"
    for name in _INFO_FILES:
        try:
            info.read_string(fetch(f"{base}{name}", connection).decode("utf-8", "replace"))
            break
        except RemoteError:
            continue  # a plain repository has none
        except configparser.Error as error:
            raise RemoteError("is not a .treeinfo", where=f"{base}{name}",
                              why=str(error).splitlines()[0]) from error
    found = []
    for section in info.sections():
        variant = info[section]
        if not section.startswith("variant-") or variant.get("type") not in _VARIANTS:
            continue
        there = urljoin(base, variant.get("repository", ".").rstrip("/") + "/")
        if not _may_name(base, there):
            raise RemoteError("names a repository on this host", where=base,
                              why=f"its .treeinfo has {there}")
        if there != base:
            found.append((variant.get("id") or section.removeprefix("variant-"), there))
    return found
