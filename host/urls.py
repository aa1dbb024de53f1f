"""URLs as they may be recorded, logged or shown: without what lets anybody in."""

from __future__ import annotations

import re
import urllib.request
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

MASK = "…"

# From "://" on, as far as a URL may go in running text.
_TOKEN = re.compile(r"://[^\s\"<>]+")
_USER = re.compile(r"[^\s/:@]{1,200}:[^\s/@]{1,200}@")
_PARAMETER = re.compile(r"([?&;#])([^=&;#?]{1,200})=([^&;#]*)")
_NAMES = ("token", "secret", "passw", "passphrase", "pwd", "signature", "credential", "apikey",
          "api_key", "api-key", "access_key", "accesskey", "access-key", "authorization", "session")
_WHOLE_NAMES = ("sig", "key", "auth", "pass", "sas", "code", "jwt")


def shown(url: str) -> str:
    """Return a URL or proxy without user, password and the query's secrets, to be shown or kept.

    Its path stays, whatever is in it.
    """
    if "://" in url:
        return scrub(url)
    authority, slash, rest = url.partition("/")
    return scrub_query(_USER.sub("", f"{authority.rpartition('@')[2]}{slash}{rest}"))


def scrub(text: str) -> str:
    """Return any text with every URL in it as shown() has it; in time linear in its length."""
    if "://" not in text:
        return text
    return _TOKEN.sub(lambda found: scrub_query("://" + _without_user(found[0][3:])), text)


def scrub_query(url: str) -> str:
    """Return a URL with the values masked that its parameters' names say are secrets.

    Names are compared as they are meant, %74oken as token; a value that is a URL with a user in
    it, however it is encoded, is masked, too.
    """
    def masked(found: re.Match[str]) -> str:
        name, value = unquote(found[2]).lower(), unquote(found[3])
        secret = (name in _WHOLE_NAMES or any(part in name for part in _NAMES)
                  or ("://" in value and "@" in value))
        return f"{found[1]}{found[2]}={MASK}" if secret else found[0]

    return _PARAMETER.sub(masked, url) if "=" in url else url


def split_user(url: str) -> tuple[str, str | None, str]:
    """Return a URL without its user, and user and password as they are meant (decoded).

    The user is None when it names none.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url, None, ""
    bare = _without_user(rest)
    if bare == rest:
        return url, None, ""
    user, _, password = rest[:len(rest) - len(bare) - 1].partition(":")
    return f"{scheme}://{bare}", unquote(user), unquote(password)


def through(url: str, proxy: str | None = None) -> str:
    """Return the words that name the proxy that a URL is asked through; none without one.

    proxy: the one that is set; None: whatever the environment says.
    """
    used = proxy
    if used is None:
        parts = urlsplit(url)
        proxies = urllib.request.getproxies()
        if not urllib.request.proxy_bypass(parts.hostname or ""):
            used = proxies.get(parts.scheme) or proxies.get("all")
    return f" (through the proxy {shown(used)})" if used else ""


def is_inside(place: str) -> bool:
    """Say whether a place in a repository, as its index has it, is below the repository's URL."""
    path = PurePosixPath(place)
    return bool(place) and not path.is_absolute() and ".." not in path.parts and "://" not in place


def _without_user(rest: str) -> str:
    """Return what follows `user:password@` behind the scheme's "://".

    A password with a `/` in it, which should have been %2F, hides the @ behind it; what is in the
    place of a port is no number then.
    """
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        return authority.rpartition("@")[2] + rest[len(authority):]
    port = authority.rpartition("]")[2].partition(":")
    if port[1] and port[2] and not port[2].isdigit() and "@" in rest:
        return rest.rpartition("@")[2]
    return rest
