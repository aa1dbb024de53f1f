"""EFI programs: the machine they are for, their SBAT section, and who signed them (PE/COFF).

Microsoft, PE Format; shim's SBAT.md. The file is a stranger's: every place is checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from host.errors import InputError

MACHINES = {0x8664: "x86_64", 0xAA64: "aarch64"}
_SECTIONS_MAX = 96
_SIGNATURE_BYTES_MAX = 1 << 20


@dataclass(frozen=True)
class Program:
    """What a PE file says. signers: common names in the certificates of its signatures."""

    machine: str
    signed: bool
    signers: list[str] = field(default_factory=list)
    sbat: dict[str, int] = field(default_factory=dict)


def parse(content: bytes) -> Program:
    """Return what a PE file says of itself; raises InputError for what is none."""
    if content[:2] != b"MZ":
        raise InputError("is no PE file")
    at = int.from_bytes(content[60:64], "little")
    if content[at:at + 4] != b"PE\0\0":
        raise InputError("is no PE file")
    machine = int.from_bytes(content[at + 4:at + 6], "little")
    sections = int.from_bytes(content[at + 6:at + 8], "little")
    optional_bytes = int.from_bytes(content[at + 20:at + 22], "little")
    optional = at + 24
    magic = int.from_bytes(content[optional:optional + 2], "little")
    directories = optional + (112 if magic == 0x20B else 96)
    security = content[directories + 32:directories + 40]
    signers: list[str] = []
    signed = False
    if len(security) == 8 and directories + 40 <= optional + optional_bytes:
        place = int.from_bytes(security[:4], "little")
        size = int.from_bytes(security[4:], "little")
        if 8 < size <= _SIGNATURE_BYTES_MAX and place + size <= len(content):
            signed, signers = _signatures(content[place:place + size])
    table = optional + optional_bytes
    sbat = {}
    for number in range(min(sections, _SECTIONS_MAX)):
        head = content[table + 40 * number:table + 40 * number + 40]
        if head[:8].rstrip(b"\0") == b".sbat":
            size = int.from_bytes(head[8:12], "little")
            place = int.from_bytes(head[20:24], "little")
            sbat = _sbat(content[place:place + min(size, 4096)])
    return Program(MACHINES.get(machine, f"{machine:#x}"), signed, signers, sbat)


def _signatures(table: bytes) -> tuple[bool, list[str]]:
    """Return whether there is any signature, and the names in their certificates."""
    names: list[str] = []
    at, signed = 0, False
    while at + 8 < len(table):
        length = int.from_bytes(table[at:at + 4], "little")
        if length <= 8 or at + length > len(table):
            break
        content = table[at + 8:at + length]
        try:
            certificates = pkcs7.load_der_pkcs7_certificates(content)
        except ValueError:
            certificates = []
        if certificates:
            signed = True
        for one in certificates:
            for name in (one.subject, one.issuer):
                names += [str(each.value) for each in name.get_attributes_for_oid(
                    NameOID.COMMON_NAME)]
        at += (length + 7) & ~7
    return signed, sorted(set(names))


def _sbat(content: bytes) -> dict[str, int]:
    found = {}
    for line in content.rstrip(b"\0").decode(errors="replace").splitlines():
        fields = line.split(",")
        if len(fields) >= 2 and fields[1].isdigit():
            found[fields[0]] = int(fields[1][:9])
    return found
