"""Specs: what a file may say, what overlays do, and which errors a person sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.errors import InputError
from specs.kinds import KINDS
from specs.model import load

RULE = """
  - id: {id}
    title: A rule
    rationale: Because
    {more}
    check: {check}
"""


def spec(folder: Path, *rules: str, head: str = "", name: str = "one") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(f"name: {name}\ntitle: A spec\n{head}\nrules:" + "".join(rules))
    return path


def rule(rule_id: str = "clean.it", check: str = "{kind: absent, paths: [/it]}",
         more: str = "severity: must") -> str:
    return RULE.format(id=rule_id, check=check, more=more)


def test_the_baseline_has_rules_of_every_tier_and_each_says_why() -> None:
    baseline = load("baseline")
    assert len(baseline.rules) >= 24
    for tier in ("artefact", "offline", "boot"):
        assert baseline.of_tier(tier), tier
    assert {one.id.split(".")[0] for one in baseline.rules} >= {
        "identity", "clean", "security", "cloud", "boot"}
    assert {one.check.kind for one in baseline.rules} <= set(KINDS)


def test_the_builder_seals_what_is_left_of_a_build() -> None:
    sealed = {one.id: one.check for one in load("baseline").sealed(
        arch="x86_64", image_format="qcow2", shape="disk")}
    assert sealed["identity.machine-id"].kind == "empty_file"
    assert sealed["identity.host-keys"].kind == "absent"
    assert all(check.sealable for check in sealed.values())


def test_a_rule_can_be_about_some_images_only(tmp_path: Path) -> None:
    path = spec(tmp_path, rule(more="applies_to: {architectures: [aarch64], shapes: [disk]}\n"
                                    "    seal: true"))
    loaded = load(path)
    assert loaded.sealed(arch="aarch64", image_format="raw", shape="disk")
    assert not loaded.sealed(arch="x86_64", image_format="raw", shape="disk")
    assert not loaded.sealed(arch="aarch64", image_format="raw", shape="container")


def test_firmware_matters_only_where_a_boot_is_asked_about(tmp_path: Path) -> None:
    path = spec(tmp_path, rule(more="applies_to: {firmware: [uefi]}"))
    scope = load(path).rules[0].applies_to
    assert scope.covers(arch="x86_64", image_format="raw", shape="disk")
    assert scope.covers(arch="x86_64", image_format="raw", shape="disk", firmware="uefi")
    assert not scope.covers(arch="x86_64", image_format="raw", shape="disk", firmware="bios")


@pytest.mark.parametrize(("check", "more", "line", "message"), [
    ("{kind: absent, paths: [/it], path: /it}", "severity: must", 8, "path: extra inputs"),
    ("{kind: nonsense}", "severity: must", 8, "nonsense"),
    ("{kind: absent, paths: [it]}", "severity: must", 8, "not a path from the root"),
    ("{kind: absent, paths: [/a/../b]}", "severity: must", 8, "'..'"),
    ("{kind: absent, paths: ['/a/**b']}", "severity: must", 8, "** must be a whole part"),
    ("{kind: absent, paths: []}", "severity: must", 8, "at least 1"),
    ("{kind: empty_file, paths: ['/a*']}", "severity: must", 8, "is a pattern"),
    ("{kind: file_matches, paths: [/a], lines: ['(']}", "severity: must", 8,
     "not a regular expression"),
    ("{kind: file_matches, paths: [/a]}", "severity: must", 8, "needs lines or not_lines"),
    ("{kind: package_installed, names: [a]}", "seal: true", 4, "can't be sealed"),
    ("{kind: absent, paths: [/it]}", "severity: perhaps", 7, "'must' or 'should'"),
])
def test_a_mistake_is_named_with_file_and_line(
    tmp_path: Path, check: str, more: str, line: int, message: str,
) -> None:
    path = spec(tmp_path, rule(check=check, more=more))
    with pytest.raises(InputError) as caught:
        load(path)
    assert message in str(caught.value)
    assert str(caught.value.where).startswith(f"{path}:")
    assert abs(int(str(caught.value.where).rpartition(":")[2]) - line) <= 1


def test_two_rules_cannot_have_one_id(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"same id: clean\.it"):
        load(spec(tmp_path, rule(), rule()))


def test_an_overlay_adds_replaces_and_drops(tmp_path: Path) -> None:
    spec(tmp_path, rule("clean.a"), rule("clean.b"), rule("clean.c"), name="base")
    over = spec(
        tmp_path, rule("clean.b", check="{kind: absent, paths: [/other]}"), rule("clean.d"),
        head="extends: base\nwithout: [clean.c]", name="over")
    loaded = load(over)
    assert [one.id for one in loaded.rules] == ["clean.a", "clean.b", "clean.d"]
    assert loaded.rules[1].check.model_dump()["paths"] == ["/other"]


@pytest.mark.parametrize(("head", "message"), [
    ("extends: nowhere", "no spec is called 'nowhere'"),
    ("extends: one", "extends itself"),
    ("extends: baseline\nwithout: [clean.nothing]", "has no rule clean.nothing"),
    ("without: [clean.it]", "nothing to drop from"),
])
def test_an_overlay_on_nothing_is_an_error(tmp_path: Path, head: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(spec(tmp_path, rule(), head=head))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError) as caught:
        load("basline")
    assert "baseline" in str(caught.value.remedy)
