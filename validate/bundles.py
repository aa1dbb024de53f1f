"""A Eucalyptus bundle: parts of an encrypted, packed disk, and a signed manifest of them.

The format is that of euca-bundle-image (euca2ools 3.4); builder/formats/bundles/ writes it. The key
for the parts is in the manifest, encrypted for the user: who reads it needs the user's private key.
"""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from builder.formats.bundles import eucarc
from host.errors import InputError
from validate import tars
from validate.layers import Slice, members_of
from validate.raw_disks import written
from validate.streams import Budget, unpacked

MANIFEST = "image.manifest.xml"
_MANIFEST_BYTES_MAX = 4 << 20
_PIECE_BYTES = 1 << 20
_BLOCK_BITS = 128


def read_bundle(path: Path, stream: BinaryIO, raw: Path) -> list[str]:
    """Make the raw disk of a bundle for whom the environment names; return what of it is wrong.

    Raises InputError when it is for somebody else, has no manifest, or is broken.
    """
    faults: list[str] = []
    members = members_of(stream, faults)
    if MANIFEST not in members:
        raise InputError(f"has no {MANIFEST}")
    text = members[MANIFEST].read(_MANIFEST_BYTES_MAX)
    manifest = _parsed(text)
    who = eucarc.bundler()
    key, iv = _secrets(manifest, who)
    _signed(text, manifest, who, faults)
    parts = _parts(manifest, members, faults)
    digest = hashlib.sha1(usedforsecurity=False)
    budget = Budget()
    archive = tars.Archive(cast("BinaryIO", _Digested(
        unpacked(cast("BinaryIO", _Again(lambda: _decrypted(parts, key, iv))), budget), digest)),
        budget)
    found = 0
    for member in archive:
        content = archive.content(member)
        found += content is not None
        if content is None or found > 1:
            faults.append(f"has a member {member.name} beside the disk")
        elif written(cast("BinaryIO", content), raw) != _number(manifest, "image/size"):
            faults.append("the manifest tells of another size of the disk")
    if not found:
        raise InputError("holds no disk")
    if digest.hexdigest() != _text(manifest, "image/digest"):
        faults.append("the manifest has another digest of the image")
    return faults + archive.faults


def _parsed(text: bytes) -> ElementTree.Element:
    if b"<!" in text:
        raise InputError(f"{MANIFEST} declares entities or a document type, which none does")
    try:
        return ElementTree.fromstring(text)  # noqa: S314 – bounded, and without entities
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError(f"{MANIFEST} is no XML", why=str(error)) from error


def _text(manifest: ElementTree.Element, path: str) -> str:
    return (manifest.findtext(path) or "").strip()


def _number(manifest: ElementTree.Element, path: str) -> int:
    text = _text(manifest, path)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def _secrets(manifest: ElementTree.Element, who: eucarc.Bundler) -> tuple[bytes, bytes]:
    """Return key and vector of the parts, which are there as hexadecimal text of the encrypted."""
    key = eucarc.private_key(who)
    try:
        both = tuple(bytes.fromhex(key.decrypt(
            bytes.fromhex(_text(manifest, f"image/user_encrypted_{name}")), PKCS1v15(),
        ).decode("ascii")) for name in ("key", "iv"))
        if [len(one) * 8 for one in both] != [_BLOCK_BITS] * 2:
            raise ValueError("not of 128 bits")
    except ValueError as error:  # what was decrypted is not what was encrypted, or is no text
        raise InputError(
            "is encrypted for somebody else", why="the private key does not open its key",
            remedy="source the eucarc that it was made for (EC2_PRIVATE_KEY, EC2_CERT …)",
        ) from error
    return both[0], both[1]


def _signed(
    text: bytes, manifest: ElementTree.Element, who: eucarc.Bundler, faults: list[str],
) -> None:
    """Check the signature, which is over two elements as they stand in the file."""
    about = b"".join(
        text[text.find(b"<" + tag):text.rfind(b"</" + tag + b">") + len(tag) + 3]
        for tag in (b"machine_configuration", b"image"))
    try:
        eucarc.rsa_key(who.certificate).verify(
            bytes.fromhex(_text(manifest, "signature")), about, PKCS1v15(),
            hashes.SHA1())  # noqa: S303 – the format's
    except (InvalidSignature, ValueError):
        faults.append("the manifest's signature is not of the user's key")


def _parts(
    manifest: ElementTree.Element, members: dict[str, Slice], faults: list[str],
) -> list[Slice]:
    """Return the parts in their order; what of them differs from the manifest is a fault."""
    listed = manifest.findall("image/parts/part")
    found, total = [], 0
    for number, part in enumerate(listed):
        name = (part.findtext("filename") or "")[:200]
        if name not in members:
            raise InputError(f"has no part {name or number}")
        digest = hashlib.sha1(usedforsecurity=False)
        members[name].seek(0)
        while piece := members[name].read(_PIECE_BYTES):
            digest.update(piece)
            total += len(piece)
        if digest.hexdigest() != (part.findtext("digest") or "").strip():
            faults.append(f"the manifest has another digest of {name}")
        if part.get("index") != str(number):
            faults.append(f"{name} is not part {number}")
        found.append(members[name])
    names = {part.findtext("filename") for part in listed}
    if len(names) != len(listed):
        raise InputError("names a part twice")
    if stray := sorted(members.keys() - names - {MANIFEST}):
        faults.append(f"has {len(stray)} members that the manifest does not name")
    if total != _number(manifest, "image/bundled_size"):
        faults.append("the manifest tells of another size of the parts")
    return found


def _decrypted(parts: list[Slice], key: bytes, iv: bytes) -> Iterator[bytes]:
    decryptor, padding = Cipher(AES(key), CBC(iv)).decryptor(), PKCS7(_BLOCK_BITS).unpadder()
    for part in parts:
        part.seek(0)
        while piece := part.read(_PIECE_BYTES):
            yield padding.update(decryptor.update(piece))
    yield padding.update(decryptor.finalize()) + padding.finalize()


class _Again:
    """Pieces as a stream that can begin again."""

    def __init__(self, pieces: Callable[[], Iterator[bytes]]) -> None:
        self._new, self._pieces, self._ready = pieces, pieces(), b""

    def seek(self, to: int) -> None:
        """Go to the beginning; nobody goes elsewhere."""
        assert to == 0
        self._pieces, self._ready = self._new(), b""

    def read(self, count: int) -> bytes:
        """Return the next bytes."""
        while not self._ready:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._ready = piece
        found, self._ready = self._ready[:count], self._ready[count:]
        return found


class _Digested:
    """A stream whose bytes go into a digest as they are read."""

    def __init__(self, stream: IO[bytes], digest: hashlib._Hash) -> None:
        self._stream, self._digest = stream, digest

    def read(self, count: int) -> bytes:
        """Return the next bytes."""
        piece = self._stream.read(count)
        self._digest.update(piece)
        return piece
