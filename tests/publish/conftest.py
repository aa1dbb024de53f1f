"""Small builds with real files, and real GnuPG keys, for the tests of the publisher."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from host.progress import Silent
from images.record import Artefact, BuildRecord, Package, dump
from publish.gpg import Gpg
from publish.policies import load_policy
from publish.sign import Signer, rehearsal_signer
from publish.tree import Options, Publication, publish

MakeBuild = Callable[..., Path]
Publish = Callable[..., Publication]

IMAGES = "centos/10-stream/x86_64/images"


def build_record(
    name: str, build_id: str, flavour: str, artefacts: list[Artefact], arch: str,
) -> BuildRecord:
    return BuildRecord(
        name=name, image="generic-cloud", flavour=flavour, release="rehearsal-10",
        distribution="CentOS-Stream", version="10", arch=arch, build_id=build_id,
        public_path="centos/10-stream", spec="baseline", engine="direct", engine_reason="a test",
        kickstart="generic-cloud.ks", kickstart_sha256="0" * 64, digest="d" * 64,
        source_date_epoch=1_790_000_000, repositories=[],
        packages=[Package(name="bash", epoch=0, version="5.2", release="1", arch="x86_64",
                          repository="baseos", sha256="1" * 64)],
        artefacts=artefacts, steps=[], tools={},
    )


@pytest.fixture
def make_build(tmp_path: Path) -> MakeBuild:
    """Return a function that makes the folder of a build, with these contents by extension."""
    def make(
        build_id: str = "20261121.0", files: Mapping[str, bytes] | None = None,
        flavour: str = "GenericCloud", where: str = "build", arch: str = "x86_64",
    ) -> Path:
        name = f"CentOS-Stream-{flavour}-10-{build_id}.{arch}"
        contents = files if files is not None else {"qcow2": b"QFI\xfb" + build_id.encode() * 500}
        folder = tmp_path / where / name
        folder.mkdir(parents=True)
        artefacts = []
        for extension, content in contents.items():
            file = folder / f"{name}.{extension}"
            file.write_bytes(content)
            artefacts.append(Artefact(
                format=extension, file=file.name, size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(), virtual_size_bytes=10 << 30,
            ))
        record = build_record(name, build_id, flavour, artefacts, arch)
        (folder / "build.json").write_text(dump(record))
        return folder

    return make


@pytest.fixture(scope="session")
def signing_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache with one rehearsal key, for all tests of this room."""
    # Short: GnuPG may have to put a socket into it, and those have at most 107 characters.
    return tmp_path_factory.mktemp("c")


@pytest.fixture(autouse=True)
def _own_cache(signing_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only while a test of this room runs: the other rooms share what the host's cache has."""
    monkeypatch.setenv("CCIS_CACHE", str(signing_cache))


@pytest.fixture(scope="session")
def signer(signing_cache: Path) -> Signer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CCIS_CACHE", str(signing_cache))
        return rehearsal_signer()


@pytest.fixture(scope="session")
def other_signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """Return a second key, with a passphrase, in a home of its own."""
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    phrase = home / "phrase"
    phrase.write_text("correct horse\n")
    Gpg(home).secret(["--quiet", "--pinentry-mode", "loopback", "--passphrase-file", phrase,
                      "--quick-generate-key", "other@localhost.invalid", "ed25519", "sign"])
    return Signer(Gpg(home), Gpg(home).fingerprints()[0], phrase)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "public"


@pytest.fixture
def put(root: Path, signer: Signer) -> Publish:
    """Return a function that publishes builds into the test's tree."""
    def publish_into(
        *builds: Path, by: Signer | None = None, replace_key: bool = False,
        now_s: float | None = None, policy: str = "rehearsal", **options: Any,
    ) -> Publication:
        return publish(builds, root, by or signer, Silent(),
                       Options(load_policy(policy), **options), replace_key=replace_key,
                       now_s=now_s)

    return publish_into
