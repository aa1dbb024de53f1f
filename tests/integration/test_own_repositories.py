"""A kickstart with a SIG's repository and its own key: built, labelled everywhere; refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import companions
from host.openpgp import only_key
from tests.integration.conftest import Command

KICKSTART = """bootloader --disabled
rootpw --lock
repo --name={name}
%packages --nocore --exclude-weakdeps
bash
sig-tool
-kernel
-chrony
%end
"""
OF_MINE = """name: mine
title: Mine
upstream: external
licences: MIT
key: {{url: "{url}", fingerprint: {fingerprint}}}
offers:
  - {{releases: [rehearsal-10], architectures: [x86_64], mirrors: ["{mirror}"]}}
"""
LABEL = {"repository": "rehearsal-sig", "upstream": "not-accepted", "unsigned": False,
         "packages": 1}


@pytest.fixture(scope="module")
def folder(ccis: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("sig")
    (home / "sig.ks").write_text(KICKSTART.format(name="rehearsal-sig"))
    (report,) = ccis.json(
        "build", "container-minimal", "--kickstart", home / "sig.ks", "--release", "rehearsal-10",
        "--format", "tar-zst", "--out", home)
    return Path(report["folder"])


def test_content_that_upstream_has_not_accepted_is_labelled_in_record_report_and_index(
    ccis: Command, folder: Path, tmp_path: Path,
) -> None:
    record = json.loads((folder / "build.json").read_text())
    assert record["labels"] == [LABEL]
    assert [one["name"] for one in record["packages"]
            if one["repository"] == "rehearsal-sig"] == ["sig-tool"]
    report = json.loads(ccis("validate", folder, "--json", status=1).stdout)
    assert report["labels"] == ["rehearsal-sig: 1 package not accepted upstream"]
    (origin,) = [one for one in report["results"] if one["rule"] == "packages.origin-recorded"]
    assert origin["status"] == "passed"
    ccis("publish", folder, "--root", tmp_path / "public", "--rehearsal-key", "--unproven", "test")
    (index,) = (tmp_path / "public").rglob("index.json")
    assert [build["labels"] for build in json.loads(index.read_text())["builds"]] == [[LABEL]]


def test_a_wrong_key_is_refused_with_the_line(ccis: Command, tmp_path: Path) -> None:
    home = companions.create()
    key = home / "rehearsal-external/RPM-GPG-KEY-rehearsal-external"
    (tmp_path / "mine.yaml").write_text(OF_MINE.format(
        url=key.as_uri(), fingerprint=only_key(key.read_bytes(), str(key)).fingerprint,
        mirror=(home / "rehearsal-sig/x86_64").as_uri()))
    kickstart = tmp_path / "mine.ks"
    kickstart.write_text(KICKSTART.format(name="mine"))
    words = ("container-minimal", "--kickstart", kickstart, "--release", "rehearsal-10",
             "--format", "tar-zst", "--repository", tmp_path / "mine.yaml")
    failed = ccis("build", *words, "--out", tmp_path / "out", status=4).stderr
    assert f"where:  {kickstart}:3" in failed
    assert "a package of repository 'mine' can't be trusted" in failed
    assert "is signed by another key" in failed
    assert not (tmp_path / "out").exists()
    said = ccis("plan", *words, "--allow-unsigned", "mein", status=2).stderr
    assert "nothing is taken from a repository 'mein'" in said and "mine" in said
