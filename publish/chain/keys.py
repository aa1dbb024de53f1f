"""Keys of TUF roles: Ed25519, a PEM file each, with the public half beside it in <name>.pub."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from securesystemslib.signer import CryptoSigner, Key, SSlibKey

from host.errors import InputError
from host.files import read_regular, write_atomically

_LIMIT_BYTES = 65536


def new_key(path: Path, passphrase: bytes | None = None) -> Key:
    """Make a key in a new file that its owner alone can read; return its public half.

    Raises InputError when something is there already: a key is never overwritten.
    """
    public = path.with_suffix(".pub")
    for each in (path, public):
        if os.path.lexists(each):
            raise InputError("there is something already", where=str(each),
                             remedy="name another file")
    private = Ed25519PrivateKey.generate()
    encryption = (serialization.BestAvailableEncryption(passphrase) if passphrase
                  else serialization.NoEncryption())
    write_atomically(path, private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption), 0o600)
    key = SSlibKey.from_crypto(private.public_key())
    write_atomically(public, json.dumps({"keyid": key.keyid, **key.to_dict()}, indent=2) + "\n")
    return key


def read_public(path: Path) -> Key:
    """Return a public key from a .pub file; raises InputError for what is none."""
    try:
        value = json.loads(read_regular(path, _LIMIT_BYTES))
        key = Key.from_dict(value.pop("keyid"), value)
        crypto = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.keyval["public"]))
        if SSlibKey.from_crypto(crypto).keyid != key.keyid or key.scheme != "ed25519":
            raise ValueError("its key id is not that of the key")
    except OSError as error:
        raise InputError("can't be read", where=str(path), why=error.strerror) from error
    except Exception as error:  # the library raises what its parsers raise
        raise InputError("is not a public key that `ccis trust new-key` made", where=str(path),
                         why=str(error)[:200]) from error
    return key


def signers(places: Sequence[Path], passphrase: bytes | None = None) -> dict[str, CryptoSigner]:
    """Return the secret keys in files and folders (all *.pem in these), by key id.

    Raises InputError for one that can't be opened.
    """
    found = {}
    for place in places:
        files = sorted(place.glob("*.pem")) if place.is_dir() else [place]
        if not files:
            raise InputError("holds no key (*.pem)", where=str(place))
        for file in files:
            signer = _signer(file, passphrase)
            found[signer.public_key.keyid] = signer
    return found


def _signer(file: Path, passphrase: bytes | None) -> CryptoSigner:
    try:
        text = read_regular(file, _LIMIT_BYTES)
        secret = passphrase if b"ENCRYPTED" in text else None
        private = serialization.load_pem_private_key(text, secret)
    except OSError as error:
        raise InputError("can't be read", where=str(file), why=error.strerror) from error
    except (ValueError, TypeError) as error:
        raise InputError("the key can't be opened", where=str(file), why=str(error)[:200],
                         remedy="if it has a passphrase, give --key-passphrase-file") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise InputError("is not an Ed25519 key", where=str(file),
                         remedy="`ccis trust new-key` makes one")
    return CryptoSigner(private)
