"""How a repository is reached: its proxy and its certificates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from host.errors import InputError
from host.files import read_regular

_PEM_BYTES_MAX = 4 << 20


@dataclass(frozen=True)
class Connection:
    """How a repository is reached. ca, client_certificate, client_key: files on this host."""

    proxy: str | None = None
    verify_tls: bool = True
    ca: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it needs."""
        return tuple(file for file in (self.ca, self.client_certificate, self.client_key) if file)

    def check(self) -> None:
        """Raise InputError for a certificate or key that is no file with one in it.

        OpenSSL would read a FIFO or /dev/zero for ever.
        """
        for file in self.files:
            try:
                content = read_regular(Path(file.removeprefix("file://")), _PEM_BYTES_MAX + 1)
            except OSError as error:
                raise InputError("the certificate or key can't be used", where=file,
                                 why=error.strerror) from error
            if len(content) > _PEM_BYTES_MAX:
                raise InputError("is too large for a certificate or key", where=file)
            if b"-----BEGIN" not in content:
                raise InputError("is no certificate or key", where=file,
                                 why="it holds no block of PEM (-----BEGIN …-----)")


DIRECT = Connection()
