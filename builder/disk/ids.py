"""UUIDs that follow from the seed: the same plan gives the same disk."""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.UUID("a3c1ad1e-39f3-5f0c-8f2a-2f3f6c7c1c15")


def derive(seed: str, what: str) -> uuid.UUID:
    """Return a UUID that follows from the seed (RFC 9562, version 5)."""
    return uuid.uuid5(_NAMESPACE, f"{seed}\n{what}")


def file_system_id(fstype: str, seed: str, what: str) -> str | None:
    """Return a file system's UUID, for FAT a serial number as XXXX-XXXX, None without one."""
    if fstype in ("biosboot", "prepboot", "lvmpv", "mdmember", "btrfsmember", "luks", "unused"):
        return None
    identity = derive(seed, what)
    if fstype in ("vfat", "efi"):
        serial = identity.hex[:8].upper()
        return f"{serial[:4]}-{serial[4:]}"
    return str(identity)


def array_id(seed: str, what: str) -> str:
    """Return a UUID as mdadm spells it: four groups of eight hexadecimal digits."""
    text = derive(seed, what).hex
    return ":".join(text[at:at + 8] for at in range(0, 32, 8))
