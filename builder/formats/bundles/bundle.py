"""The manifest of a Eucalyptus bundle, as euca-bundle-image of euca2ools 3.4 writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from builder.formats.bundles.eucarc import Bundler, rsa_key
from host.errors import HostError

_FORMAT_VERSION = "2007-10-10"
_CIPHER = "AES-128-CBC"


@dataclass(frozen=True)
class Part:
    """One part of the encrypted image. sha1: of its bytes, in hexadecimal."""

    name: str
    sha1: str
    size_bytes: int


@dataclass(frozen=True)
class Contents:
    """What a manifest says of an image.

    arch: such as x86_64. sha1: of the tar that the parts hold, encrypted and gzipped.
    size_bytes: of the raw image. key, iv: those of the parts.
    """

    name: str
    arch: str
    sha1: str
    size_bytes: int
    key: bytes
    iv: bytes
    parts: Sequence[Part]


def manifest(contents: Contents, who: Bundler, signing_key: RSAPrivateKey) -> bytes:
    """Return the signed manifest, with the key of the parts for the user and for the cloud.

    The signature is over the text of two of its elements, one after the other, as they stand in
    the file: there is no white space between elements, which a reader might drop or keep.
    Raises HostError where the system's policy forbids SHA-1.
    """
    machine = _element("machine_configuration", _text("architecture", contents.arch))
    image = _image(contents, who)
    version = _text("version", _FORMAT_VERSION)
    bundler = _element("bundler", _text("name", "ccis") + _text("version", "1")
                       + _text("release", "0"))
    signature = _text("signature", _sign(machine + image, signing_key))
    return _element("manifest", version + bundler + machine + image + signature).encode()


def _image(contents: Contents, who: Bundler) -> str:
    user, cloud = rsa_key(who.certificate), rsa_key(who.cloud)
    bundled_bytes = sum(part.size_bytes for part in contents.parts)
    parts = "".join(
        _element("part", _text("filename", part.name) + _text("digest", part.sha1, "SHA1"),
                 index=str(index))
        for index, part in enumerate(contents.parts)
    )
    return _element("image", "".join([
        _text("name", contents.name), _text("user", who.account),
        _text("digest", contents.sha1, "SHA1"),
        _text("size", str(contents.size_bytes)), _text("bundled_size", str(bundled_bytes)),
        _text("type", "machine"),
        _text("ec2_encrypted_key", _encrypt(contents.key, cloud), _CIPHER),
        _text("user_encrypted_key", _encrypt(contents.key, user), _CIPHER),
        _text("ec2_encrypted_iv", _encrypt(contents.iv, cloud)),
        _text("user_encrypted_iv", _encrypt(contents.iv, user)),
        _element("parts", parts, count=str(len(contents.parts))),
    ]))


def _encrypt(secret: bytes, key: RSAPublicKey) -> str:
    """Encrypt a key or vector: it is its hexadecimal text that euca2ools encrypts."""
    return key.encrypt(secret.hex().encode(), PKCS1v15()).hex()


def _sign(text: str, key: RSAPrivateKey) -> str:
    try:
        return key.sign(text.encode(), PKCS1v15(), hashes.SHA1()).hex()  # noqa: S303 – the format's
    except (UnsupportedAlgorithm, InternalError, ValueError) as error:
        raise HostError(
            "this host does not sign with SHA-1, and Eucalyptus takes no other signature",
            where="eucalyptus", why=str(error),
            remedy="update-crypto-policies --set DEFAULT:SHA1 allows it (CentOS 9 and later)",
        ) from error


def _text(tag: str, content: str, algorithm: str | None = None) -> str:
    attributes = {} if algorithm is None else {"algorithm": algorithm}
    return _element(tag, escape(content), **attributes)


def _element(tag: str, content: str, **attributes: str) -> str:
    words = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{tag}{words}>{content}</{tag}>"
