"""Folders of builds: none is ever written over by another build."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.conftest import Command

KICKSTART = """bootloader --disabled
rootpw --lock
%packages --nocore --exclude-weakdeps
bash
-kernel
-chrony
%end
"""


def test_two_kickstarts_of_one_name_and_a_later_format_have_folders_of_their_own(
    ccis: Command, tmp_path: Path,
) -> None:
    out = tmp_path / "out"

    def build(kickstart: Path, image_format: str, *more: str, status: int = 0) -> str:
        done = ccis("build", "container-minimal", "--kickstart", kickstart, "--release",
                    "rehearsal-10", "--format", image_format, "--out", out, *more, status=status)
        return done.stdout.splitlines()[0].rstrip("/") if status == 0 else done.stderr

    for name in ("one", "two: a,b\\c ünï"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "ks.cfg").write_text(
            KICKSTART if name == "one" else f"{KICKSTART}%post\ntrue\n%end\n")
    first = Path(build(tmp_path / "one/ks.cfg", "tar-zst"))
    proof = first / "report.json"
    proof.write_text('{"schema_version": 1, "proofs": []}')
    second = Path(build(tmp_path / "two: a,b\\c ünï/ks.cfg", "tar-zst"))
    third = Path(build(tmp_path / "one/ks.cfg", "tar-zst,openvz"))
    assert len({first, second, third}) == 3
    assert [json.loads((folder / "build.json").read_text())["build_id"].partition(".")[2]
            for folder in (first, second, third)] == ["0", "1", "2"]
    assert Path(build(tmp_path / "one/ks.cfg", "tar-zst")) == first, "the same build has its folder"
    assert proof.exists(), "what was proven of these bytes is still proven"
    taken = json.loads((first / "build.json").read_text())["build_id"]
    refused = build(tmp_path / "two: a,b\\c ünï/ks.cfg", "tar-zst", "--build-id", taken, status=2)
    assert "another build is there already" in refused and f"{taken[:8]}.1" in refused
    assert all(file.exists() for folder in (first, second, third)
               for file in map(folder.joinpath, (
                   each["file"] for each in json.loads(
                       (folder / "build.json").read_text())["artefacts"])))
