"""Proofs on the repositories that dnf in the image is told of."""

from __future__ import annotations

from urllib.parse import urlsplit

from host.patterns import pattern
from specs.kinds.rpm import Repositories
from validate.checks.settings import ini
from validate.registry import Finding, proves, verdict
from validate.view import View

_FILES = "/etc/yum.repos.d/*.repo"
_URLS = ("baseurl", "metalink", "mirrorlist")
_TRUE = ("1", "true", "yes", "on")


@proves(Repositories)
def repositories(check: Repositories, view: View) -> Finding:
    """Read every .repo file, and what of it is enabled."""
    found: dict[str, dict[str, str]] = {}
    for entry in view.tree.find(_FILES):
        for section, key, value in ini(view, entry.path):
            found.setdefault(section, {})[key] = value
    expected = ", ".join(check.enabled) or "repositories of the release"
    if not found:
        return Finding(False, "no repository", expected)
    enabled = {name: one for name, one in found.items()
               if one.get("enabled", "1").lower() in _TRUE}
    wrong = []
    if check.enabled and set(enabled) != set(check.enabled):
        wrong.append(f"enabled: {', '.join(sorted(enabled))}")
    for name, one in enabled.items():
        if check.names and not pattern(check.names).fullmatch(one.get("name", "")):
            wrong.append(f"{name} is called {one.get('name')}")
        urls = [url for key in _URLS for url in one.get(key, "").split()]
        for url in urls:
            wrong += _url_faults(check, name, url)
        if check.keys:
            wrong += _key_faults(view, name, one)
        if check.checked and one.get("gpgcheck", "").lower() not in _TRUE \
                and not _main_checks(view):
            wrong.append(f"{name}: no gpgcheck=1, neither here nor in dnf.conf")
    return verdict(wrong, ", ".join(sorted(enabled)), expected)


def _url_faults(check: Repositories, name: str, url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return [f"{name}: {url} is no URL"]
    if check.schemes and parts.scheme not in check.schemes:
        return [f"{name}: {url}"]
    if check.hosts and not any(pattern(each).fullmatch(host) for each in check.hosts):
        return [f"{name}: {url}"]
    return []


def _key_faults(view: View, name: str, one: dict[str, str]) -> list[str]:
    keys = one.get("gpgkey", "").split()
    if not keys:
        return [f"{name} names no gpgkey"]
    wrong = []
    for key in keys:
        path = key.removeprefix("file://")
        path = path.replace("$releasever", (view.version or "").partition(".")[0])
        if not key.startswith("file://") or view.tree.resolve(path) is None:
            wrong.append(f"{name}: {key} is not there")
        elif "BEGIN PGP PUBLIC KEY" not in (view.text(path) or ""):
            wrong.append(f"{name}: {key} is no key")
    return wrong


def _main_checks(view: View) -> bool:
    return any(section == "main" and key == "gpgcheck" and value.lower() in _TRUE
               for section, key, value in ini(view, "/etc/dnf/dnf.conf"))
