"""Checks signatures against the keys that a reader trusts, and no others."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from host import openpgp
from host.errors import InputError
from host.files import read_regular
from publish import armour

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
_FILE_BYTES_MAX = 4 << 20


class SignatureError(Exception):
    """A signature proves nothing; the text says why, as the end of a sentence."""


@dataclass(frozen=True)
class Keyring:
    """Trusted public keys in a file that is thrown away. fingerprints: of primary keys."""

    ring: Path
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
        lines, content, status = openpgp.verify(self.ring, text)
        valid = self._judge(lines, status)
        return content.decode("utf-8"), valid

    def detached(self, content: bytes, signature: bytes) -> None:
        """Raise SignatureError unless `signature` is a trusted key's for `content`."""
        if not armour.is_canonical(signature.decode("ascii", errors="replace")):
            raise SignatureError("it is not one armoured signature and nothing else")
        lines, _, status = openpgp.verify(self.ring, signature, content)
        self._judge(lines, status)

    def own_past(self, content: bytes, signature: bytes, *, revoked_too: bool = False) -> bool:
        """Do what detached() does, judged by the time at which the signature was made.

        That is for whoever carries on what he signed himself: a key that has expired since then
        was good. A reader must not judge so: who has an expired key can put any date into a
        signature. revoked_too: take the signature of a key that has been revoked; return whether
        it has been.
        """
        if not armour.is_canonical(signature.decode("ascii", errors="replace")):
            raise SignatureError("it is not one armoured signature and nothing else")
        lines, _, status = openpgp.verify(self.ring, signature, content)
        said = {words[0]: words for words in lines}
        if "VALIDSIG" in said and said.keys() & {"EXPSIG", "EXPKEYSIG"}:
            lines, _, status = openpgp.verify(self.ring, signature, content,
                                              at=said["VALIDSIG"][3])
        revoked = "REVKEYSIG" in said
        self._judge(lines, status, without="REVKEYSIG" if revoked and revoked_too else None)
        return revoked

    def _judge(
        self, lines: Sequence[Sequence[str]], status: int, *, without: str | None = None,
    ) -> frozenset[str]:
        """Return the fingerprints of those who signed; raise SignatureError for anybody else."""
        valid: set[str] = set()
        missing = any(words[0] == "NO_PUBKEY" for words in lines)
        for words in lines:
            if words[0] in _REASONS and words[0] != without:
                # NO_PUBKEY comes after the ERRSIG that it explains.
                raise SignatureError(_REASONS["NO_PUBKEY" if missing else words[0]])
            if words[0] == "VALIDSIG" and words[8] in _WEAK_DIGESTS:
                raise SignatureError("its signature rests on a digest that can be forged")
            if words[0] == "VALIDSIG":
                valid.add(words[-1])  # the primary key's fingerprint, also for a subkey
        if (status != 0 and not without) or not valid or not valid <= self.fingerprints:
            raise SignatureError("it has no signature by the trusted key")
        return frozenset(valid)


@contextmanager
def keyring(key: bytes, fingerprint: str | None = None) -> Iterator[Keyring]:
    """Yield the keyring of one armoured public key.

    fingerprint: the key must have this one. Raises SignatureError where `key` is no such key.
    """
    if not armour.is_canonical(key.decode("ascii", errors="replace")):
        raise SignatureError("it is not one armoured public key and nothing else")
    with _ring(key, "") as (ring, found):
        if fingerprint is not None and found != {fingerprint}:
            raise SignatureError(f"it holds the key {', '.join(sorted(found))}, not {fingerprint}")
        if len(found) > 1:
            raise SignatureError(f"it holds {len(found)} keys: {', '.join(sorted(found))}")
        yield Keyring(ring, found)


@contextmanager
def keyring_of_file(path: Path, fingerprint: str | None = None) -> Iterator[Keyring]:
    """Yield the keyring of a file that the user trusts, binary or armoured.

    Without a fingerprint all keys in it are trusted. Raises InputError where it holds no key, a
    secret one, or not exactly the one of `fingerprint`.
    """
    if not path.is_file():
        raise InputError("is not a file with a public key", where=str(path))
    with ExitStack() as stack:
        try:
            ring, found = stack.enter_context(
                _ring(read_regular(path, _FILE_BYTES_MAX), str(path)))
        except SignatureError as error:
            raise InputError(str(error), where=str(path)) from error
        if fingerprint is not None and fingerprint not in found:
            raise InputError(f"does not hold the key {fingerprint}", where=str(path))
        if fingerprint is not None and len(found) > 1:
            raise InputError(
                f"holds {len(found)} keys, not {fingerprint} alone", where=str(path),
                why=", ".join(sorted(found)),
                remedy=f"gpg --export {fingerprint} makes a file of one")
        yield Keyring(ring, found)


@contextmanager
def _ring(content: bytes, where: str) -> Iterator[tuple[Path, frozenset[str]]]:
    """Yield a keyring of all keys in a file, and their fingerprints."""
    with tempfile.TemporaryDirectory(prefix="ccis-trust-") as folder:
        ring = Path(folder, "keys.gpg")
        try:
            found = openpgp.keyring(content, where, ring)
        except InputError as error:
            raise SignatureError(f"it {error.what}") from error
        if not found:
            raise SignatureError("it is not a usable public key")
        yield ring, found
