"""Small real programs for the model image: EFI's, signed; ELF's, linked; an initramfs."""

from __future__ import annotations

import struct
from datetime import datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

MACHINES = {"x86_64": 0x8664, "aarch64": 0xAA64, "ppc64le": 0x15}


@cache
def signature(name: str) -> bytes:
    """A PKCS#7 signature by a certificate of this name, as a PE file carries it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
        .public_key(key.public_key()).serial_number(1)
        .not_valid_before(datetime(2020, 1, 1)).not_valid_after(datetime(2040, 1, 1))
        .sign(key, hashes.SHA256()))
    content = pkcs7.PKCS7SignatureBuilder().set_data(b"x").add_signer(
        certificate, key, hashes.SHA256()).sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])
    return struct.pack("<IHH", len(content) + 8, 0x200, 2) + content


def efi(arch: str, signer: str | None, sbat: int = 3) -> bytes:
    """An EFI program: headers, an .sbat section and a certificate table."""
    head = bytearray(64)
    head[:2], head[60:64] = b"MZ", struct.pack("<I", 64)
    optional = bytearray(240)
    optional[:2] = struct.pack("<H", 0x20B)
    coff = struct.pack("<HHIIIHH", MACHINES[arch], 1, 0, 0, 0, len(optional), 0)
    section = b".sbat\0\0\0" + struct.pack("<IIIIIIHHI", 64, 0, 64, 512, 0, 0, 0, 0, 0)
    content = bytearray((bytes(head) + b"PE\0\0" + coff + bytes(optional) + section).ljust(512))
    content += f"sbat,1,x\ngrub,{sbat},y\n".encode().ljust(64, b"\0")
    content = content.ljust(70_000, b"\0")
    if signer:
        table = signature(signer)
        place = 64 + 4 + 20 + 112 + 32
        content[place:place + 8] = struct.pack("<II", len(content), len(table))
        content += table
    return bytes(content)


def elf(machine: int = 0x3E, needed: tuple[str, ...] = ()) -> bytes:
    """A 64-bit ELF file with a dynamic section that needs these libraries."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    entries, at = b"", 1
    for name in needed:
        entries += struct.pack("<qQ", 1, at)
        at += len(name) + 1
    place = 64 + 2 * 56
    entries += struct.pack("<qQ", 5, place + 16 * (len(needed) + 2)) + bytes(16)
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    size = place + len(entries) + len(strings)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096)
    dynamic = struct.pack("<IIQQQQQQ", 2, 6, place, place, place, len(entries), len(entries), 8)
    return (head + load + dynamic + entries + strings).ljust(2048, b"\0")


def initramfs(names: list[str]) -> bytes:
    """An initramfs that is not packed: one cpio archive with empty files."""
    content = b""
    for name in [*names, "TRAILER!!!"]:
        raw = name.encode() + b"\0"
        fields = [1, 0o100644, 0, 0, 1, 0, 0, 0, 0, 0, 0, len(raw), 0]
        entry = b"070701" + b"".join(f"{field:08x}".encode() for field in fields) + raw
        content += entry + b"\0" * (-len(entry) % 4)
    return content + bytes((2 << 20) - len(content))
