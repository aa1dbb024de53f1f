"""eucalyptus: a bundle for Eucalyptus, the encrypted image in parts with a signed manifest.

It is the one artefact that differs from build to build: a key that followed from the content
would be no secret.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from builder.artefact import DISK, About
from builder.formats.archives import archive
from builder.formats.archives.archive import Piece
from builder.formats.bundles import eucarc
from builder.formats.bundles.bundle import Contents, Part, manifest
from builder.formats.streams import gzip_member
from host.progress import Progress

name = "eucalyptus"
title = "Eucalyptus bundle in one tar, for euca-upload-bundle: encrypted parts, signed manifest"
source = DISK
uses = ("flavour",)

_PART_BYTES = 10 << 20  # what euca-bundle-image makes
_KEY_BYTES = 16
_BLOCK_BITS = 128


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Bundle the disk for whom the environment names (tools/eucarc.py).

    The disk becomes a tar of one file, that a gzip stream, that AES-128-CBC under a fresh key, and
    that parts of 10 MiB: image.part.00 and so on, with image.manifest.xml behind them.
    The private key is opened in this process only, to sign the manifest.
    Raises InputError for certificates and keys that do not serve.
    """
    who = eucarc.bundler()
    signing_key = eucarc.private_key(who)
    if who.own:
        progress.say("eucalyptus: no eucarc is set (EC2_CERT …); the bundle is for a certificate "
                     "of our own and fit for practising only")
    key, iv = secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(_KEY_BYTES)
    size_bytes = source.stat().st_size
    digest = hashlib.sha1(usedforsecurity=False)
    image = archive.tar(archive.member(f"{about.slug}.raw", source, about.epoch))
    watched = archive.watched(image, size_bytes, progress, name)
    packed = archive.gzipped(_hashed(watched, digest), gzip_member.FAST_LEVEL)
    parts: list[Part] = []

    def members() -> Iterator[Piece]:
        for index, content in enumerate(_cut(_encrypted(packed, key, iv), _PART_BYTES)):
            sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            parts.append(Part(f"image.part.{index:02}", sha1, len(content)))
            yield from archive.member(parts[-1].name, content, about.epoch)
        contents = Contents(about.slug, about.arch, digest.hexdigest(), size_bytes, key, iv, parts)
        text = manifest(contents, who, signing_key)
        yield from archive.member("image.manifest.xml", text, about.epoch)

    archive.write(folder / "eucalyptus.tar", archive.tar(members()))


def identity() -> dict[str, str]:
    """Return for whom the bundle is, and how it is compressed."""
    return {**eucarc.bundler().identity(), **gzip_member.identity(gzip_member.FAST_LEVEL)}


def _hashed(pieces: Iterable[Piece], digest: archive.Digest) -> Iterator[Piece]:
    for piece, is_data in pieces:
        digest.update(piece)
        yield piece, is_data


def _encrypted(pieces: Iterable[bytes], key: bytes, iv: bytes) -> Iterator[bytes]:
    """Encrypt as `openssl enc -aes-128-cbc -K … -iv …` does: PKCS #7 padding, no header."""
    padder = PKCS7(_BLOCK_BITS).padder()
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    for piece in pieces:
        yield encryptor.update(padder.update(piece))
    yield encryptor.update(padder.finalize()) + encryptor.finalize()


def _cut(pieces: Iterable[bytes], part_bytes: int) -> Iterator[bytes]:
    """Yield the same bytes in parts of one size, the last one shorter."""
    part = bytearray()
    for piece in pieces:
        part += piece
        while len(part) >= part_bytes:
            yield bytes(part[:part_bytes])
            del part[:part_bytes]
    if part:
        yield bytes(part)
