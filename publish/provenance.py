"""Provenance of a build: an in-toto statement with SLSA's predicate, in a signed DSSE envelope.

It says of each artefact, by its SHA-256, what it was made of and how: kickstart, spec and verdict,
repositories as they were, every package with its checksum, the builder. The chain's targets keys
sign it. (https://slsa.dev/spec/v1.0/provenance, https://github.com/in-toto/attestation)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, Key

from host.urls import scrub
from images.proof import Proof
from images.record import BuildRecord, Package
from publish.checksums import Sum
from publish.merge import Build
from publish.model import PROVENANCE_SUFFIX, PublishedBuild, RecordFile

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:centos:ccis:build:1"
BUILDER = "urn:centos:ccis"


def statement(record: BuildRecord, record_sum: Sum, proofs: Sequence[Proof]) -> dict[str, Any]:
    """Return the statement about all artefacts of a build; record_sum: of its build.json."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": each.file, "digest": {"sha256": each.sha256}}
                    for each in record.artefacts],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "image": record.image, "flavour": record.flavour, "release": record.release,
                    "arch": record.arch, "kickstart": record.kickstart,
                    "kickstart_sha256": record.kickstart_sha256, "spec": record.spec,
                },
                "internalParameters": {
                    "build_id": record.build_id, "digest": record.digest, "engine": record.engine,
                    "source_date_epoch": record.source_date_epoch,
                },
                "resolvedDependencies": [
                    *({"name": each.id, "uri": scrub(each.url),
                       "digest": {"sha256": each.repomd_sha256}} for each in record.repositories),
                    *(_dependency(each) for each in record.packages),
                ],
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": dict(sorted(record.tools.items()))},
                "metadata": {"invocationId": record.name},
                "byproducts": [
                    {"name": "build.json", "digest": {"sha256": record_sum.sha256}},
                    *({"name": "report.json", "digest": {"sha256": each.sha256}, "annotations": {
                        "artefact": each.artefact, "spec": each.spec, "firmware": each.firmware,
                        "passed": each.passed, "failed": each.failed}} for each in proofs),
                ],
            },
        },
    }


def _dependency(package: Package) -> dict[str, Any]:
    """Return a package as SLSA's resource; one that a script installed has no checksum."""
    uri = (f"pkg:rpm/centos/{package.name}@{package.version}-{package.release}"
           f"?arch={package.arch}" + (f"&epoch={package.epoch}" if package.epoch else ""))
    digest = {"digest": {"sha256": package.sha256}} if package.sha256 else {}
    return {"name": package.nevra, "uri": uri, **digest}


def attested(build: Build, signers: Mapping[str, CryptoSigner], keyids: Sequence[str]) -> Build:
    """Return a build with its provenance, signed with those of the keys that are at hand."""
    record_sum = Sum(build.entry.record.size_bytes, build.entry.record.sha256)
    text = json.dumps(statement(build.record, record_sum, build.entry.proofs), sort_keys=True)
    envelope = Envelope(text.encode(), PAYLOAD_TYPE, {})
    for keyid in keyids:
        if keyid in signers:
            envelope.sign(signers[keyid])
    content = (json.dumps(envelope.to_dict(), sort_keys=True) + "\n").encode()
    total = Sum.of(content)
    entry = build.entry.model_copy(update={"provenance": RecordFile(
        file=build.record.name + PROVENANCE_SUFFIX, size_bytes=total.size_bytes,
        sha256=total.sha256)})
    return replace(build, entry=entry, provenance=content)


def check(content: bytes, build: PublishedBuild, keys: Sequence[Key]) -> None:
    """Raise ValueError, with a reason, unless it is this build's provenance, signed by one of keys.
    """
    try:
        value = json.loads(content)
        envelope = Envelope.from_dict(value)
        said = json.loads(envelope.payload)
        byproducts = said["predicate"]["runDetails"]["byproducts"]
        subjects = {each["name"]: each["digest"]["sha256"] for each in said["subject"]}
        record = next(each["digest"]["sha256"] for each in byproducts
                      if each["name"] == "build.json")
        kind = (envelope.payload_type, said["_type"], said["predicateType"])
    except Exception as error:  # a stranger's file, and the library raises what its parsers raise
        raise ValueError(f"it is no provenance: {error}"[:200]) from error
    try:
        envelope.verify(list(keys), 1)
    except (VerificationError, ValueError) as error:
        raise ValueError("no key of the chain of trust signed it") from error
    if kind != (PAYLOAD_TYPE, STATEMENT_TYPE, PREDICATE_TYPE):
        raise ValueError(f"it is no provenance but {kind[2]}"[:200])
    if record != build.record.sha256:
        raise ValueError("it is that of another build record")
    for file in build.files:
        if subjects.get(file.file) != file.sha256:
            raise ValueError(f"it does not speak of {file.file} as it is")
