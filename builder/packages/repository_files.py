"""What `repo --install` leaves in the image: a .repo file, and the key of what is known by name."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from builder.kickstart.read import Command
from builder.packages.repositories import Source
from host.errors import InputError

_WITHOUT_SPACES = ("RHEL7", "RHEL8", "RHEL9")
_PROXY_PORT = 3128


def option(data: Any, name: str) -> Any:
    """Return what an option says; None where this version of the language has no such option."""
    return getattr(data, name, None) or None


def has_address(command: Command) -> bool:
    """Say whether a `repo` line says where its repository is."""
    data = command.data
    return bool(data.baseurl or data.mirrorlist or option(data, "metalink"))


def place_of(name: str) -> str:
    """Return where the file of a repository lies in the image."""
    return f"/etc/yum.repos.d/{name}.repo"


def key_place_of(name: str) -> str:
    """Return where the key of a repository lies in the image."""
    return f"/etc/pki/rpm-gpg/RPM-GPG-KEY-{name}"


def repository_file(command: Command, dialect: str) -> str:
    """Return the .repo file of `repo --install`, with its variables as they stand.

    Anaconda writes one beside those of the release's packages and checks no signatures in it
    (pyanaconda/modules/payloads/payload/dnf/dnf_manager.py, generate_repo_file); until 9 with no
    spaces around `=`. dialect: the release's.
    """
    data = command.data
    equals, comma = ("=", ",") if dialect in _WITHOUT_SPACES else (" = ", ", ")
    settings: list[tuple[str, Any]] = [
        ("name", data.name), ("enabled", "1"),
        ("baseurl", data.baseurl), ("mirrorlist", data.mirrorlist),
        ("metalink", option(data, "metalink")),
        ("sslverify", "0" if option(data, "noverifyssl") else None),
        *((name, option(data, name)) for name in ("sslcacert", "sslclientcert", "sslclientkey")),
        *_proxy(option(data, "proxy"), command.where), ("cost", option(data, "cost")),
        ("includepkgs", comma.join(option(data, "includepkgs") or ())),
        ("excludepkgs", comma.join(option(data, "excludepkgs") or ())),
    ]
    lines = [f"{name}{equals}{value}\n" for name, value in settings
             if value not in (None, "", False)]
    return f"[{data.name}]\n{''.join(lines)}"


def _proxy(url: str | None, where: str) -> list[tuple[str, Any]]:
    """Return a proxy's settings: its address without name and password, which have their own.

    The port and scheme that are not said are those of Anaconda's ProxyString.
    """
    if not url:
        return []
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or _PROXY_PORT
    except ValueError as error:
        raise InputError("--proxy is no address", where=where, why=str(error)) from error
    return [("proxy", f"{parts.scheme}://{parts.hostname or ''}:{port}"),
            ("proxy_username", parts.username), ("proxy_password", parts.password)]


def named_file(title: str, source: Source, key: str | None) -> str:
    """Return the .repo file of a repository that is known by name.

    key: where its key lies in the image, for dnf to check signatures with; None: nobody vouches.
    """
    checks = (f"gpgcheck=1\nrepo_gpgcheck={int(source.signed_metadata)}\ngpgkey=file://{key}\n"
              if key else "gpgcheck=0\n")
    return (f"[{source.id}]\nname={title}\nenabled=1\nbaseurl={' '.join(source.urls)}\n{checks}")
