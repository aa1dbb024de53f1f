"""Why a file did not come: what librepo says of a mirror, as a cause, with a remedy.

librepo tells a mirror's failure as a sentence (lr_mirror_failure_cb of its downloader): a status of
HTTP, an error of libcurl by its number (libcurl-errors(3)), or a checksum or size that is wrong.
"""

from __future__ import annotations

import http
import re
from collections.abc import Sequence
from dataclasses import dataclass

from host.patience import PASSING_STATUS, Kind, Patience
from host.urls import shown, through

_STATUS = re.compile(r"Status code: (\d+)")
_CURL = re.compile(r"Curl error \((\d+)\): (?P<what>.*?) for .*?(?: \[(?P<more>[^\]]*)\])?$", re.S)
_CHECKSUM = re.compile(r"checksum doesn't match\. Calculated: (\S+?)\((\w+)\)\s+Expected: (\S+?)\(")
_LENGTH = re.compile(r"Content-Length: (\d+), .*length: (\d+)")
_MISSING = re.compile(r"with (\d+) (?:out of \d+ )?bytes (?:remaining|missing)")
_SLOW = re.compile(r"Less than (\d+) bytes/sec transferred the last (\d+) seconds")

_PARTIAL, _WRITING, _TIMEOUT, _ABORTED = 18, 23, 28, 42
_NAMES = {5: "the proxy's name is not known", 6: "the host's name is not known"}
_FINAL = (1, 3, 9, 35, 51, 53, 54, 58, 59, 60, 66, 67, 77, 78, 80, 82, 83, 90, 91, 94, 98)
"""No such protocol, no URL, no leave, what is wrong with TLS, a certificate or a login."""

_LATER = "run again later, or name another mirror"


@dataclass(frozen=True)
class Cause:
    """Why one URL gave nothing. text: what the other side did, without a final stop.

    is_ours: it is this host that failed.
    """

    url: str
    text: str
    kind: Kind
    remedy: str
    is_ours: bool = False

    def __str__(self) -> str:
        return f"{shown(self.url)} {self.text}"


def cause_of(url: str, said: str, proxy: str | None, patience: Patience) -> Cause:
    """Return the cause that librepo's words about a URL stand for.

    proxy: of its repository, None for the environment's; the one in use is named.
    """
    proxied = through(url, proxy)
    if status := _STATUS.search(said):
        return _of_status(url, int(status[1]), proxied)
    if wrong := _CHECKSUM.search(said):
        return Cause(url, f"has another checksum than its index says: {wrong[2]} {wrong[1]}, "
                     f"expected {wrong[3]}", "slow",
                     f"the mirror is being changed, or lies: {_LATER}")
    if wrong := _LENGTH.search(said):
        return Cause(url, f"has {wrong[1]} bytes, its index says {wrong[2]}", "slow",
                     f"the mirror is being changed, or lies: {_LATER}")
    if curl := _CURL.search(said):
        number, more = int(curl[1]), curl["more"] or curl["what"]
        if number == _WRITING:
            return disk_full(url)
        text, kind, remedy = _of_curl(number, more, patience)
        if proxied and kind != "final":
            remedy = "check the proxy: http_proxy and its kin, or --proxy of the kickstart's line"
        return Cause(url, f"{text}{proxied}", kind, remedy)
    return Cause(url, f"failed{proxied}: {said}", "passing", _LATER)


def too_large(url: str, limit_bytes: int) -> Cause:
    """Return the cause of a file that went over its limit."""
    return Cause(url, f"is larger than {limit_bytes >> 20} MiB", "final", "is it the right URL?")


def disk_full(url: str) -> Cause:
    """Return the cause of a file that this host has no room for."""
    return Cause(url, "can't be kept here: the disk is full", "final",
                 "free some space, or point CCIS_STORE at a larger disk", is_ours=True)


def _of_status(url: str, status: int, through: str) -> Cause:
    try:
        name = f" {http.HTTPStatus(status).phrase}"
    except ValueError:
        name = ""
    kind: Kind = "passing" if status in PASSING_STATUS else "final"
    remedy = {
        401: "give the URL a user and a password", 403: "it wants a login, or refuses this host",
        404: "check the path, or name another mirror", 407: "give the proxy a user and a password",
    }.get(status, _LATER)
    return Cause(url, f"answered {status}{name}{through}", kind, remedy)


def _of_curl(number: int, more: str, patience: Patience) -> tuple[str, Kind, str]:
    if number in _NAMES:
        return _NAMES[number], "slow", "check its spelling, and this host's DNS"
    if number == _PARTIAL:
        missing = _MISSING.search(more)
        return (f"broke off: {missing[1]} bytes are missing" if missing else f"broke off: {more}",
                "passing", _LATER)
    if number == _TIMEOUT:
        slow = _SLOW.search(more)
        text = (f"stalled: less than {slow[1]} bytes a second for {slow[2]} s" if slow
                else f"did not answer within {patience.connect_s} s" if "onnect" in more
                else f"took too long: {more}")
        return text, "slow", f"{_LATER}; %packages --timeout waits longer"
    if number == _ABORTED:
        return ("came too slowly: it took longer than its size allows", "slow",
                f"{_LATER}; %packages --timeout waits longer")
    if number in _FINAL:
        return f"can't be read: {more}", "final", "check the URL, and its certificates"
    dead = number == 7
    return f"can't be reached: {more}" if dead else f"broke off: {more}", (
        "slow" if dead else "passing"), _LATER


def summary(causes: Sequence[Cause]) -> str:
    """Return causes as one text, each said once, in the order in which they came."""
    return "; ".join(dict.fromkeys(map(str, causes)))
