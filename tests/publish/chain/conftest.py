"""A SIG with a release tree under a chain of trust, for the tests of the chain."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from host.progress import Silent
from publish.chain.ceremony import accept, first, sign
from publish.chain.gather import gather
from publish.chain.keys import new_key, read_public, signers
from publish.chain.refresh import install, prepare, publish_timestamp
from publish.chain.store import Store
from publish.model import moment
from publish.policies import load_policy
from publish.report import Verification
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

    def verify(self, tree: Path | str | None = None, **wish: Any) -> Verification:
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


def problems(report: Verification) -> dict[str, str]:
    return {finding.file: finding.problem for finding in report.findings}
