"""Scopes by release and rehearsal, parts, joins, overlays and waivers."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from host.errors import InputError
from images import catalogue
from images.specs import spec_of
from specs.model import joined, load, names, overlaid
from specs.scope import Scope, among
from tests.specs.test_specs_model import rule, spec


@pytest.mark.parametrize(("releases", "version", "said"), [
    (">=10", "10", True), (">=10", "9", False), (">=10", "10.1", True), ("<10", "9", True),
    ("<=9", "10", False), (">9", "10", True), (["8", "9"], "9.6", True), (["8", "9"], "10", False),
    (">=10", "rawhide", False),
])
def test_releases_are_a_bound_or_a_list(
    releases: str | list[str], version: str, said: bool,
) -> None:
    assert among(releases, version) is said
    scope = Scope(releases=releases)
    assert scope.covers(arch="x86_64", image_format="raw", shape="disk", version=version) is said


def test_a_bound_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="no bound"):
        Scope(releases="about 10")


def test_a_rule_that_the_rehearsal_cannot_meet_is_asked_of_centos_alone() -> None:
    scope = Scope(rehearsal=False)
    about = {"arch": "x86_64", "image_format": "raw", "shape": "disk"}
    assert scope.covers(**about)  # type: ignore[arg-type]
    assert not scope.covers(**about, rehearsal=True)  # type: ignore[arg-type]


def test_every_target_has_a_spec_of_its_own() -> None:
    assert {f"targets/{name}" for name in catalogue.target_names()} == {
        name for name in names() if name.startswith("targets/")}


@pytest.mark.parametrize("name", catalogue.image_names())
def test_an_image_meets_the_specs_of_all_its_targets(name: str) -> None:
    image = catalogue.image(name)
    ids = {one.id for one in spec_of(image).rules}
    for target in image.targets:
        assert {one.id for one in load(f"targets/{target}").rules} <= ids


def test_the_rehearsal_loosens_the_rules_that_its_overlay_names_and_no_others() -> None:
    strict = {one.id: one for one in load("baseline").rules}
    loose = {one.id: one for one in overlaid(load("baseline"), load("rehearsal")).rules}
    assert set(strict) == set(loose)
    changed = {each for each in strict if strict[each] != loose[each]}
    assert changed == {one.id for one in load("rehearsal").if_there}


def test_specs_that_contradict_each_other_are_not_joined(tmp_path: Path) -> None:
    one = load(spec(tmp_path, rule("a.x"), name="one"))
    other = load(spec(tmp_path, rule("a.x", check="{kind: absent, paths: [/y]}"), name="two"))
    assert joined([one, one]).rules == one.rules
    with pytest.raises(InputError, match="contradict"):
        joined([one, other])


WAIVED = """
waivers:
  - {{rule: {rule}, owner: me@example.org, reason: because, expires: {day}}}
"""


def test_a_waiver_holds_until_its_day_and_is_about_a_rule(tmp_path: Path) -> None:
    path = spec(tmp_path, rule("a.x"), name="one")
    path.write_text(path.read_text() + WAIVED.format(rule="a.x", day="2030-01-31"))
    (waiver,) = load(path).waivers
    assert waiver.holds(date(2030, 1, 31))
    assert not waiver.holds(date(2030, 1, 31) + timedelta(days=1))
    assert "EXPIRED" in waiver.said(date(2031, 1, 1))
    path.write_text(path.read_text().replace("rule: a.x", "rule: a.gone"))
    with pytest.raises(InputError, match=r"waives a\.gone"):
        load(path)
