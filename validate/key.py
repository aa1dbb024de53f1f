"""The key of an encrypted image: read once, and shown nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from host.errors import InputError, from_os_error

KEY_BYTES_MAX = 2 << 20
"""More than any key has, and little enough for one call of libguestfs."""
_TYPED_BYTES_MAX = 512
"""cryptsetup(8): a passphrase that is typed has at most 512 characters."""


@dataclass(frozen=True)
class Key:
    """What opens the LUKS containers of an image. path: for messages."""

    path: Path
    content: bytes = field(repr=False)

    @property
    def candidates(self) -> list[bytes]:
        """The file as `cryptsetup --key-file` takes it, then without the newline at its end.

        A newline at the end counts for cryptsetup, but is rarely meant: `echo` and editors add it.
        """
        whole = [self.content]
        return [*whole, self.content[:-1]] if self.content[-1:] == b"\n" else whole

    @property
    def typed(self) -> bytes:
        """What a person would type at the guest's question, without the newline.

        Raises InputError for what nobody can type.
        """
        line = self.content.removesuffix(b"\n")
        if not line or len(line) > _TYPED_BYTES_MAX or min(line) < 0x20 or 0x7F in line:
            raise InputError(
                "the guest asks for a passphrase, and this key can't be typed",
                where=str(self.path), why="it has control characters or is too long",
                remedy="boot wants a passphrase of one line; validate takes any key",
            )
        return line


def read(path: Path) -> Key:
    """Return the key in a file, pipe or device; raise InputError when there is none in it."""
    try:
        with path.open("rb") as stream:
            content = stream.read(KEY_BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise InputError("there is no such key file", where=str(path)) from error
    except OSError as error:
        raise from_os_error(error, "reading the key") from error
    if not content.strip(b"\n"):
        raise InputError("the key file is empty", where=str(path))
    if len(content) > KEY_BYTES_MAX:
        raise InputError(f"the key has more than {KEY_BYTES_MAX} bytes", where=str(path))
    return Key(path, content)
