"""Sealing: each kind of check that can be sealed seals itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.sandbox.sandbox import Sandbox
from builder.tree import seal as sealing
from builder.tree.seal import seal
from builder.tree.tree import Tree
from host.errors import InputError
from specs.kinds import KINDS
from specs.model import Rule, load


def rule(**check: object) -> Rule:
    return Rule.model_validate({"id": "test.rule", "title": "t", "rationale": "r", "seal": True,
                                "check": check})


def test_sealing_makes_rules_true(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "var/log/deep").mkdir(parents=True)
    (root / "var/log/deep/x.log").write_text("x")
    (root / "etc").mkdir()
    (root / "etc/machine-id").write_text("0123\n")
    tree = Tree(root, Sandbox(root, 0))
    seal(tree, [
        rule(kind="absent", paths=["/var/log/**"]),
        rule(kind="empty_file", paths=["/etc/machine-id"]),
        rule(kind="file_content", path="/etc/motd", equals="hello\n"),
    ])
    assert list((root / "var/log").iterdir()) == []
    assert (root / "etc/machine-id").read_text() == ""
    assert (root / "etc/motd").read_text() == "hello\n"


def test_every_sealed_rule_of_the_baseline_can_be_sealed(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    rules = load("baseline").sealed(arch="x86_64", image_format="raw", shape="disk")
    assert len(rules) >= 5
    seal(Tree(tmp_path, Sandbox(tmp_path, 0)), rules)


def test_a_kind_is_sealable_if_there_is_what_seals_it() -> None:
    assert set(sealing.known()) == {kind for kind in KINDS.values() if kind.sealable}
    assert len(sealing.known()) >= 4


def test_lines_are_sealed_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/sshd").write_text("UsePAM yes\nPermitRootLogin yes\n")
    seal(Tree(tmp_path, Sandbox(tmp_path, 0)), [
        rule(kind="file_lines", path="/etc/sshd", lines=["PermitRootLogin no"],
             without=["^PermitRootLogin"])])
    assert (tmp_path / "etc/sshd").read_text() == "UsePAM yes\nPermitRootLogin no\n"


def test_what_nobody_can_seal_is_refused_by_its_rule(tmp_path: Path) -> None:
    unsealable = Rule.model_construct(
        id="test.rule", check=next(kind for kind in KINDS.values() if not kind.sealable)
        .model_construct(kind="strange"))
    with pytest.raises(InputError, match=r"rule test\.rule can't be sealed"):
        seal(Tree(tmp_path, Sandbox(tmp_path, 0)), [unsealable])
