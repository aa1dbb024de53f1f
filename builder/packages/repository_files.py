"""What `repo --install` leaves in the image: a .repo file, and the key of what is known by name."""

from __future__ import annotations

from typing import Any

from builder.kickstart.read import Command
from builder.packages.repositories import Source


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


def repository_file(command: Command) -> str:
    """Return the .repo file of `repo --install`, with its variables as they stand.

    Anaconda writes one beside those of the release's packages and checks no signatures in it
    (pyanaconda/modules/payloads/payload/dnf/installation.py, WriteRepositoriesTask).
    """
    data = command.data
    settings: list[tuple[str, Any]] = [
        ("name", data.name), ("enabled", "1"),
        ("baseurl", data.baseurl), ("mirrorlist", data.mirrorlist),
        ("metalink", option(data, "metalink")),
        ("sslverify", "0" if option(data, "noverifyssl") else None),
        *((name, option(data, name)) for name in ("sslcacert", "sslclientcert", "sslclientkey")),
        ("proxy", option(data, "proxy")), ("cost", option(data, "cost")),
        ("includepkgs", ",".join(option(data, "includepkgs") or ())),
        ("excludepkgs", ",".join(option(data, "excludepkgs") or ())),
    ]
    lines = [f"{name}={value}\n" for name, value in settings if value not in (None, "", False)]
    return f"[{data.name}]\n{''.join(lines)}"


def named_file(title: str, source: Source, key: str | None) -> str:
    """Return the .repo file of a repository that is known by name.

    key: where its key lies in the image, for dnf to check signatures with; None: nobody vouches.
    """
    checks = (f"gpgcheck=1\nrepo_gpgcheck={int(source.signed_metadata)}\ngpgkey=file://{key}\n"
              if key else "gpgcheck=0\n")
    return (f"[{source.id}]\nname={title}\nenabled=1\nbaseurl={' '.join(source.urls)}\n{checks}")
