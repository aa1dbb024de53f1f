"""Provenance: what each artefact was made of, signed by the chain's keys; openssl is the judge."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.dsse import Envelope

from publish.chain.ceremony import following
from publish.chain.keys import new_key, read_public, signers
from publish.chain.store import Store
from publish.model import Index
from publish.provenance import check
from tests.publish.chain.conftest import NEW, OLD, Sig, now
from tests.publish.conftest import IMAGES


def envelope_of(sig: Sig, name: str) -> Path:
    return sig.root / IMAGES / f"{name}.intoto.json"


def test_provenance_says_what_each_artefact_was_made_of(sig: Sig) -> None:
    value = json.loads(envelope_of(sig, NEW).read_text())
    assert value["payloadType"] == "application/vnd.in-toto+json"
    said = json.loads(base64.b64decode(value["payload"]))
    content = (sig.root / IMAGES / f"{NEW}.qcow2").read_bytes()
    assert said["subject"] == [{"name": f"{NEW}.qcow2", "digest": {
        "sha256": hashlib.sha256(content).hexdigest()}}]
    assert said["predicateType"] == "https://slsa.dev/provenance/v1"
    made = said["predicate"]["buildDefinition"]
    assert made["externalParameters"]["kickstart"] == "generic-cloud.ks"
    assert made["resolvedDependencies"] == [{
        "name": "bash-5.2-1.x86_64", "uri": "pkg:rpm/centos/bash@5.2-1?arch=x86_64",
        "digest": {"sha256": "1" * 64}}]
    assert not envelope_of(sig, OLD).exists()  # published before there was a chain


def test_the_signature_of_provenance_is_dsse_s_and_openssl_agrees(
    sig: Sig, tmp_path: Path,
) -> None:
    """Pre-authentication encoding by hand (DSSE's protocol), signature by another library."""
    value = json.loads(envelope_of(sig, NEW).read_text())
    payload, kind = base64.b64decode(value["payload"]), value["payloadType"].encode()
    (tmp_path / "signed").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload),
                                                              payload))
    (tmp_path / "sig").write_bytes(base64.b64decode(value["signatures"][0]["sig"]))
    done = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-rawin", "-inkey", sig.place / "online/targets.pem",
         "-sigfile", tmp_path / "sig", "-in", tmp_path / "signed"], capture_output=True, text=True,
        check=False)
    assert "Verified Successfully" in done.stdout, done.stderr


def test_provenance_outlives_the_key_that_signed_it(sig: Sig) -> None:
    old = read_public(sig.place / "online/targets.pub")
    new = sig.key("online/targets-2")
    proposal = following(Store(sig.root).trusted_root(),
                         [("targets", read_public(new.with_suffix(".pub")))], [old.keyid], now())
    sig.accept(proposal, sig.place / "root-1.pem", sig.place / "root-2.pem")
    assert sig.verify().findings == []


@pytest.mark.parametrize(("change", "problem"), [
    (lambda v: v["subject"][0]["digest"].update(sha256="0" * 64), "does not speak of"),
    (lambda v: v.update(predicateType="https://example.org/other"), "is no provenance but"),
    (lambda v: v["predicate"]["runDetails"]["byproducts"][0]["digest"].update(sha256="0" * 64),
     "another build record"),
    (lambda v: v["predicate"].pop("runDetails"), "it is no provenance"),
])
def test_provenance_of_something_else_is_refused_although_it_is_signed(
    change: Callable[[Any], None], problem: str, sig: Sig,
) -> None:
    value = json.loads(envelope_of(sig, NEW).read_text())
    said = json.loads(base64.b64decode(value["payload"]))
    change(said)
    envelope = Envelope(json.dumps(said).encode(), value["payloadType"], {})
    signer = next(iter(signers([sig.place / "online/targets.pem"]).values()))
    envelope.sign(signer)
    build = next(build for build in Index.model_validate_json(
        (sig.root / IMAGES / "index.json").read_text()).builds if build.name == NEW)
    with pytest.raises(ValueError, match=problem):
        check(json.dumps(envelope.to_dict()).encode(), build, [signer.public_key])
    stranger = new_key(sig.place / "stranger.pem")
    with pytest.raises(ValueError, match="no key of the chain"):
        check(envelope_of(sig, NEW).read_bytes(), build, [stranger])
