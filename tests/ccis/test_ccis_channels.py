"""The commands of the channels from the outside, one after the other on one tree."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.ccis.test_ccis_publish_verify import cache, run
from tests.publish.conftest import MakeBuild, make_build

__all__ = ["cache", "make_build"]  # fixtures

POLICY = """
name: own
title: Own
publish_into: development
channels:
  development: {gates: []}
  production: {gates: [{gate: approved}]}
approvers: [%s]
retention: {keep_last: 1, grace_hours: 0}
freshness: {interval_hours: 24}
"""
KEY = ["--rehearsal-key", "--policy", "own.yaml"]


@pytest.fixture
def approver(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    home = tmp_path_factory.mktemp("a")
    home.chmod(0o700)
    gpg = ["gpg", "--homedir", home, "--batch", "--quiet"]
    subprocess.run([*gpg, "--passphrase", "", "--quick-generate-key", "me@localhost.invalid",
                    "ed25519"], check=True, capture_output=True)
    listing = subprocess.run([*gpg, "--with-colons", "--list-keys"], check=True, text=True,
                             capture_output=True).stdout
    subprocess.run([*gpg, "--armor", "--output", home / "public.asc", "--export"], check=True)
    return home, next(line.split(":")[9] for line in listing.splitlines()
                      if line.startswith("fpr"))


def test_from_development_to_production_and_back(
    cache: Path, tmp_path: Path, make_build: MakeBuild, approver: tuple[Path, str],
) -> None:
    home, fingerprint = approver
    (tmp_path / "own.yaml").write_text(POLICY % fingerprint)

    def ccis(*words: str | Path, status: int = 0) -> str:
        done = run(cache, tmp_path, *words)
        assert done.returncode == status, done.stderr + done.stdout
        return done.stdout + done.stderr

    older, newer = (make_build(f"2026112{day}.0") for day in range(2))
    ccis("publish", older, newer, *KEY)
    assert "0 of 1 persons" in ccis("promote", older.name, "--to", "production", *KEY, status=1)
    for build in (older, newer):
        ccis("approve", build.name, "--to", "production", "--sign-with", fingerprint,
             "--gnupg-home", home, "--out", "yes.asc")
        said = ccis("promote", build.name, "--to", "production", "--approval", "yes.asc",
                    "--approver-keys", home / "public.asc", *KEY)
        assert "now in production" in said and "-latest.x86_64.qcow2" in said
    said = ccis("rollback", newer.name, "--reason", "it does not boot", *KEY)
    assert "now in development" in said
    value = json.loads(ccis("status", "--policy", "own.yaml", "--json"))
    assert [(each["channel"], each["build"], each["overdue"]) for each in value["series"]] == [
        ("development", newer.name, False), ("production", older.name, False)]
    assert f"{newer.name} stays: it is the newest" in ccis("prune", "--dry-run", "--policy",
                                                           "own.yaml")
    ccis("pin", newer.name, *KEY)
    ccis("deprecate", newer.name, "--replaced-by", older.name, *KEY)
    assert "now withdrawn" in ccis("withdraw", newer.name, "--reason", "a key in it", *KEY)
    assert "OK: " in ccis("verify", "public")


def test_a_build_that_nobody_proved_is_not_signed_with_a_key_of_one_s_own(
    cache: Path, tmp_path: Path, make_build: MakeBuild, approver: tuple[Path, str],
) -> None:
    home, fingerprint = approver
    build = make_build()
    words = ["publish", build, "--sign-with", fingerprint, "--gnupg-home", home]
    done = run(cache, tmp_path, *words)
    assert done.returncode == 1
    assert "nobody proved" in done.stderr and "ccis validate" in done.stderr
    done = run(cache, tmp_path, *words, "--unproven", "the validator is broken")
    assert done.returncode == 0, done.stderr
    index = next((tmp_path / "public").rglob("index.json")).read_text()
    assert "the validator is broken" in index
