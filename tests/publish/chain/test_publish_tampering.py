"""Tampering: each change of a good tree is found, with the file's name."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata

from host.progress import Silent
from publish.chain.ceremony import accept, first, sign
from publish.chain.gather import gather
from publish.chain.keys import new_key, read_public, signers
from publish.chain.store import Store
from publish.sign import Signer
from publish.workshop import workshop
from tests.publish.chain.conftest import NEW, OLD, ROLE, Sig, now
from tests.publish.conftest import IMAGES

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
