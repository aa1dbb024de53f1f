"""The .treeinfo of an installation tree, which names its other repositories."""

from __future__ import annotations

import configparser
from urllib.parse import urljoin

from builder.packages.connection import Connection
from builder.packages.transfer import fetch, is_near
from host.errors import RemoteError

_INFO_FILES = (".treeinfo", "treeinfo")
# The variants that Anaconda enables: anaconda.conf, enabled_repositories_from_treeinfo.
_VARIANTS = ("addon", "optional", "variant")


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
        if not _may_lead_to(base, there):
            raise RemoteError("names a repository on this host", where=base,
                              why=f"its .treeinfo has {there}")
        if there != base:
            found.append((variant.get("id") or section.removeprefix("variant-"), there))
    return found


def _may_lead_to(base: str, url: str) -> bool:
    """Say whether what came from `base` may send us to `url`: to this host's files only from one.

    A path that starts with no scheme is none of a mirror, and file: comes in many spellings.
    """
    scheme = url.partition(":")[0].lower()
    return scheme in ("http", "https", "ftp") or (is_near(url) and is_near(base))
