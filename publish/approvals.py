"""Approvals: a person's signed word that one build, by its bytes, may go to one channel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from host.errors import InputError
from host.files import read_regular
from publish.gates import Approval
from publish.model import Channel, FileName, Moment, PublishedBuild, Sha256
from publish.sign import Signer
from publish.trust import SignatureError, keyring_of_file

_LIMIT_BYTES = 65536


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    approves: FileName
    record_sha256: Sha256
    to: Channel
    at: Moment


def approve(build: PublishedBuild, to: Channel, at: str, signer: Signer) -> str:
    """Return a person's signed approval. The digest of the record covers those of all files."""
    words = _Words(approves=build.name, record_sha256=build.record.sha256, to=to, at=at)
    text = json.dumps(words.model_dump(mode="json"), indent=2, sort_keys=True)
    return signer.clear_sign(text + "\n")


def read_approvals(files: Sequence[Path], keys: Path | None) -> list[Approval]:
    """Return the approvals in files, each signed by one of the public keys in the file `keys`.

    Raises InputError for one that is none, or signed by nobody of these.
    """
    if not files:
        return []
    if keys is None:
        raise InputError("the approvers' public keys are not given", where="--approval",
                         remedy="give --approver-keys FILE, as gpg --export makes it")
    found = []
    with keyring_of_file(keys) as trusted:
        for path in files:
            try:
                document = read_regular(path, _LIMIT_BYTES)
                text, by = trusted.clear_signed_by(document)
                words = _Words.model_validate_json(text)
            except (OSError, SignatureError, ValidationError) as error:
                raise InputError("is not an approval", where=str(path),
                                 why=str(error).split("\n")[0][:300],
                                 remedy="`ccis approve` makes one") from error
            found += [Approval(words.approves, words.record_sha256, words.to, each,
                               document.decode()) for each in sorted(by)]
    return found
