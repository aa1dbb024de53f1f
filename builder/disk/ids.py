"""UUIDs that follow from the seed: the same plan gives the same disk."""

from __future__ import annotations

import uuid

_NAMESPACE = uuid.UUID("a3c1ad1e-39f3-5f0c-8f2a-2f3f6c7c1c15")


def derive(seed: str, what: str) -> uuid.UUID:
    """Return a UUID that follows from the seed (RFC 9562, version 5)."""
    return uuid.uuid5(_NAMESPACE, f"{seed}\n{what}")


def file_system_id(fstype: str, seed: str, what: str) -> str:
    """Return a file system's UUID, for FAT a serial number as XXXX-XXXX."""
    identity = derive(seed, what)
    if fstype in ("vfat", "efi"):
        serial = identity.hex[:8].upper()
        return f"{serial[:4]}-{serial[4:]}"
    return str(identity)
