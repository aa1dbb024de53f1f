"""The bundle of certificate authorities that update-ca-trust would make."""

from __future__ import annotations

from rehearsal.makers.making import Making, regular
from rehearsal.model import PackagedFile


def bundle(making: Making, files: list[PackagedFile]) -> list[PackagedFile]:
    """Return the PEM bundle made of Debian's single certificates."""
    parts = [file.content.rstrip() + b"\n" for file in sorted(files, key=lambda file: file.path)
             if file.path.endswith(".crt")]
    return [regular("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", b"".join(parts))]
