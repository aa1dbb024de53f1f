"""ASCII armour in exactly one spelling, so that no byte of a published file is without meaning.

gpg ignores text around a signature, blanks within it and more; a reader of a release tree should
not have to wonder whether a changed byte was one of those. So the publisher writes one spelling
and the verifier takes no other.
"""

from __future__ import annotations

import base64
import binascii
import re

_COLUMNS = 64
_CRC_START, _CRC_POLYNOMIAL = 0xB704CE, 0x1864CFB
_BLOCK = re.compile(
    r"-----BEGIN (?P<kind>PGP [A-Z ]+)-----\n(?:[A-Za-z]+: [^\n]*\n)*\n"
    r"(?P<body>[A-Za-z0-9+/=\n]+?)\n(?:=[A-Za-z0-9+/]{4}\n)?-----END (?P=kind)-----\n?",
)
_CLEAR_HEAD = re.compile(
    r"-----BEGIN PGP SIGNED MESSAGE-----\n(?:Hash: SHA(?:256|384|512)\n)?\n",
)
_SIGNATURE_BEGIN = "-----BEGIN PGP SIGNATURE-----\n"


def canonical(block: str) -> str | None:
    """Return a block of armour in our one spelling, or None where it is no single block."""
    match = _BLOCK.fullmatch(block)
    if match is None:
        return None
    try:
        data = base64.b64decode(match["body"].replace("\n", ""), validate=True)
    except binascii.Error:
        return None
    text = base64.b64encode(data).decode()
    lines = [text[start:start + _COLUMNS] for start in range(0, len(text), _COLUMNS)]
    check = base64.b64encode(_crc24(data).to_bytes(3, "big")).decode()
    kind = match["kind"]
    return "\n".join([f"-----BEGIN {kind}-----", "", *lines, f"={check}", f"-----END {kind}-----",
                      ""])


def of_key(content: bytes) -> str:
    """Return a public key, armoured or binary, in our spelling; what is none stays none."""
    found = canonical(content.decode("ascii", errors="replace"))
    body = base64.b64encode(content).decode()
    kind = "PGP PUBLIC KEY BLOCK"
    return found or canonical(f"-----BEGIN {kind}-----\n\n{body}\n-----END {kind}-----\n") or ""


def is_canonical(block: str) -> bool:
    """Say whether a block of armour is spelled as we spell it, its check sum included."""
    return canonical(block) == block


def canonical_clear(text: str) -> str | None:
    """Return a clear-signed text with its signature in our spelling, or None where it is none."""
    head, begin, signature = text.partition(_SIGNATURE_BEGIN)
    block = canonical(begin + signature)
    if block is None or _CLEAR_HEAD.match(head) is None:
        return None
    # gpg leaves blanks at the ends of lines out of what it signs.
    if any(line != line.rstrip() for line in head.split("\n")):
        return None
    return head + block


def is_canonical_clear(text: str) -> bool:
    """Say whether a clear-signed text is spelled as we spell it, with nothing around it."""
    return canonical_clear(text) == text


def _crc24(data: bytes) -> int:
    """Return the check sum of RFC 4880, 6.1."""
    crc = _CRC_START
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= _CRC_POLYNOMIAL
    return crc & 0xFFFFFF
