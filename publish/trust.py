"""Checks signatures against the keys that a reader trusts, and no others."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from host.errors import InputError
from publish import armour
from publish.gpg import Gpg

_REASONS = {
    "BADSIG": "its signature does not match its content",
    "EXPSIG": "its signature has expired",
    "EXPKEYSIG": "the key that signed it has expired",
    "REVKEYSIG": "the key that signed it has been revoked",
    "NO_PUBKEY": "it is signed by another key than the trusted one",
    "ERRSIG": "its signature can't be checked",
    "NODATA": "it has no signature",
}


# Numbers of RFC 4880, 9.4: MD5, SHA-1, RIPE-MD/160.
_WEAK_DIGESTS = ("1", "2", "3")


class SignatureError(Exception):
    """A signature proves nothing; the text says why, as the end of a sentence."""


@dataclass(frozen=True)
class Keyring:
    """Trusted public keys in a GnuPG home that is thrown away. fingerprints: of primary keys."""

    gpg: Gpg
    fingerprints: frozenset[str]

    def clear_signed(self, text: bytes) -> str:
        """Return what a clear-signed text says; raises SignatureError unless a trusted key signed.

        Only what the signature covers comes back, never a line before or after it.
        """
        return self.clear_signed_by(text)[0]

    def clear_signed_by(self, text: bytes) -> tuple[str, frozenset[str]]:
        """Return what a clear-signed text says, and whose keys signed it (their fingerprints)."""
        try:
            decoded = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise SignatureError("it is not text") from error
        if not armour.is_canonical_clear(decoded):
            raise SignatureError("it is not one clear-signed text and nothing else")
        signed, content = self.gpg.home / "signed", self.gpg.home / "content"
        signed.write_bytes(text)
        content.unlink(missing_ok=True)
        valid = self._check(["--output", content, "--decrypt", signed])
        return content.read_text(encoding="utf-8"), valid

    def detached(self, content: bytes, signature: bytes) -> None:
        """Raise SignatureError unless `signature` is a trusted key's for `content`."""
        if not armour.is_canonical(signature.decode("ascii", errors="replace")):
            raise SignatureError("it is not one armoured signature and nothing else")
        signed, beside = self.gpg.home / "signed", self.gpg.home / "signed.asc"
        signed.write_bytes(content)
        beside.write_bytes(signature)
        self._check(["--verify", beside, signed])

    def own_past(self, content: bytes, signature: bytes, *, revoked_too: bool = False) -> bool:
        """Do what detached() does, judged by the time at which the signature was made.

        That is for whoever carries on what he signed himself: a key that has expired since then
        was good. A reader must not judge so: who has an expired key can put any date into a
        signature. revoked_too: take the signature of a key that has been revoked; return whether
        it has been.
        """
        if not armour.is_canonical(signature.decode("ascii", errors="replace")):
            raise SignatureError("it is not one armoured signature and nothing else")
        signed, beside = self.gpg.home / "signed", self.gpg.home / "signed.asc"
        signed.write_bytes(content)
        beside.write_bytes(signature)
        words: list[str | Path] = ["--verify", beside, signed]
        said = self.gpg.public(["--trust-model", "always", *words], check=False).stdout
        made = re.search(r"^\[GNUPG:\] VALIDSIG [0-9A-F]+ [0-9-]+ ([0-9]+) ", said, re.M)
        if made is not None and re.search(r"^\[GNUPG:\] EXP(KEY)?SIG ", said, re.M):
            words = ["--faked-system-time", f"{made[1]}!", *words]
        revoked = "\n[GNUPG:] REVKEYSIG " in f"\n{said}"
        self._check(words, without="REVKEYSIG" if revoked and revoked_too else None)
        return revoked

    def _check(
        self, words: list[str | Path], *, without: str | None = None,
    ) -> frozenset[str]:
        said = self.gpg.public(["--trust-model", "always", *words], check=False)
        valid: set[str] = set()
        for line in said.stdout.splitlines():
            fields = line.removeprefix("[GNUPG:] ").split()
            if not line.startswith("[GNUPG:] ") or not fields:
                continue
            if fields[0] in _REASONS and fields[0] != without:
                # NO_PUBKEY comes after the ERRSIG that it explains.
                missing = "[GNUPG:] NO_PUBKEY" in said.stdout
                raise SignatureError(_REASONS["NO_PUBKEY" if missing else fields[0]])
            if fields[0] == "VALIDSIG" and fields[8] in _WEAK_DIGESTS:
                raise SignatureError("its signature rests on a digest that can be forged")
            if fields[0] == "VALIDSIG":
                valid.add(fields[-1])  # the primary key's fingerprint, also for a subkey
        if (said.status != 0 and not without) or not valid or not valid <= self.fingerprints:
            raise SignatureError("it has no signature by the trusted key")
        return frozenset(valid)


@contextmanager
def keyring(key: bytes, fingerprint: str | None = None) -> Iterator[Keyring]:
    """Yield the keyring of one armoured public key.

    fingerprint: the key must have this one. Raises SignatureError where `key` is no such key.
    """
    if not armour.is_canonical(key.decode("ascii", errors="replace")):
        raise SignatureError("it is not one armoured public key and nothing else")
    with _home() as gpg:
        source = gpg.home / "key.asc"
        source.write_bytes(key)
        found = _imported(gpg, source)
        if fingerprint is not None and found != {fingerprint}:
            raise SignatureError(f"it holds the key {', '.join(sorted(found))}, not {fingerprint}")
        if len(found) > 1:
            raise SignatureError(f"it holds {len(found)} keys: {', '.join(sorted(found))}")
        yield Keyring(gpg, found)


@contextmanager
def keyring_of_file(path: Path, fingerprint: str | None = None) -> Iterator[Keyring]:
    """Yield the keyring of a file that the user trusts, binary or armoured.

    Without a fingerprint all keys in it are trusted. Raises InputError where it holds no key, a
    secret one, or not exactly the one of `fingerprint`.
    """
    if not path.is_file():
        raise InputError("is not a file with a public key", where=str(path))
    with _home() as gpg:
        try:
            found = _imported(gpg, path)
        except SignatureError as error:
            raise InputError(str(error), where=str(path)) from error
        if fingerprint is not None and fingerprint not in found:
            raise InputError(f"does not hold the key {fingerprint}", where=str(path))
        if fingerprint is not None and len(found) > 1:
            raise InputError(
                f"holds {len(found)} keys, not {fingerprint} alone", where=str(path),
                why=", ".join(sorted(found)),
                remedy=f"gpg --export {fingerprint} makes a file of one")
        yield Keyring(gpg, found)


@contextmanager
def _home() -> Iterator[Gpg]:
    with tempfile.TemporaryDirectory(prefix="ccis-trust-") as folder:
        yield Gpg(Path(folder))


def _imported(gpg: Gpg, source: Path) -> frozenset[str]:
    listing = gpg.public(["--with-colons", "--show-keys", source], check=False).stdout
    if any(line.startswith(("sec:", "ssb:")) for line in listing.splitlines()):
        raise SignatureError("it holds a secret key, where a public key belongs")
    gpg.public(["--import", source], check=False)
    found = frozenset(gpg.fingerprints())
    if not found:
        raise SignatureError("it is not a usable public key")
    return found
