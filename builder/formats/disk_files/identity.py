"""Ids that a disk format wants and that others fill with chance: ours follow from the content."""

from __future__ import annotations

import hashlib
import uuid
import zlib


class Identity:
    """Sees each block of a disk as it is written, and then tells the ids.

    purpose: such as the name of the format: two formats of one disk have different ids.
    """

    def __init__(self, purpose: str, size_bytes: int, epoch: int) -> None:
        self._digest = hashlib.sha256(f"{purpose} {size_bytes} {epoch}".encode())

    def see(self, number: int, data: bytes | bytearray) -> None:
        """Take in a block that is not all zeroes.

        Its CRC-32 will do: ids tell disks apart, they prove nothing, and a digest of all that is
        on the disk would take longer than copying it.
        """
        self._digest.update(number.to_bytes(8, "little") + zlib.crc32(data).to_bytes(4, "little"))

    def uuid(self, which: str) -> uuid.UUID:
        """Return an id of what was seen until now, in the shape of a random one (RFC 4122)."""
        return uuid.UUID(bytes=self._of(which)[:16], version=4)

    def number(self, which: str) -> int:
        """Return 31 bits of what was seen until now."""
        return int.from_bytes(self._of(which)[:4], "little") >> 1

    def _of(self, which: str) -> bytes:
        digest = self._digest.copy()
        digest.update(which.encode())
        return digest.digest()
