"""Runs GnuPG in a home folder of the caller's choice, and leaves no agent behind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from host.errors import ProgramError
from host.locks import locked
from host.places import cache_folder
from host.run import Completed, run
from host.variables import of_agents

_GPG = ["gpg", "--no-options", "--batch", "--no-tty", "--no-greeting", "--status-fd", "1"]


@dataclass(frozen=True)
class Gpg:
    """GnuPG with its keys in `home`; every call may raise ProgramError."""

    home: Path

    @property
    def _environment(self) -> dict[str, str]:
        return {"GNUPGHOME": str(self.home)}

    def public(self, words: Sequence[str | Path], *, check: bool = True) -> Completed:
        """Run gpg for work that needs public keys alone: no agent is started."""
        return run([*_GPG, "--no-autostart", *words], env=self._environment, check=check)

    def secret(self, words: Sequence[str | Path]) -> Completed:
        """Run gpg for work that needs secret keys, through the agent of that home.

        An agent that runs already, with a passphrase that somebody typed, is used and left
        alone. Otherwise one is started as our own child, which ends when we do, however we end.
        """
        with self._alone():
            if self._agent_runs():
                return run([*_GPG, *words], env={**self._environment, **of_agents()})
            try:
                return run(["gpg-agent", "--quiet", "--daemon", "--", *_GPG, *words],
                           env={**self._environment, **of_agents()})
            finally:
                run(["gpgconf", "--kill", "gpg-agent"], env=self._environment, check=False)

    def socket(self) -> str:
        """Return where the agent of that home listens, or would."""
        return run(["gpgconf", "--list-dirs", "agent-socket"], env=self._environment,
                   ).stdout.strip()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others of us from using the agent that we are about to stop."""
        name = hashlib.sha256(str(self.home.resolve()).encode()).hexdigest()[:16]
        with locked(cache_folder() / "locks" / f"gpg-{name}"):
            yield

    def _agent_runs(self) -> bool:
        asked = run(["gpg-connect-agent", "--no-autostart", "/bye"], env=self._environment,
                    check=False)
        return asked.status == 0 and "no gpg-agent running" not in asked.stderr

    def validity(self, key: str) -> str:
        """Return gpg's letter for the validity of a public key, such as "e": it has expired."""
        listing = self.public(["--list-keys", "--with-colons", key], check=False).stdout
        return next((line.split(":")[1] for line in listing.splitlines()
                     if line.startswith("pub:")), "")

    def fingerprints(self, *, secret: bool = False, key: str | None = None) -> list[str]:
        """Return the fingerprints of the primary keys there are, or of those that `key` names."""
        kind, first = ("--list-secret-keys", "sec") if secret else ("--list-keys", "pub")
        words = [kind, "--with-colons", *([key] if key else [])]
        try:
            listing = self.secret(words) if secret else self.public(words)
        except ProgramError as error:
            if error.status == 2:  # gpg knows no such key
                return []
            raise
        return _primary_fingerprints(listing.stdout, first)


def _primary_fingerprints(listing: str, first: str) -> list[str]:
    """Return the fingerprint that follows each primary key's line of a --with-colons listing."""
    found: list[str] = []
    awaited = False
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] == first:
            awaited = True
        elif fields[0] == "fpr" and awaited:
            found.append(fields[9])
            awaited = False
    return found
