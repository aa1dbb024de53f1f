"""Where Debian's files go in a CentOS tree: merged /usr, owners, config, docs and locale flags."""

from __future__ import annotations

import posixpath
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from rehearsal.model import PackagedFile
from rehearsal.rpmfile import FLAG_CONFIG, FLAG_DOC, FLAG_LICENSE, FLAG_NOREPLACE

_MERGED = re.compile(r"^/(bin|sbin|lib|lib32|lib64|libx32)(/|$)")
_COPYRIGHT = re.compile(r"^/usr/share/doc/([^/]+)/copyright$")
_PAM_INCLUDE = re.compile(rb"^@include\s+common-(auth|account|password|session)\S*", re.MULTILINE)
_LANG = re.compile(r"^/usr/share/(?:locale|man|help)/([a-z]{2,3}(?:[_@.][^/]*)?)(?:/|$)")


def usr(path: str) -> str:
    """Return where a path lies once /bin, /sbin, /lib and /lib64 are links into /usr."""
    return _MERGED.sub(r"/usr/\1\2", path)


@lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    """Compile a glob: `*` stays within one folder, `**` does not, a final `/` means all below."""
    if glob.endswith("/"):
        glob += "**"
    parts = re.split(r"(\*\*|\*|\?)", glob)
    wild = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(wild.get(part, re.escape(part)) for part in parts) + r"\Z")


def matches(path: str, globs: Iterable[str]) -> bool:
    """Tell whether any of the globs matches a path."""
    return any(_pattern(glob).match(path) for glob in globs)


def arrange(file: PackagedFile, package: str, owners: Mapping[str, str]) -> PackagedFile:
    """Return a Debian file as the CentOS tree has it: path, link target, owner and flags.

    package: the RPM's name, under which licences go. owners: Debian user or group → ours.
    """
    path = usr(file.path)
    content = file.content
    if stat.S_ISLNK(file.mode) and path != file.path and not file.target.startswith("/"):
        # A relative target was counted from the old place.
        goal = usr(posixpath.normpath(posixpath.join(posixpath.dirname(file.path), file.target)))
        content = posixpath.relpath(goal, posixpath.dirname(path)).encode()
    if path.startswith("/etc/pam.d/"):
        content = _PAM_INCLUDE.sub(rb"\1    include      system-auth", content)
    flags = 0
    if match := _COPYRIGHT.match(path):
        path, flags = f"/usr/share/licenses/{package}/{match[1]}", FLAG_LICENSE
    elif path.startswith(("/usr/share/doc/", "/usr/share/man/", "/usr/share/info/")):
        flags = FLAG_DOC
    elif path.startswith("/etc/") and file.is_regular:
        flags = FLAG_CONFIG | FLAG_NOREPLACE
    language = _LANG.match(path)
    mode, group = file.mode, owners.get(file.group, file.group)
    if file.group in ("shadow", "_ssh", "crontab") and mode & stat.S_ISGID:
        # CentOS has no such groups: what reads the shadow file there is set-uid root,
        # and ssh-agent needs no group since it forbids being traced.
        mode = mode & ~stat.S_ISGID | (0 if file.group == "_ssh" else stat.S_ISUID)
    return replace(
        file, path=path, content=content, mode=mode, flags=flags, group=group,
        user=owners.get(file.user, file.user), lang=language[1] if language else "",
    )
