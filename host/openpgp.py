"""Public keys in files: a file holds exactly one key, or it is refused.

Programs that are given a file of keys take all that is in it: rpm imports each key that it finds,
and counts any of them. So a file is read by GnuPG, in a home of its own, and what is handed on is
not the file but the one key that was found and checked, in one armoured block.
"""

from __future__ import annotations

import base64
import errno
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from host.errors import HostError, InputError, from_os_error
from host.run import run

_GPG = ("gpg", "--no-options", "--batch", "--no-tty", "--no-autostart", "--quiet", "--no-keyring")
# doc/DETAILS of GnuPG, field 2 of pub and sub: why a key is not to be used.
_UNFIT = {"r": "has been revoked", "e": "has expired", "d": "is disabled", "i": "is not valid"}


# Armour as gpg writes it; RFC 9580, 6.2, leaves the check sum to whoever likes it.
_BLOCK = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\n(?:[^\n]+: [^\n]*\n)*\n"
    r"([A-Za-z0-9+/=\n]+?)\n(?:=[A-Za-z0-9+/]{4}\n)?-----END")


@dataclass(frozen=True)
class PublicKey:
    """One primary key with its own subkeys. armoured: it alone, as gpg exports it.

    key_ids: the last 16 digits of the fingerprints of the key and of its subkeys.
    """

    fingerprint: str
    key_ids: frozenset[str]
    armoured: str


@dataclass
class _Listed:
    kind: str
    validity: str
    fingerprint: str = ""


def only_key(
    content: bytes, where: str, fingerprint: str | None = None, trusted: str = "you name",
) -> PublicKey:
    """Return the one public key that is in a file, armoured or binary.

    fingerprint: of the primary key that it must be; None: whichever it is. trusted: who says so.
    Raises InputError, with `where`, when there is none or more than one, when it is a secret key,
    when it has expired or been revoked, and when it is another than the fingerprint's; HostError
    when this host can't tell.
    """
    with tempfile.TemporaryDirectory(prefix="ccis-key-") as home:
        listed = list(_listed(_gpg(home, ["--with-colons", "--show-keys"], content)))
        if any(one.kind in ("sec", "ssb") for one in listed):
            raise InputError("the file holds a secret key, where a public key belongs", where=where,
                             remedy="keep it away from others, and give what gpg --export prints")
        primary = [one for one in listed if one.kind == "pub"]
        expected = f"expected {fingerprint}, " if fingerprint else ""
        found = ", ".join(one.fingerprint for one in primary) or "no key"
        if len(primary) > 1:
            raise InputError(
                f"the file holds {len(primary)} keys, and all of them would be trusted",
                where=where, why=f"{expected}found {found}",
                remedy="do not use it; find out who serves it, or give a file with one key")
        if not primary or (fingerprint is not None and primary[0].fingerprint != fingerprint):
            raise InputError(
                f"the key is not the one that {trusted}", where=where,
                why=f"{expected}found {found}",
                remedy="do not use it; find out who serves this key")
        if primary[0].validity in _UNFIT:
            raise InputError(f"the key {_UNFIT[primary[0].validity]}", where=where, why=found,
                             remedy="find out which key has taken its place")
        armoured = _gpg(home, ["--armor", "--import-options", "import-export,import-minimal",
                               "--import"], content)
        again = [one for one in _listed(_gpg(home, ["--with-colons", "--show-keys"],
                                             armoured.encode())) if one.kind == "pub"]
    if [one.fingerprint for one in again] != [primary[0].fingerprint]:
        raise InputError("the key can't be taken out of its file", where=where, why=found)
    ids = frozenset(one.fingerprint[-16:] for one in listed)
    return PublicKey(primary[0].fingerprint, ids, armoured)


def keyring(content: bytes, where: str, ring: Path) -> frozenset[str]:
    """Write all public keys of a file, armoured or binary, into a keyring as gpgv(1) wants one.

    Nothing is imported into a home. Returns the fingerprints of the primary keys, none if there
    is no key, whatever their state: gpgv tells that of a key that has expired or been revoked.
    Raises InputError, with `where`, for a file with a secret key, HostError when this host can't
    tell.
    """
    with tempfile.TemporaryDirectory(prefix="ccis-key-") as home:
        if any(one.kind in ("sec", "ssb") for one in _listed(
                _gpg(home, ["--with-colons", "--show-keys"], content))):
            raise InputError("holds a secret key, where a public key belongs", where=where)
        armoured = _gpg(home, ["--armor", "--import-options", "import-export", "--import"], content)
        raw = b"".join(base64.b64decode(body) for body in _BLOCK.findall(armoured))
        with _room_to_write(str(ring)):
            ring.write_bytes(raw)
        listed = list(_listed(_gpg(home, ["--with-colons", "--show-keys"], raw)))
    return frozenset(one.fingerprint for one in listed if one.kind == "pub")


def verify(
    ring: Path, signature: bytes, content: bytes | None = None, *, at: str | None = None,
) -> tuple[list[list[str]], bytes, int]:
    """Check a signature with the keys of keyring() and no others: by gpgv, which knows no more.

    signature: detached, of `content`; or a clear-signed text. at: judge as of this time, in
    seconds since 1970, which only gpg can.
    Returns gpgv's status lines as words (doc/DETAILS of GnuPG), what a clear-signed text says, and
    the exit status; that is 0 for expired and for revoked keys, too, so read the lines. Raises
    HostError when this host can't check: that is no word about the signature.
    """
    with tempfile.TemporaryDirectory(prefix="ccis-signed-") as home:
        signed, beside, said = Path(home, "signed"), Path(home, "content"), Path(home, "said")
        with _room_to_write(home):
            signed.write_bytes(signature)
            if content is not None:
                beside.write_bytes(content)
        program: list[str | Path] = ["gpgv"] if at is None else [
            *_GPG[:-1], "--no-default-keyring", "--trust-model", "always", "--faked-system-time",
            f"{at}!", *(["--verify"] if content is not None else ["--decrypt"])]
        files: list[str | Path] = [signed, *([beside] if content is not None else [])]
        output: list[str | Path] = [] if content is not None else ["--output", said]
        done = run([program[0], "--homedir", home, "--keyring", ring, "--status-fd", "1", *output,
                    *program[1:], *files],
                   env={"GNUPGHOME": home}, cwd=Path(home), check=False)
        _raise_if_full(done.stderr, home, f"{program[0]} can't check a signature")
        text = said.read_bytes() if said.exists() else b""
    lines = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("[GNUPG:] ")]
    return [words for words in lines if words], text, done.status


@contextmanager
def _room_to_write(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise from_os_error(error, f"checking a signature in {where}") from error


def _gpg(home: str, words: Sequence[str], content: bytes) -> str:
    """Return what gpg prints; raises HostError when it is this host that fails, not the key."""
    done = run([*_GPG, "--homedir", home, *words], stdin=content, check=False,
               env={"GNUPGHOME": home}, cwd=Path(home), log_stdout=False)
    _raise_if_full(done.stderr, home, "gpg can't read a key")
    return done.stdout


def _raise_if_full(complaints: str, home: str, failing: str) -> None:
    """Raise HostError where it is the disk, not what was asked about, that is wrong."""
    wrong = [line for line in complaints.splitlines()
             if "Fatal:" in line or os.strerror(errno.ENOSPC) in line]
    if wrong:
        raise HostError(failing, where=home, why=wrong[0],
                        remedy="free some space there, or point TMPDIR at a larger disk")


def _listed(listing: str) -> Iterator[_Listed]:
    """Yield primary keys and subkeys of a --with-colons listing, each with its fingerprint."""
    current: _Listed | None = None
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] in ("pub", "sub", "sec", "ssb"):
            current = _Listed(fields[0], fields[1])
        elif fields[0] == "fpr" and current is not None and not current.fingerprint:
            current.fingerprint = fields[9]
            yield current
