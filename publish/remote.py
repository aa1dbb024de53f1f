"""Signing on another host: a request file goes there, and comes back with signatures in it.

It holds the texts to sign, which are sizes and digests: no artefact goes to where the key is, and
no key to where artefacts are. The request fixes the time of the change, so that the second run
makes the very texts that were signed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from host.errors import InputError
from host.files import read_regular, write_atomically
from publish import armour
from publish.gpg import Gpg
from publish.model import Fingerprint, Moment, epoch, moment
from publish.sign import MAX_KEY_BYTES, Signer
from publish.trust import Keyring, SignatureError, keyring, keyring_of_file

_LIMIT_BYTES = 256 << 20
_NOWHERE = Gpg(Path("/nonexistent"))


class Document(BaseModel):
    """A text that is to be signed. kind: with its signature around it, or in a file of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["clear", "detached"]
    text: str

    @property
    def name(self) -> str:
        """What its signature is filed under."""
        return hashlib.sha256(f"{self.kind}\0{self.text}".encode()).hexdigest()


class Request(BaseModel):
    """The file. at: the time of the change. signatures: by the name of their document."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    at: Moment
    fingerprint: Fingerprint
    documents: list[Document] = []
    signatures: dict[str, str] = {}


class WantedError(Exception):
    """Signatures are missing. The request for them is in the file."""

    def __init__(self, file: Path, request: Request) -> None:
        super().__init__(str(file))
        self.file, self.request = file, request


@dataclass(frozen=True)
class RemoteSigner(Signer):
    """A key on another host: `file` is the request, `key` the armoured public key."""

    file: Path = Path()
    key: str = ""
    request: Request | None = None
    wanted: list[Document] = field(default_factory=list)

    @property
    def at_s(self) -> int:
        """The time of the change that the request is about."""
        return epoch(self.request.at) if self.request else int(time.time())

    def public_key(self) -> str:
        """Return the armoured public key, for keys/ in the tree."""
        return self.key

    def clear_sign(self, text: str) -> str:
        """Return a text with the signature around it that came back, or note that it is wanted."""
        found = self._signature(Document(kind="clear", text=text))
        if found:
            with self._checking() as trusted:
                if trusted.clear_signed(found.encode()) != text:
                    raise SignatureError("it is around another text")
        return found

    def detached(self, text: str) -> str:
        """Return the signature of a text that came back, or note that it is wanted."""
        found = self._signature(Document(kind="detached", text=text))
        if found:
            with self._checking() as trusted:
                trusted.detached(text.encode(), found.encode())
        return found

    @contextmanager
    def _checking(self) -> Iterator[Keyring]:
        try:
            with keyring(self.key.encode(), self.fingerprint) as trusted:
                yield trusted
        except SignatureError as error:
            raise InputError("holds a signature that proves nothing", where=str(self.file),
                             why=str(error), remedy="`ccis sign` makes good ones") from error

    def _signature(self, document: Document) -> str:
        found = self.request.signatures.get(document.name, "") if self.request else ""
        if not found:
            self.wanted.append(document)
        return found

    def ask(self, at_s: float) -> None:
        """Write the request for what is wanted, if anything is, and raise WantedError."""
        if self.wanted:
            request = Request(at=moment(at_s), fingerprint=self.fingerprint,
                              documents=self.wanted)
            write_atomically(self.file, request.model_dump_json(indent=1) + "\n")
            raise WantedError(self.file, request)


def remote_signer(file: Path, public_key: Path) -> RemoteSigner:
    """Return the signer whose request is, or shall be, in a file.

    Raises InputError for a file that is no request, a key that is none, or one of another request.
    """
    with keyring_of_file(public_key) as trusted:
        if len(trusted.fingerprints) != 1:
            raise InputError("holds several keys", where=str(public_key),
                             remedy="give a file with the one that signs the tree")
        [fingerprint] = trusted.fingerprints
    key = armour.of_key(read_regular(public_key, MAX_KEY_BYTES))
    request = read_request(file) if file.exists() else None
    if request is not None and request.fingerprint != fingerprint:
        raise InputError("is a request to another key", where=str(file),
                         why=f"to {request.fingerprint}", remedy="name another file")
    return RemoteSigner(_NOWHERE, fingerprint, None, file, key, request)


def read_request(file: Path) -> Request:
    """Return a request from its file; raises InputError for what is none."""
    try:
        return Request.model_validate_json(read_regular(file, _LIMIT_BYTES))
    except OSError as error:
        raise InputError("can't be read", where=str(file), why=error.strerror) from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise InputError("is not a request for signatures", where=str(file),
                         why=f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]) from error


def answer(file: Path, signer: Signer) -> Request:
    """Sign what a request asks for, and put the signatures into its file.

    Raises InputError for a request to another key.
    """
    request = read_request(file)
    if request.fingerprint != signer.fingerprint:
        raise InputError("is a request to another key", where=str(file),
                         why=f"to {request.fingerprint}, not {signer.fingerprint}",
                         remedy="sign with that one")
    signed = {each.name: (signer.clear_sign(each.text) if each.kind == "clear"
                          else signer.detached(each.text)) for each in request.documents}
    request = request.model_copy(update={"signatures": signed})
    write_atomically(file, request.model_dump_json(indent=1) + "\n")
    return request

