"""The chain of trust: from one offline root to each file; python-tuf's own client is the judge."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.dsse import Envelope
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata
from tuf.ngclient import Updater, UpdaterConfig

from host.errors import CcisError, CheckFailedError, InputError
from host.progress import Silent
from publish.chain.ceremony import accept, first, following, read_proposal, sign, write_proposal
from publish.chain.gather import gather
from publish.chain.keys import new_key, read_public, signers
from publish.chain.refresh import install, prepare, publish_timestamp
from publish.chain.store import Store
from publish.model import Index, moment
from publish.policies import load_policy
from publish.provenance import check
from publish.report import Report
from publish.sign import Signer
from publish.tree import Options, publish
from publish.verify import Wish, verify
from publish.workshop import workshop
from tests.publish.conftest import IMAGES, MakeBuild
from tests.publish.servers import nginx

OLD = "CentOS-Stream-GenericCloud-10-20261120.0.x86_64"
NEW = "CentOS-Stream-GenericCloud-10-20261121.0.x86_64"
ROLE = IMAGES.replace("/", "--")


def now() -> str:
    return moment(datetime.datetime.now(datetime.UTC).timestamp())


@dataclass
class Sig:
    """A SIG with two holders of root keys, online keys, and a tree."""

    place: Path
    root: Path
    signer: Signer
    make_build: MakeBuild

    def key(self, name: str) -> Path:
        path = self.place / f"{name}.pem"
        new_key(path)
        return path

    def put(self, *build_ids: str, size: int = 4000) -> None:
        builds = [self.make_build(each, {"qcow2": each.encode() * (size // 10)})
                  for each in build_ids]
        publish(builds, self.root, self.signer, Silent(), Options(load_policy("rehearsal")),
                chain=self.online)

    @property
    def online(self) -> Any:
        return signers([self.place / "online"])

    def accept(self, proposal: Any, *keys: Path) -> None:
        sign(proposal, signers(list(keys)))
        with workshop(self.root) as works:
            accept(works, proposal, gather(works.root, {}, self.signer, Silent()), self.online,
                   now())

    def renew(self, at: str | None = None) -> None:
        with workshop(self.root) as works:
            prepared = prepare(Store(works.root), gather(works.root, {}, None, Silent()),
                               self.online, at or now(), renew=True)
            install(works, prepared)
            publish_timestamp(works, prepared)

    def verify(self, tree: Path | str | None = None, **wish: Any) -> Report:
        return verify(tree or self.root, wish=Wish(root_key=self.first_root, **wish))

    @property
    def first_root(self) -> Path:
        return self.place / "first-root.json"


@pytest.fixture
def sig(tmp_path: Path, root: Path, signer: Signer, make_build: MakeBuild) -> Sig:
    """Return a SIG whose tree has two nights and a root that two of three persons signed."""
    found = Sig(tmp_path / "keys", root, signer, make_build)
    (found.place / "online").mkdir(parents=True)
    publish([make_build("20261120.0")], root, signer, Silent(), Options(load_policy("rehearsal")))
    holders = [found.key(f"root-{number}") for number in (1, 2, 3)]
    for role in ("targets", "snapshot", "timestamp"):
        found.key(f"online/{role}")
    public = {role: [read_public(found.place / f"online/{role}.pub")]
              for role in ("targets", "snapshot", "timestamp")}
    proposal = first({"root": [read_public(each.with_suffix(".pub")) for each in holders],
                      **public}, 2, now())
    found.accept(proposal, *holders[:2])
    shutil.copy(root / "tuf/1.root.json", found.first_root)
    found.put("20261121.0")
    return found


@pytest.fixture
def served(sig: Sig, tmp_path: Path) -> Iterator[str]:
    with nginx(sig.root, tmp_path / "nginx") as url:
        yield url


def problems(report: Report) -> dict[str, str]:
    return {finding.file: finding.problem for finding in report.findings}


def test_a_tree_is_verified_from_the_root_alone(sig: Sig) -> None:
    report = sig.verify()
    assert report.findings == []
    assert report.trust == "pinned"
    assert report.chain and report.chain["root"] == 1
    assert report.fingerprints == [sig.signer.fingerprint]


def test_a_stranger_verifies_it_over_http_from_the_public_half_of_one_root_key(
    sig: Sig, served: str,
) -> None:
    report = verify(served, wish=Wish(root_key=sig.place / "root-1.pub"))
    assert report.findings == []
    assert report.bytes_hashed > 3 * 4000
    other = new_key(sig.place / "stranger.pem")
    report = verify(served, wish=Wish(root_key=sig.place / "stranger.pub"))
    assert other.keyid[:16] in problems(report)["tuf/1.root.json"]


def test_python_tuf_s_own_client_gets_a_target(sig: Sig, served: str, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "t").mkdir()
    client = Updater(str(tmp_path / "m"), f"{served}/tuf/", str(tmp_path / "t"), f"{served}/",
                     config=UpdaterConfig(prefix_targets_with_hash=False),
                     bootstrap=sig.first_root.read_bytes())
    target = client.get_targetinfo(f"{IMAGES}/{NEW}.qcow2")
    assert target is not None and target.custom["channel"] == "production"
    path = Path(client.download_target(target))
    assert path.read_bytes() == (sig.root / IMAGES / f"{NEW}.qcow2").read_bytes()
    assert client.get_targetinfo(f"{IMAGES}/nothing") is None


def test_a_change_without_the_online_keys_is_refused_and_changes_nothing(
    sig: Sig, make_build: MakeBuild,
) -> None:
    before = {path: path.read_bytes() for path in sig.root.rglob("*") if path.is_file()}
    build = make_build("20261122.0")
    options = Options(load_policy("rehearsal"))
    with pytest.raises(InputError, match="--trust-keys"):
        publish([build], sig.root, sig.signer, Silent(), options)
    (sig.place / "online/snapshot.pem").unlink()
    with pytest.raises(InputError, match="role snapshot can't be signed"):
        publish([build], sig.root, sig.signer, Silent(), options, chain=sig.online)
    assert {path: path.read_bytes() for path in sig.root.rglob("*") if path.is_file()} == before


def test_one_of_two_root_keys_is_not_enough(sig: Sig) -> None:
    proposal = following(Store(sig.root).trusted_root(), [], [], now())
    with pytest.raises(CheckFailedError, match="too few of its own root keys"):
        sig.accept(proposal, sig.place / "root-3.pem")


def test_an_online_key_is_revoked(sig: Sig, tmp_path: Path) -> None:
    """Whoever stole it can sign nothing any more that readers take."""
    stolen = signers([sig.place / "online/timestamp.pem"])
    keyid = next(iter(stolen))
    new = sig.key("online/timestamp-2")
    proposal = following(Store(sig.root).trusted_root(),
                         [("timestamp", read_public(new.with_suffix(".pub")))], [keyid[:12]], now())
    write_proposal(proposal, tmp_path / "root.json")  # goes from hand to hand as a file
    for holder in ("root-2", "root-3"):
        carried = read_proposal(tmp_path / "root.json")
        sign(carried, signers([sig.place / f"{holder}.pem"]))
        write_proposal(carried, tmp_path / "root.json")
    sig.accept(read_proposal(tmp_path / "root.json"))
    assert sig.verify().findings == []
    (sig.place / "online/timestamp.pem").unlink()
    sig.put("20261122.0")
    assert sig.verify().findings == []
    forged = Store(sig.root).timestamp()
    assert forged is not None
    forged.signed.version += 1
    forged.signatures.clear()
    forged.sign(stolen[keyid])
    (sig.root / "tuf/timestamp.json").write_bytes(forged.to_bytes())
    assert "tuf/timestamp.json" in problems(sig.verify())


def test_a_holder_of_a_root_key_is_replaced_and_the_first_root_still_leads_there(
    sig: Sig,
) -> None:
    old, new = read_public(sig.place / "root-1.pub"), sig.key("root-4")
    proposal = following(Store(sig.root).trusted_root(),
                         [("root", read_public(new.with_suffix(".pub")))], [old.keyid], now())
    with pytest.raises(CheckFailedError, match="the tree's present root keys"):
        sig.accept(proposal, new, sig.place / "root-2.pem")  # enough for the new root only
    sig.accept(proposal, sig.place / "root-3.pem")
    report = sig.verify()
    assert report.findings == [] and report.chain and report.chain["root"] == 2


def test_renewing_gives_the_same_state_more_time(sig: Sig) -> None:
    before = sig.verify().chain
    sig.renew()
    after = sig.verify().chain
    assert before and after
    assert after["timestamp"] == int(before["timestamp"]) + 1


def test_a_publisher_that_was_killed_before_the_timestamp_is_a_note_and_is_mended(
    sig: Sig, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The folder is new and signed, the chain a step behind: both are true to their readers."""
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("publish.change.publish_timestamp", killed)
        with pytest.raises(KeyboardInterrupt):
            sig.put("20261122.0")
    report = sig.verify()
    assert report.findings == []
    assert any("not yet in the chain" in note for note in report.notes)
    sig.put("20261123.0")
    report = sig.verify()
    assert report.findings == [] and report.notes == []


def test_a_folder_that_somebody_put_into_the_tree_is_not_vouched_for(
    sig: Sig, other_signer: Signer, make_build: MakeBuild, tmp_path: Path,
) -> None:
    publish([make_build("20261120.0", arch="aarch64")], tmp_path / "evil", other_signer, Silent(),
            Options(load_policy("rehearsal")))
    shutil.copytree(tmp_path / "evil/centos/10-stream/aarch64",
                    sig.root / "centos/10-stream/aarch64")
    shutil.copy(tmp_path / f"evil/keys/{other_signer.fingerprint}.asc", sig.root / "keys")
    found = problems(sig.verify())
    assert "knows no such folder" in found["centos/10-stream/aarch64/images"]
    with pytest.raises(CcisError, match="signed by another key"):
        sig.put("20261122.0")


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


# Tampering. Each change is made in a copy of a good tree; each is found with the file's name. The
# attacker can write everything in the tree, and has keys of his own and old states of the tree.


@dataclass
class Attack:
    """What an attacker has: a copy of the tree, an older state of it, keys of his own."""

    sig: Sig
    tree: Path
    older: Path
    other: Signer

    def flip(self, name: str, at: int = -2) -> None:
        path = self.tree / name
        content = bytearray(path.read_bytes())
        content[at] ^= 1
        path.write_bytes(content)

    def edit(self, name: str, change: Callable[[Any], None]) -> None:
        path = self.tree / name
        value = json.loads(path.read_text())
        change(value)
        path.write_text(json.dumps(value, indent=1, sort_keys=True))

    def newest(self, role: str) -> str:
        return f"tuf/{Store(self.tree).versions(role)[-1]}.{role}.json"

    def old_file(self, name: str) -> None:
        shutil.copy(self.older / name, self.tree / name)

    def old_folder(self, name: str) -> None:
        shutil.rmtree(self.tree / name)
        shutil.copytree(self.older / name, self.tree / name)

    def own_root(self) -> None:
        """Put a whole chain of the attacker's own over the tree."""
        keys = {}
        for role in ("root", "targets", "snapshot", "timestamp"):
            new_key(self.tree.parent / f"evil-{role}.pem")
            keys[role] = [read_public(self.tree.parent / f"evil-{role}.pub")]
        mine = signers([self.tree.parent / f"evil-{role}.pem" for role in keys])
        shutil.rmtree(self.tree / "tuf")
        proposal = first(keys, 1, now())
        sign(proposal, mine)
        with workshop(self.tree) as works:
            accept(works, proposal, gather(works.root, {}, self.sig.signer, Silent()), mine, now())

    def sha1(self) -> None:
        """Sign the index with the tree's own key, but by SHA-1."""
        path = self.tree / IMAGES / "index.json"
        signature = path.with_name("index.json.asc")
        signature.unlink()
        self.sig.signer.gpg.secret(["--armor", "--digest-algo", "SHA1", "--no-emit-version",
                                    "--allow-weak-digest-algos", "--output", signature,
                                    "--detach-sign", path])

    def signed_by_another(self) -> None:
        path = self.tree / IMAGES / "index.json"
        path.with_name("index.json.asc").write_text(self.other.detached(path.read_text()))

    def extra_signature(self) -> None:
        name = self.newest("snapshot")
        metadata = Metadata.from_bytes((self.tree / name).read_bytes())
        new_key(self.tree.parent / "mine.pem")
        for each in signers([self.tree.parent / "mine.pem"]).values():
            metadata.sign(each, append=True)
        (self.tree / name).write_bytes(metadata.to_bytes())

    def swap(self) -> None:
        one, two = (self.tree / IMAGES / f"{name}.qcow2" for name in (OLD, NEW))
        content = one.read_bytes(), two.read_bytes()
        one.write_bytes(content[1])
        two.write_bytes(content[0])

    def stale_latest(self) -> None:
        latest = self.tree / IMAGES / NEW.replace("20261121.0", "latest")
        path = latest.with_name(latest.name + ".qcow2")
        path.unlink()
        os.link(self.tree / IMAGES / f"{OLD}.qcow2", path)


TAMPERING: dict[str, tuple[Callable[[Attack], None], str]] = {
    "a byte of an artefact": (lambda a: a.flip(f"{IMAGES}/{NEW}.qcow2"), f"{IMAGES}/{NEW}.qcow2"),
    "a shorter artefact": (lambda a: os.truncate(a.tree / IMAGES / f"{NEW}.qcow2", 100),
                           f"{IMAGES}/{NEW}.qcow2"),
    "two artefacts swapped": (Attack.swap, f"{IMAGES}/{OLD}.qcow2"),
    "an artefact gone": (lambda a: (a.tree / IMAGES / f"{OLD}.qcow2").unlink(),
                         f"{IMAGES}/{OLD}.qcow2"),
    "-latest of yesterday": (Attack.stale_latest,
                             f"{IMAGES}/{NEW.replace('20261121.0', 'latest')}.qcow2"),
    "the record of a build": (lambda a: a.edit(f"{IMAGES}/{NEW}.build.json", lambda v: v.update(
        kickstart="other.ks")), f"{IMAGES}/{NEW}.build.json"),
    "provenance": (lambda a: a.flip(f"{IMAGES}/{NEW}.intoto.json", 100),
                   f"{IMAGES}/{NEW}.intoto.json"),
    "a checksum": (lambda a: a.flip(f"{IMAGES}/CHECKSUM", 80), f"{IMAGES}/CHECKSUM"),
    "a .SHA256SUM": (lambda a: a.flip(f"{IMAGES}/{NEW}.qcow2.SHA256SUM"),
                     f"{IMAGES}/{NEW}.qcow2.SHA256SUM"),
    "CHECKSUM replayed": (lambda a: a.old_file(f"{IMAGES}/CHECKSUM"),
                          f"{IMAGES}/{NEW.replace('20261121', '20261122')}.qcow2"),
    "a signed index replayed": (lambda a: [a.old_file(f"{IMAGES}/{name}") for name in (
        "index.json", "index.json.asc")] and None, f"{IMAGES}/index.json"),
    "a signed folder replayed": (lambda a: a.old_folder(IMAGES), f"{IMAGES}/index.json"),
    "the chain replayed": (lambda a: a.old_folder("tuf"), "tuf/timestamp.json"),
    "everything replayed": (lambda a: [a.old_folder(name) for name in ("tuf", IMAGES)] and None,
                            "tuf/timestamp.json"),
    "a timestamp replayed": (lambda a: a.old_file("tuf/timestamp.json"), "tuf/timestamp.json"),
    "a byte of the timestamp": (lambda a: a.edit("tuf/timestamp.json", lambda v: v["signed"].update(
        version=99)), "tuf/timestamp.json"),
    "a blank in the timestamp": (lambda a: (a.tree / "tuf/timestamp.json").write_text(
        (a.tree / "tuf/timestamp.json").read_text() + " ") and None, "tuf/timestamp.json"),
    "a digest in a role": (lambda a: a.edit(a.newest(ROLE), lambda v: next(iter(
        v["signed"]["targets"].values()))["hashes"].update(sha256="0" * 64)), f".{ROLE}.json"),
    "a role of another version": (lambda a: shutil.copy(
        a.tree / f"tuf/1.{ROLE}.json", a.tree / a.newest(ROLE)) and None, f".{ROLE}.json"),
    "a snapshot gone": (lambda a: (a.tree / a.newest("snapshot")).unlink(), ".snapshot.json"),
    "a signature of a stranger's": (Attack.extra_signature, ".snapshot.json"),
    "the chain's copy of an index": (lambda a: a.flip(
        f"tuf/index/{ROLE}.2.json"), f"tuf/index/{ROLE}.2.json"),
    "a chain of the attacker's own": (Attack.own_root, "tuf/"),
    "the first root replaced": (lambda a: a.edit("tuf/1.root.json", lambda v: v["signed"].update(
        expires="2099-01-01T00:00:00Z")), "tuf/1.root.json"),
    "a file more in tuf/": (lambda a: (a.tree / "tuf/notes.txt").write_text("x") and None,
                            "tuf/notes.txt"),
    "an index more in tuf/": (lambda a: (a.tree / f"tuf/index/{ROLE}.9.json").write_text("{}")
                              and None, f"tuf/index/{ROLE}.9.json"),
    "a file more in the folder": (lambda a: (a.tree / IMAGES / "evil.qcow2").write_text("x")
                                  and None, f"{IMAGES}/evil.qcow2"),
    "a file more at the top": (lambda a: (a.tree / "install.sh").write_text("x") and None,
                               "install.sh"),
    "a signature by SHA-1": (Attack.sha1, f"{IMAGES}/index.json.asc"),
    "a signature by another key": (Attack.signed_by_another, f"{IMAGES}/index.json.asc"),
    "the key that is published": (lambda a: (a.tree / f"keys/{a.sig.signer.fingerprint}.asc")
                                  .write_text(a.other.public_key()) and None, "keys/"),
}


def test_tampering_is_found_by_name_in_each_of_these_ways(
    sig: Sig, other_signer: Signer, tmp_path: Path,
) -> None:
    """One good tree, and a copy of it for each attack; the reader has seen the newest state."""
    older, state = tmp_path / "older", tmp_path / "state"
    shutil.copytree(sig.root, older)
    sig.put("20261122.0")
    sig.renew()
    assert sig.verify(state=state).findings == []
    assert len(TAMPERING) >= 25
    missed = {}
    for number, (what, (attack, where)) in enumerate(TAMPERING.items()):
        tree, seen = tmp_path / f"t{number}" / "public", tmp_path / f"s{number}"
        shutil.copytree(sig.root, tree)
        shutil.copytree(state, seen, symlinks=True)
        attack(Attack(sig, tree, older, other_signer))
        findings = sig.verify(tree, state=seen).findings
        if not any(where in finding.file and finding.problem for finding in findings):
            missed[what] = [(finding.file, finding.problem) for finding in findings]
    assert missed == {}
    assert sig.verify(state=state).findings == []


def test_a_tree_that_nobody_renewed_expires(sig: Sig, tmp_path: Path) -> None:
    """Freezing: an old state, all of it signed, is refused once its timestamp has run out."""
    ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=4)
    sig.renew(moment(ago.timestamp()))
    [finding, *_] = sig.verify(state=tmp_path / "s").findings
    assert finding.file == "tuf/timestamp.json" and "expired" in finding.problem


def test_over_http_an_attacker_s_change_is_found_as_well(
    sig: Sig, served: str,
) -> None:
    name = f"{IMAGES}/{NEW}.qcow2"
    content = bytearray((sig.root / name).read_bytes())
    content[7] ^= 1
    (sig.root / name).write_bytes(content)
    found = problems(sig.verify(served))
    assert "its content has changed" in found[name]
    assert sig.verify(served, payload=False).findings == []
    (sig.root / IMAGES / f"{OLD}.qcow2").unlink()
    assert problems(sig.verify(served, payload=False))[f"{IMAGES}/{OLD}.qcow2"] == "it is missing"


def test_one_artefact_is_verified_and_nothing_else_is_read(
    sig: Sig, served: str,
) -> None:
    latest = NEW.replace("20261121.0", "latest")
    for tree in (sig.root, served):
        for name in (f"{NEW}.qcow2", f"{latest}.qcow2", f"{IMAGES}/{OLD}.qcow2"):
            report = sig.verify(tree, artefact=name)
            assert (report.findings, report.files, report.bytes_hashed) == (
                [], 1, 5004 if OLD in name else 4000)
        with pytest.raises(InputError, match="knows 0 files"):
            sig.verify(tree, artefact="other.qcow2")
    (sig.root / IMAGES / f"{OLD}.qcow2").write_bytes(b"x" * 6000)
    assert sig.verify(served, artefact=f"{latest}.qcow2").ok
    for tree in (sig.root, served):
        found = problems(sig.verify(tree, artefact=f"{OLD}.qcow2"))
        assert "6000 or more bytes, not 5004" in found[f"{IMAGES}/{OLD}.qcow2"]


def test_a_tree_without_a_chain_can_t_be_verified_from_afar(
    tmp_path: Path, make_build: MakeBuild, root: Path, signer: Signer,
) -> None:
    publish([make_build()], root, signer, Silent(), Options(load_policy("rehearsal")))
    with nginx(root, tmp_path / "n") as url, pytest.raises(InputError, match="no chain of trust"):
        verify(url)


def test_keys_are_for_their_owner_and_are_never_overwritten(tmp_path: Path) -> None:
    new_key(tmp_path / "a.pem", b"correct horse")
    assert (tmp_path / "a.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="something already"):
        new_key(tmp_path / "a.pem")
    with pytest.raises(InputError, match="passphrase"):
        signers([tmp_path])
    assert len(signers([tmp_path], b"correct horse")) == 1
    public = tmp_path / "a.pub"
    public.write_text(public.read_text().replace('"keyid": "', '"keyid": "0'))
    with pytest.raises(InputError, match="not a public key"):
        read_public(public)


def test_what_the_library_says_of_a_bad_signature_is_an_error_of_its_own() -> None:
    """The client must know them all: else a bad tree would look like a fault of ours."""
    from tuf.api.exceptions import BadVersionNumberError, UnsignedMetadataError
    assert issubclass(UnsignedMetadataError, RepositoryError)
    assert issubclass(BadVersionNumberError, RepositoryError)
