"""Which variables of the caller's shell come in, and which of them a program gets to see.

Nothing of a shell may change a byte of an image. What is let through is listed here with the reason
why it can't, or where it is part of a digest; everything else stays outside (host/clean_room.py).
"""

from __future__ import annotations

import os
import site
from collections.abc import Mapping
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for: cron's PATH lacks sbin, and a person's own may begin with a
folder of wrappers. See search_path()."""

PROXIES = tuple(
    name for kind in ("http", "https", "ftp", "all", "no")
    for name in (f"{kind}_proxy", f"{kind.upper()}_PROXY")
)
"""How a mirror is reached. What comes from there is checked by digest and signature."""

AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Who vouches for a mirror's name; as above."""

PINENTRY = ("GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS")
"""Where GnuPG's agent asks for a passphrase. Only signing has it."""

EUCARC = ("EC2_CERT", "EC2_PRIVATE_KEY", "EC2_USER_ID", "EUCALYPTUS_CERT")
"""Whom a Eucalyptus bundle is for: in the digest of that format (its identity())."""

_SCREEN = ("TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CI")
"""How our own messages look. No program gets them."""

_NAMES = frozenset({
    *PROXIES, *AUTHORITIES, *PINENTRY, *EUCARC, *_SCREEN,
    "SOURCE_DATE_EPOCH",  # an input of the first step, "source date"
    "GNUPGHOME",  # whose keys sign; an artefact is not touched by that
})
# CCIS_: places and limits. The others name the appliance that writes and reads disks for us: the
# engine's identity() is in the digest of the disk, and its kernel's disks are not promised to be
# the same in every byte (docs/reproducible.md).
_FAMILIES = ("CCIS_", "LIBGUESTFS_", "SUPERMIN_")
_PLACES = ("CCIS_STORE", "CCIS_CACHE")

WORK = "_CCIS_WORK"
"""Where the folder is that this process has for temporary files, for workers of our own."""

_LANGUAGE = {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8", "TZ": "UTC"}


def ours(outside: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of our own process, made of the one that the caller gave us.

    HOME stays the caller's, if it is a folder: keys and a user's own cache are found by it; no
    program gets it. Relative names of our folders are made absolute.
    """
    kept = {name: value for name, value in outside.items()
            if name in _NAMES or name.startswith(_FAMILIES)}
    for name in _PLACES:
        if kept.get(name):
            kept[name] = str(Path(kept[name]).absolute())
    home = outside.get("HOME", "")
    if home.startswith("/") and os.path.isdir(home):  # noqa: PTH112 – does not raise (EACCES)
        kept["HOME"] = home
    return {**kept, **_LANGUAGE, "PATH": search_path(outside), **_python(outside)}


def of_programs(work: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what every program that we start has for an environment, whoever started us.

    work: an empty folder of this process, for temporary files and as a home.
    """
    return {
        "PATH": search_path(environment), "HOME": str(work), "TMPDIR": str(work), "TERM": "dumb",
        **_LANGUAGE,
    }


def of_connections(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what a program that fetches needs to know besides: proxies, authorities."""
    return {name: environment[name] for name in (*PROXIES, *AUTHORITIES) if name in environment}


def of_workers(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what a process of our own code needs besides: places, limits, the appliance's."""
    return {name: value for name, value in environment.items()
            if name in ("PYTHONPATH", "PYTHONNOUSERSITE", "XDG_RUNTIME_DIR", WORK)
            or name.startswith(_FAMILIES)}


def of_agents(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what GnuPG needs besides, to ask a person for a passphrase."""
    return {name: environment[name] for name in PINENTRY if name in environment}


def search_path(environment: Mapping[str, str]) -> str:
    """Return where programs are looked for: CCIS_PATH, or the system's own folders.

    A PATH that has none of these comes from a host that keeps its programs elsewhere (NixOS), and
    counts. Relative folders never do.
    """
    for name in ("CCIS_PATH", "PATH"):
        named = [part for part in environment.get(name, "").split(":") if part.startswith("/")]
        if named and (name == "CCIS_PATH" or not set(named) & set(PATH.split(":"))):
            return ":".join(named)
    return PATH


def _python(outside: Mapping[str, str]) -> dict[str, str]:
    """Return the interpreter's variables: of modules, only what we are ourselves made of.

    A module in ~/.local would else come before those that the venv and the system have.
    """
    here = str(Path(__file__).parents[1])
    found = {}
    if here in outside.get("PYTHONPATH", "").split(":"):
        found["PYTHONPATH"] = here
    if not here.startswith(site.getusersitepackages()):
        found["PYTHONNOUSERSITE"] = "1"
    return found
