"""The errors a person meets, each with the exit status that it ends the command with."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from host.urls import scrub


class CcisError(Exception):
    """Anything that ends a command with one clear message.

    what: what failed, one sentence without a final stop.
    where: the file and line, URL, step or path that caused it.
    why: the cause, as far as it is known.
    remedy: what to do about it.
    Whatever a library's own words were, URLs in them lose the user and password that they name.
    """

    exit_status = 1

    def __init__(
        self, what: str, *, where: str | None = None, why: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what = scrub(what)
        super().__init__(self.what)
        self.where, self.why, self.remedy = (text and scrub(text) for text in (where, why, remedy))

    def add_note(self, note: str, /) -> None:
        """Add a line that is shown below the message."""
        super().add_note(scrub(note))

    def __str__(self) -> str:
        """Return the message as a log or a test wants it: everything known on one line."""
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        parts += [part for part in (self.why, self.remedy) if part]
        return " – ".join(parts)


class CheckFailedError(CcisError):
    """The work was done and what it made does not pass a check (exit status 1)."""

    exit_status = 1


class InputError(CcisError):
    """A kickstart, YAML file, option or image that a person gave is wrong (exit status 2)."""

    exit_status = 2


class HostError(CcisError):
    """This host lacks something: a tool, a right, space, a kernel feature (exit status 3)."""

    exit_status = 3


class RemoteError(CcisError):
    """A mirror, registry or provider failed or lied (exit status 4)."""

    exit_status = 4


class ProgramError(HostError):
    """A program that we started ended with a failure.

    argv: the command line, ready to be pasted after quoting.
    status: its exit status; negative: the signal that killed it.
    tail: the last lines that it printed.
    """

    def __init__(self, argv: Sequence[str], status: int, tail: Sequence[str]) -> None:
        ending = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        super().__init__(f"{argv[0]} {ending}", why="; ".join(line.strip() for line in tail[-4:]))
        self.argv = [scrub(word) for word in argv]
        self.status = status
        self.tail = [scrub(line) for line in tail]


class LimitError(HostError):
    """A program went over a bound and was killed. bound: its name, such as "time"."""

    def __init__(self, bound: str, what: str, *, why: str | None = None) -> None:
        super().__init__(what, why=why)
        self.bound = bound


def from_os_error(error: OSError, doing: str) -> HostError:
    """Turn the operating system's refusal into a message with a remedy.

    doing: what was being done, as in "writing the disk image".
    """
    remedies = {
        errno.ENOSPC: "free some space there, or point CCIS_STORE or --out at a larger disk",
        errno.EDQUOT: "raise the quota, or point CCIS_STORE or --out at another disk",
        errno.EACCES: "run as root, or point CCIS_STORE and --out at folders you may write",
        errno.EPERM: "run as root",
        errno.EROFS: "point CCIS_STORE or --out at a file system that can be written",
    }
    return HostError(
        f"{doing} failed", where=str(error.filename) if error.filename else None,
        why=error.strerror or str(error), remedy=remedies.get(error.errno or 0),
    )
