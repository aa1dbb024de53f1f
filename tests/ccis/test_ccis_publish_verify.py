"""`ccis publish` and `ccis verify` from the outside: what they print and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.publish.conftest import IMAGES, MakeBuild, make_build

__all__ = ["make_build"]  # a fixture

CCIS = str(Path(sys.executable).with_name("ccis"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("k")


def run(cache: Path, cwd: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CCIS, *map(str, words)], capture_output=True, text=True, check=False,
                          cwd=cwd, env={**os.environ, "CCIS_CACHE": str(cache)}, timeout=120)


def test_publish_then_verify_then_a_changed_byte(
    cache: Path, tmp_path: Path, make_build: MakeBuild,
) -> None:
    build = make_build()
    published = run(cache, tmp_path, "publish", build, "--rehearsal-key")
    assert published.returncode == 0, published.stderr
    assert "1 new files, 1 builds" in published.stdout
    verified = run(cache, tmp_path, "verify", "public")
    assert verified.returncode == 0, verified.stdout
    assert "trust on first use" in verified.stdout
    disk = next((tmp_path / "public" / IMAGES).glob("*1.0*.qcow2"))
    content = bytearray(disk.read_bytes())
    content[100] ^= 1
    disk.write_bytes(content)
    failed = run(cache, tmp_path, "verify", "public")
    assert failed.returncode == 1
    assert f"FAIL {IMAGES}/{disk.name}: its content has changed" in failed.stdout


def test_json_of_both(cache: Path, tmp_path: Path, make_build: MakeBuild) -> None:
    published = run(cache, tmp_path, "publish", make_build(), "--rehearsal-key", "--json",
                    "--root", "tree")
    done = json.loads(published.stdout)
    [folder] = done["folders"]
    assert folder["changed"] and folder["path"] == f"tree/{IMAGES}"
    verified = run(cache, tmp_path, "verify", "tree", "--json", "--fingerprint",
                   done["fingerprint"])
    report = json.loads(verified.stdout)
    assert report["ok"] and report["trust"] == "pinned"
    (tmp_path / "tree" / IMAGES / "extra").touch()
    failed = run(cache, tmp_path, "verify", "tree", "--json")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["findings"] == [
        {"file": f"{IMAGES}/extra", "problem": "it is not part of the release"}]


@pytest.mark.parametrize("words", [[], ["--rehearsal-key", "--sign-with", "me"]])
def test_a_release_is_signed_with_exactly_one_key(
    cache: Path, tmp_path: Path, make_build: MakeBuild, words: list[str],
) -> None:
    done = run(cache, tmp_path, "publish", make_build(), *words)
    assert done.returncode == 2
    assert "exactly one key" in done.stderr
    assert "--rehearsal-key" in done.stderr
    assert not (tmp_path / "public").exists()


def test_a_folder_that_is_no_build_is_bad_input(cache: Path, tmp_path: Path) -> None:
    done = run(cache, tmp_path, "publish", tmp_path, "--rehearsal-key")
    assert done.returncode == 2
    assert "is not the folder of a build" in done.stderr


def test_a_tree_that_is_none_is_bad_input(cache: Path, tmp_path: Path) -> None:
    done = run(cache, tmp_path, "verify", "nothing")
    assert done.returncode == 2
    assert "where:  nothing" in done.stderr
