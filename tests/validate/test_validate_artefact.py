"""The artefact as a file: what its header says, and headers that lie."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from host.errors import InputError
from host.jail import bounded
from host.progress import Silent
from host.run import run
from images.record import Artefact
from specs.kinds import KINDS
from specs.model import Rule, load
from tests.validate.disks import (
    MIB,
    qcow2,
    qcow2_that_names,
    qcow2_with_external_data,
    talking_disk,
)
from tests.validate.small_views import record_of, view_of
from validate.artefact import inspect
from validate.boot.run import boot
from validate.judge import judge
from validate.run import validate

SIZE = {"kind": "artefact_virtual_size", "multiple_bytes": MIB, "max_bytes": 8 * MIB}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "good.raw"
    path.write_bytes(b"disk".ljust(2 * MIB, b"\0"))
    return path


def status(check: dict[str, object], path: Path, *, recorded: Path | None = None) -> str:
    rule = Rule.model_validate({"id": "a.b", "title": "t", "rationale": "r", "check": check})
    record = None
    if recorded is not None:
        artefact = Artefact(
            format="raw", file=recorded.name, size_bytes=recorded.stat().st_size,
            sha256=hashlib.sha256(recorded.read_bytes()).hexdigest(),
            virtual_size_bytes=inspect(recorded).virtual_size_bytes)
        record = record_of("a").model_copy(update={"artefacts": [artefact]})
    return judge(rule, view_of({}, artefact=inspect(path), record=record)).status


def test_every_artefact_kind_is_tried_here_or_by_its_mutation() -> None:
    here = Path(__file__).read_text()
    mutated = {rule.check.kind for rule in load("baseline").rules}  # tests/validate/mutations
    kinds = [name for name, kind in KINDS.items()
             if kind.tier == "artefact" and name not in mutated]
    assert [name for name in kinds if f'"{name}"' not in here] == []


def test_a_qcow2_header_is_read(tmp_path: Path, raw: Path) -> None:
    facts = inspect(qcow2(tmp_path / "good.qcow2", raw))
    assert (facts.format, facts.virtual_size_bytes, facts.self_contained) == (
        "qcow2", 2 * MIB, True)


def test_content_and_name_must_agree(tmp_path: Path, raw: Path) -> None:
    assert status({"kind": "artefact_format"}, raw) == "passed"
    liar = qcow2(tmp_path / "liar.raw", raw)
    assert status({"kind": "artefact_format"}, liar) == "failed"


def test_a_backing_file_is_seen_without_opening_it(tmp_path: Path, raw: Path) -> None:
    thief = qcow2_that_names(tmp_path / "thief.qcow2", raw)
    assert inspect(thief).backing_file == str(raw)
    assert status({"kind": "artefact_self_contained"}, thief) == "failed"
    assert status({"kind": "artefact_sound"}, thief) == "failed"
    good = qcow2(tmp_path / "good.qcow2", raw)
    assert status({"kind": "artefact_self_contained"}, good) == "passed"


def test_an_external_data_file_is_seen(tmp_path: Path) -> None:
    thief = qcow2_with_external_data(tmp_path / "thief.qcow2")
    assert status({"kind": "artefact_self_contained"}, thief) == "failed"


def test_what_names_other_files_is_reported_and_never_opened(tmp_path: Path, raw: Path) -> None:
    thief = qcow2_that_names(tmp_path / "thief.qcow2", raw)
    report = validate(thief, load("baseline"), None, Silent())
    by_rule = {one.rule: one.status for one in report.results}
    assert not report.passed
    assert by_rule["artefact.self-contained"] == "failed"
    assert by_rule["security.passwords"] == "unknown"
    with pytest.raises(InputError, match="not started"):
        boot(thief, "bios", load("baseline"), None, Silent())


def test_broken_clusters_are_found(tmp_path: Path, raw: Path) -> None:
    good = qcow2(tmp_path / "good.qcow2", raw)
    assert status({"kind": "artefact_sound"}, good) == "passed"
    broken = tmp_path / "broken.qcow2"
    content = bytearray(good.read_bytes())
    refcounts_at = int.from_bytes(content[48:56], "big")
    content[refcounts_at:refcounts_at + 8] = bytes(8)
    broken.write_bytes(content)
    assert status({"kind": "artefact_sound"}, broken) == "failed"


def test_the_virtual_size_is_whole_and_not_too_large(tmp_path: Path, raw: Path) -> None:
    assert status(SIZE, raw) == "passed"
    assert status({**SIZE, "max_bytes": MIB}, raw) == "failed"
    odd = tmp_path / "odd.raw"
    odd.write_bytes(bytes(MIB + 512))
    assert status(SIZE, odd) == "failed"


def test_the_file_is_the_one_of_build_json(tmp_path: Path, raw: Path) -> None:
    assert status({"kind": "artefact_recorded"}, raw, recorded=raw) == "passed"
    assert status({"kind": "artefact_recorded"}, raw) == "not-applicable"
    folder = tmp_path / "other"
    folder.mkdir()
    changed = folder / raw.name
    changed.write_bytes(raw.read_bytes()[:-1] + b"x")
    assert status({"kind": "artefact_recorded"}, changed, recorded=raw) == "failed"
    renamed = tmp_path / "other.raw"
    renamed.write_bytes(raw.read_bytes())
    assert status({"kind": "artefact_recorded"}, renamed, recorded=raw) == "failed"


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.qcow2", b"", "is empty"),
    ("a.raw", b"", "is empty"),
    ("a.qcow2", random.Random(1).randbytes(4096), "does not begin as a qcow2"),
    ("a.qcow2", b"QFI\xfb\0\0\0\x03", "cut off"),
    ("a.qcow2", b"QFI\xfb" + b"\xff" * 200, "broken qcow2 header"),
    ("a.txt", b"hello", "can be validated"),
])
def test_what_is_no_image_is_an_input_error(
    tmp_path: Path, name: str, content: bytes, message: str,
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        validate(path, load("baseline"), None, Silent())
    assert caught.value.where == str(path)


@pytest.mark.parametrize("name", ["gone.qcow2", "folder.raw"])
def test_what_is_no_file_is_an_input_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.raw").mkdir()
    with pytest.raises(InputError, match="is not a file"):
        inspect(tmp_path / name)


@pytest.mark.parametrize(("script", "status", "kept"), [
    ("printf hello", 0, "hello"),
    ("printf hello; exit 3", 3, "hello"),
    ("yes", 141, "y\n" * 50),
])
def test_a_flood_is_cut_off_and_the_status_is_kept(script: str, status: int, kept: str) -> None:
    done = run(bounded(["sh", "-c", script], 100), check=False, timeout_s=30)
    assert (done.status, done.stdout) == (status, kept)


def test_a_flood_of_errors_is_cut_off() -> None:
    done = run(bounded(["sh", "-c", "yes >&2"], 100), check=False, timeout_s=30)
    assert done.status != 0
    assert len(done.stderr) <= 1 << 17


def test_talking_disk_is_a_boot_sector(tmp_path: Path) -> None:
    content = talking_disk(tmp_path / "t.raw", "hello").read_bytes()
    assert content[23:29] == b"hello\0"
    assert content[510:512] == b"\x55\xaa"
