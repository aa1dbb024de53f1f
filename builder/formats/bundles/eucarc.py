"""Who a Eucalyptus bundle is for: whom a eucarc names, or an identity of our own for practising.

A cloud hands each user a eucarc, a shell file that sets EC2_CERT and EC2_PRIVATE_KEY (the user's
certificate and key), EUCALYPTUS_CERT (the cloud's) and EC2_USER_ID (the account).
"""

from __future__ import annotations

import datetime
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.x509.oid import NameOID

from host.beneath.remove import remove_tree
from host.errors import HostError, InputError
from host.locks import locked
from host.places import cache_folder

_CERTIFICATE, _KEY = "EC2_CERT", "EC2_PRIVATE_KEY"
_CLOUD, _ACCOUNT = "EUCALYPTUS_CERT", "EC2_USER_ID"
_OWN_ACCOUNT = "000000000000"
_KEY_BITS = 2048
_VALID = datetime.timedelta(days=3650)


@dataclass(frozen=True)
class Bundler:
    """Who makes a bundle, and for which cloud.

    certificate, key_file: the user's. cloud: the cloud's certificate. own: whether we made them.
    """

    account: str
    certificate: x509.Certificate
    key_file: Path
    cloud: x509.Certificate
    own: bool = False

    def identity(self) -> dict[str, str]:
        """Return for whom the bundle is, without anything secret."""
        return {"account": self.account, "certificate": fingerprint(self.certificate),
                "cloud certificate": fingerprint(self.cloud)}


def bundler(environment: Mapping[str, str] = os.environ) -> Bundler:
    """Return whom the environment names; if it names nobody, the identity that is kept for that.

    Raises InputError when only some of the four variables are set, or a file is not what it
    should be.
    """
    named = {name: environment.get(name, "") for name in (_CERTIFICATE, _KEY, _CLOUD, _ACCOUNT)}
    if not any(named.values()):
        return _own()
    if missing := [name for name, value in named.items() if not value]:
        raise InputError(
            f"{' and '.join(missing)} not set, but others of a eucarc are",
            where="eucalyptus", remedy="source the whole eucarc, or unset all of "
            + ", ".join(named),
        )
    files = {name: Path(named[name]).expanduser() for name in (_CERTIFICATE, _KEY, _CLOUD)}
    return Bundler(
        account=named[_ACCOUNT].replace("-", ""), key_file=files[_KEY],
        certificate=_certificate(files[_CERTIFICATE], _CERTIFICATE),
        cloud=_certificate(files[_CLOUD], _CLOUD),
    )


def private_key(who: Bundler) -> RSAPrivateKey:
    """Read the user's key; it stays in this process.

    Raises InputError when it is no RSA key without a passphrase, or not that of the certificate.
    """
    content = _read(who.key_file, _KEY)
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except TypeError as error:
        raise InputError("needs a passphrase, which is not supported", where=str(who.key_file),
                         remedy="openssl rsa writes one without") from error
    except ValueError as error:
        raise InputError("is no private key in PEM", where=str(who.key_file)) from error
    if not isinstance(key, RSAPrivateKey):
        raise InputError("is no RSA key, and Eucalyptus takes no other", where=str(who.key_file))
    if key.public_key().public_numbers() != rsa_key(who.certificate).public_numbers():
        raise InputError(f"is not the key of the certificate in {_CERTIFICATE}",
                         where=str(who.key_file))
    return key


def rsa_key(certificate: x509.Certificate) -> RSAPublicKey:
    """Return the public key of a certificate that bundler() has let through."""
    key = certificate.public_key()
    assert isinstance(key, RSAPublicKey), "checked when it was read"
    return key


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of a certificate: `openssl x509 -fingerprint -sha256` without colons."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def _certificate(path: Path, variable: str) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(_read(path, variable))
    except ValueError as error:
        raise InputError(f"is no certificate in PEM ({variable})", where=str(path)) from error
    if not isinstance(certificate.public_key(), RSAPublicKey):
        raise InputError(f"is no certificate of an RSA key ({variable}), and Eucalyptus takes no "
                         "other", where=str(path))
    return certificate


def _read(path: Path, variable: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({variable})", where=str(path),
                         why=error.strerror) from error


def _own() -> Bundler:
    """Return the identity in the user's cache, made when first asked for.

    The user's certificate stands for the cloud's as well: who can read the cache can open the
    bundle, and no cloud takes it.
    """
    home = cache_folder() / "eucalyptus"
    with locked(home.with_suffix(".lock")):
        for leftover in home.parent.glob(f".{home.name}.*"):
            remove_tree(leftover)
        if not home.is_dir():
            _make_home(home)
    try:
        certificate = _certificate(home / "cert.pem", "made by ccis")
    except InputError as error:
        raise HostError("the identity for practising is damaged", where=str(home), why=str(error),
                        remedy=f"rm -r {home}") from error
    return Bundler(_OWN_ACCOUNT, certificate, home / "key.pem", certificate, own=True)


def _make_home(home: Path) -> None:
    """Make key and certificate in a folder beside their own, which then appears whole."""
    staging = Path(tempfile.mkdtemp(prefix=f".{home.name}.", dir=home.parent))  # mode 0700
    try:
        key = generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
        (staging / "key.pem").touch(mode=0o600)
        (staging / "key.pem").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        (staging / "cert.pem").write_bytes(
            _self_signed(key).public_bytes(serialization.Encoding.PEM))
        staging.rename(home)
    finally:
        remove_tree(staging)


def _self_signed(key: RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(
        NameOID.COMMON_NAME, "ccis rehearsal (throw-away key, proves nothing)")])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder().subject_name(name).issuer_name(name)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now).not_valid_after(now + _VALID)
        .sign(key, hashes.SHA256())
    )
