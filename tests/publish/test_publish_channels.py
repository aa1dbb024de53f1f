"""Channels: who gets in by which gate, what each offers, and how a build gets out again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host.errors import CcisError, CheckFailedError, InputError
from host.progress import Silent
from images.proof import Proof, add
from images.record import read
from publish.approvals import approve, read_approvals
from publish.change import change
from publish.find import find_build
from publish.model import Index, PublishedBuild, moment
from publish.moves import (
    Move,
    deprecation,
    edit_of,
    pinning,
    promotion,
    rollback,
    withdrawal,
)
from publish.policies import Policy, load_policy
from publish.retention import decide, pruning
from publish.sign import Signer
from publish.status import status
from publish.verify import verify
from tests.publish.conftest import IMAGES, MakeBuild, Publish

T0 = 1_800_000_000
HOUR, DAY = 3600, 86400
STEM = "CentOS-Stream-GenericCloud-10"


def name(build_id: str) -> str:
    return f"{STEM}-{build_id}.x86_64"


def prove(folder: Path, *firmware: str | None, passed: bool = True) -> Path:
    """Write what `ccis validate` (None) and `ccis boot` found of a build's first artefact."""
    first = read(folder).artefacts[0]
    add(folder, [Proof(artefact=first.file, sha256=first.sha256, spec="baseline", firmware=each,
                       passed=passed, failed=[] if passed else ["clean.machine-id"])
                 for each in firmware])
    return folder


@pytest.fixture
def policy(tmp_path: Path, other_signer: Signer) -> Policy:
    """Return the SIG's policy with somebody who approves."""
    text = Path("publish/policy/sig.yaml").read_text()
    file = tmp_path / "own.yaml"
    file.write_text(text.replace("approvers: []", f"approvers: [{other_signer.fingerprint}]"))
    return load_policy(str(file))


Do = Callable[..., PublishedBuild]


@pytest.fixture
def do(root: Path, signer: Signer, policy: Policy) -> Do:
    """Return a function that moves a build of the test's tree, and proves the tree afterwards."""
    def move(build_id: str, its: Move, at_s: int) -> PublishedBuild:
        path, _, _ = find_build(root, name(build_id))
        change(root, {path: edit_of(name(build_id), its, policy)}, signer, Silent(), now_s=at_s)
        assert verify(root).findings == []
        return find_build(root, name(build_id))[2]

    return move


@pytest.fixture
def nightly(make_build: MakeBuild, put: Publish, tmp_path: Path, policy: Policy) -> Publish:
    """Return a function that publishes a proven night by the SIG's policy."""
    def publish(build_id: str, at_s: int, *proofs: str | None) -> Any:
        folder = prove(make_build(build_id), *(proofs or (None, "bios", "uefi")))
        put(folder, now_s=at_s, policy=str(tmp_path / "own.yaml"))
        return folder

    return publish


def content(root: Path, word: str) -> str | None:
    """Return the build id that an alias's content is of, as test builds are made."""
    path = root / IMAGES / f"{STEM}-{word}.x86_64.qcow2"
    return path.read_bytes()[4:14].decode() if path.exists() else None


def offered(root: Path) -> dict[str, str | None]:
    return {word: content(root, word) for word in ("development", "testing", "latest")}


def to_production(
    root: Path, do: Do, policy: Policy, signer: Signer, other: Signer, build_id: str, at_s: int,
    tmp_path: Path,
) -> PublishedBuild:
    """Take a build all the way, 50 hours in testing included."""
    do(build_id, promotion("testing", policy, signer.fingerprint), at_s)
    entry = find_build(root, name(build_id))[2]
    yes, keys = tmp_path / f"{build_id}.asc", tmp_path / "keys.asc"
    yes.write_text(approve(entry, "production", moment(at_s + HOUR), other))
    keys.write_text(other.public_key())
    approvals = read_approvals([yes], keys)
    return do(build_id, promotion("production", policy, signer.fingerprint, approvals),
              at_s + 50 * HOUR)


def test_a_build_goes_up_gate_by_gate_and_no_byte_moves(
    root: Path, nightly: Publish, do: Do, policy: Policy, signer: Signer, other_signer: Signer,
    tmp_path: Path,
) -> None:
    nightly("20261120.0", T0)
    file = root / IMAGES / f"{name('20261120.0')}.qcow2"
    inode = file.stat().st_ino
    assert offered(root) == {"development": "20261120.0", "testing": None, "latest": None}
    build = to_production(root, do, policy, signer, other_signer, "20261120.0", T0, tmp_path)
    nightly("20261121.0", T0 + 60 * HOUR)
    assert offered(root) == {"development": "20261121.0", "testing": "20261120.0",
                             "latest": "20261120.0"}
    assert file.stat().st_ino == inode
    assert [(event.action, event.channel, [gate.gate for gate in event.gates])
            for event in build.history] == [
        ("published", "development", ["proven"]),
        ("promoted", "testing", ["proven", "booted"]),
        ("promoted", "production", ["hours-in", "approved"])]
    assert other_signer.fingerprint in build.history[2].gates[1].evidence
    assert "BEGIN PGP SIGNED MESSAGE" in build.history[2].gates[1].document


def test_nobody_publishes_what_nobody_proved(
    root: Path, make_build: MakeBuild, put: Publish, do: Do, policy: Policy, signer: Signer,
) -> None:
    build = make_build("20261120.0")
    with pytest.raises(CheckFailedError, match="nobody proved"):
        put(build, policy="sig")
    assert list(root.iterdir()) == []
    prove(build, None, passed=False)
    with pytest.raises(CheckFailedError, match=r"fails baseline: clean\.machine-id"):
        put(build, policy="sig")
    put(build, policy="sig", unproven="the validator can't read it", now_s=T0)
    entry = find_build(root, name("20261120.0"))[2]
    assert entry.unproven == "the validator can't read it"
    assert "not proven" in entry.history[0].gates[0].evidence
    with pytest.raises(CheckFailedError):
        do("20261120.0", promotion("testing", policy, signer.fingerprint), T0)


def test_a_proof_of_other_bytes_is_none(make_build: MakeBuild, put: Publish) -> None:
    older, newer = make_build("20261120.0"), make_build("20261120.0", {"qcow2": b"x"}, where="b")
    prove(older, None)
    (newer / "report.json").write_bytes((older / "report.json").read_bytes())
    with pytest.raises(CheckFailedError, match="nobody proved"):
        put(newer, policy="sig")


@pytest.mark.parametrize(("proofs", "hours", "message"), [
    ((None,), 0, "nobody started it by bios"),
    ((None, "bios"), 0, "nobody started it by uefi"),
])
def test_testing_wants_both_firmwares(
    proofs: tuple[str | None, ...], hours: int, message: str, nightly: Publish, do: Do,
    policy: Policy, signer: Signer,
) -> None:
    folder = nightly("20261120.0", T0, *proofs)
    with pytest.raises(CheckFailedError, match=message):
        do("20261120.0", promotion("testing", policy, signer.fingerprint), T0)
    prove(folder, "bios", "uefi")  # later, in the same folder
    build = do("20261120.0", promotion("testing", policy, signer.fingerprint, (), folder), T0)
    assert build.channel == "testing"


def test_production_names_every_gate_that_is_closed(
    nightly: Publish, do: Do, policy: Policy, signer: Signer,
) -> None:
    nightly("20261120.0", T0)
    do("20261120.0", promotion("testing", policy, signer.fingerprint), T0)
    with pytest.raises(CheckFailedError) as caught:
        do("20261120.0", promotion("production", policy, signer.fingerprint), T0 + 47 * HOUR)
    assert "47.0 hours" in str(caught.value) and "0 of 1 persons" in str(caught.value)


def test_an_approval_is_of_one_person_for_one_build_and_one_channel(
    root: Path, nightly: Publish, do: Do, policy: Policy, signer: Signer, other_signer: Signer,
    tmp_path: Path,
) -> None:
    for build_id in ("20261120.0", "20261121.0"):
        nightly(build_id, T0)
        do(build_id, promotion("testing", policy, signer.fingerprint), T0)
    entry = find_build(root, name("20261120.0"))[2]
    keys, yes = tmp_path / "keys.asc", tmp_path / "yes.asc"
    keys.write_text(other_signer.public_key())

    def attempt(text: str, build_id: str = "20261120.0") -> None:
        yes.write_text(text)
        approvals = read_approvals([yes], keys)
        do(build_id, promotion("production", policy, signer.fingerprint, approvals),
           T0 + 50 * HOUR)

    good = approve(entry, "production", moment(T0), other_signer)
    for text, build_id in (
        (approve(entry, "testing", moment(T0), other_signer), "20261120.0"),  # another channel
        (good, "20261121.0"),  # another build
        (approve(entry.model_copy(update={"record": entry.record.model_copy(
            update={"sha256": "0" * 64})}), "production", moment(T0), other_signer), "20261120.0"),
    ):
        with pytest.raises(CheckFailedError, match="0 of 1 persons"):
            attempt(text, build_id)
    with pytest.raises(InputError, match="is not an approval"):  # the tree's own key
        attempt(approve(entry, "production", moment(T0), signer))
    with pytest.raises(InputError, match="is not an approval"):
        attempt(good.replace("production", "testing   "))
    attempt(good)


def test_a_rollback_gives_the_name_back_to_the_build_before_with_a_new_time(
    root: Path, nightly: Publish, do: Do, policy: Policy, signer: Signer, other_signer: Signer,
    tmp_path: Path,
) -> None:
    latest = root / IMAGES / f"{STEM}-latest.x86_64.qcow2"
    nightly("20261120.0", T0)
    to_production(root, do, policy, signer, other_signer, "20261120.0", T0, tmp_path)
    first_time = latest.stat().st_mtime
    with pytest.raises(InputError, match="no other build"):
        do("20261120.0", rollback("production", "it does not boot"), T0 + 51 * HOUR)
    nightly("20261121.0", T0 + 52 * HOUR)
    to_production(root, do, policy, signer, other_signer, "20261121.0", T0 + 52 * HOUR, tmp_path)
    second_time = latest.stat().st_mtime
    build = do("20261121.0", rollback("production", "it does not boot"), T0 + 120 * HOUR)
    assert (build.channel, build.history[-1].reason) == ("testing", "it does not boot")
    assert offered(root) == {"development": "20261121.0", "testing": "20261121.0",
                             "latest": "20261120.0"}
    assert first_time < second_time < latest.stat().st_mtime  # for wget -N and the like


def test_a_deprecated_build_leaves_its_names_to_another(
    root: Path, nightly: Publish, do: Do,
) -> None:
    nightly("20261120.0", T0)
    nightly("20261121.0", T0 + HOUR)
    with pytest.raises(InputError, match="no other build"):
        do("20261121.0", deprecation("", name("20261199.0")), T0 + 2 * HOUR)
    build = do("20261121.0", deprecation("slow", name("20261120.0")), T0 + 2 * HOUR)
    assert build.deprecated and build.deprecated.replaced_by == name("20261120.0")
    assert content(root, "development") == "20261120.0"
    assert (root / IMAGES / f"{name('20261121.0')}.qcow2").exists()
    do("20261120.0", deprecation("slow", None), T0 + 3 * HOUR)
    assert content(root, "development") == "20261121.0"  # better than nothing


def test_a_withdrawn_build_is_gone_at_once_and_its_name_is_never_used_again(
    root: Path, nightly: Publish, do: Do, put: Publish, tmp_path: Path,
) -> None:
    folder = nightly("20261120.0", T0)
    nightly("20261121.0", T0 + HOUR)
    build = do("20261121.0", withdrawal("a key was left in it"), T0 + 2 * HOUR)
    assert build.withdrawn and build.withdrawn.reason == "a key was left in it"
    assert content(root, "development") == "20261120.0"
    assert not list((root / IMAGES).glob("*20261121*.qcow2*"))
    assert "20261121.0.x86_64.qcow2" not in (root / IMAGES / "CHECKSUM").read_text()
    assert "a key was left in it" in (root / IMAGES / "index.json").read_text()
    again = folder.with_name(name("20261121.0"))
    with pytest.raises(InputError, match="was withdrawn"):
        put(again, policy=str(tmp_path / "own.yaml"))
    for its in (pinning(True), withdrawal("x"), deprecation("x", None)):
        with pytest.raises(InputError, match="withdrawn"):
            do("20261121.0", its, T0 + 3 * HOUR)


def test_retention_keeps_the_last_the_pinned_the_young_and_announces_the_rest(
    root: Path, nightly: Publish, do: Do, policy: Policy, signer: Signer,
) -> None:
    for day in range(8):
        nightly(f"2026110{day}.0", T0 + day * DAY)
    do("20261100.0", pinning(True), T0 + 8 * DAY)
    assert policy.retention
    index = find_build(root, name("20261100.0"))[1]

    def fates(at_s: int) -> dict[str, str]:
        found = find_build(root, name("20261100.0"))[1]
        assert policy.retention
        return {each.build[30:40]: each.verdict for each in decide(found, policy.retention, at_s)}

    assert set(fates(T0 + 9 * DAY).values()) == {"stays"}  # all are young
    late = T0 + 32 * DAY
    assert [build for build, fate in fates(late).items() if fate != "stays"] == [
        "20261101.0", "20261102.0"]  # the pinned one, and the last five, stay
    edit = {IMAGES: pruning(policy, policy.retention)}
    change(root, edit, signer, Silent(), now_s=late)
    gone = root / IMAGES / f"{name('20261101.0')}.qcow2"
    assert gone.exists() and fates(late + HOUR)["20261101.0"] == "leaves later"
    assert change(root, edit, signer, Silent(), now_s=late + HOUR).folders[0].removed == []
    done = change(root, edit, signer, Silent(), now_s=late + 25 * HOUR)
    assert done.folders[0].removed == [name("20261101.0"), name("20261102.0")]
    assert not gone.exists()
    assert verify(root).findings == []
    assert len(index.builds) == 8


def test_an_overdue_series_is_said(
    root: Path, nightly: Publish, do: Do, policy: Policy, signer: Signer, other_signer: Signer,
    tmp_path: Path,
) -> None:
    nightly("20261120.0", T0)
    to_production(root, do, policy, signer, other_signer, "20261120.0", T0, tmp_path)
    found = {IMAGES: find_build(root, name("20261120.0"))[1]}
    entered = T0 + 50 * HOUR
    for at_s, overdue in ((entered + 167 * HOUR, []), (entered + 169 * HOUR, ["production"])):
        said = status(found, None, at_s)
        assert [each.channel for each in said.overdue] == overdue
        assert [each.due for each in said.series if each.channel == "production"] == [
            moment(entered + 168 * HOUR)]
    assert json.loads(said.dump())["series"][0]["build"] == name("20261120.0")


@pytest.mark.parametrize(("text", "message"), [
    ("gate: provn", "there is no gate"),
    ("gate: hours-in\n        channel: testing\n        hours: -1", "greater than or equal"),
    ("gate: hours-in\n        channel: testing\n        hours: 1\n        days: 2", "days"),
    ("nothing", "there is no gate"),
])
def test_a_wrong_gate_in_a_policy_is_said(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("name: p\ntitle: P\npublish_into: testing\nchannels:\n  testing:\n    gates:\n"
                    f"      - {text}\n")
    with pytest.raises(CcisError, match=message):
        load_policy(str(file))


def test_an_index_of_the_first_schema_goes_on_in_production(
    root: Path, make_build: MakeBuild, put: Publish, signer: Signer,
) -> None:
    put(make_build("20261120.0"))
    file = root / IMAGES / "index.json"
    value = json.loads(file.read_text())
    value["schema_version"] = 1
    for key in ("revision", "updated", "policy", "channels", "url", "interval_hours"):
        del value[key]
    for build in value["builds"]:
        for key in ("channel", "pinned", "leaves", "deprecated", "withdrawn", "unproven", "proofs",
                    "history", "provenance"):
            del build[key]
        for each in build["files"]:
            del each["aliases"]
    file.write_text(json.dumps(value))
    (root / IMAGES / "index.json.asc").write_text(signer.detached(file.read_text()))
    put(make_build("20261121.0"))
    assert verify(root).findings == []
    index = Index.model_validate_json(file.read_text())
    assert [build.channel for build in index.builds] == ["production", "production"]


def test_an_index_of_a_newer_schema_is_left_alone_with_one_word(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    put(make_build("20261120.0"))
    file = root / IMAGES / "index.json"
    file.write_text(file.read_text().replace('"schema_version": 2', '"schema_version": 3'))
    with pytest.raises(InputError, match="newer than 2, the newest that this ccis knows"):
        put(make_build("20261121.0"))
    assert any("update ccis" in finding.problem for finding in verify(root).findings)
