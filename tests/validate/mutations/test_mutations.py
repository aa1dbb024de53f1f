"""Every rule of every spec: the model image meets it, its row's mutation breaks exactly it."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from host.files import sha256_file
from images.record import Artefact
from specs.model import Rule, load, names
from tests.validate.mutations.good import Model, good
from tests.validate.mutations.guests import SAID
from tests.validate.mutations.table import known, row
from tests.validate.small_views import guest_of, record_of
from validate.artefact import inspect
from validate.judge import applies, judge

SPECS = ["baseline", "container", "system-container",
         *(name for name in names() if name.startswith("targets/"))]


@cache
def _rules() -> list[tuple[str, Rule]]:
    """Each rule once, with the first spec that has it; a target's own form of one counts."""
    seen: dict[str, Rule] = {}
    found = []
    for name in SPECS:
        for rule in load(name).rules:
            if rule.id not in seen:
                seen[rule.id] = rule
                found.append((name, rule))
    return found


OFFLINE = [(spec, rule.id) for spec, rule in _rules() if rule.tier != "boot"]
BOOT = [(spec, rule) for spec, rule in _rules() if rule.tier == "boot"]


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with qcow2 files: good, with a snapshot, by Zstandard, broken."""
    folder = tmp_path_factory.mktemp("disks")
    for name, option in (("good", "zlib"), ("snapshot", "zlib"), ("zstd", "zstd"),
                         ("leaked", "zlib")):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o",
                        f"compression_type={option}", folder / f"{name}.qcow2", "1G"], check=True)
    subprocess.run(["qemu-img", "snapshot", "-c", "x", folder / "snapshot.qcow2"], check=True)
    with (folder / "leaked.qcow2").open("r+b") as stream:
        # A cluster that nobody uses, and whose count says that somebody does.
        stream.seek(0x20000 + 6 * 2)
        stream.write(b"\0\1")
        stream.truncate(7 << 16)
    return folder


def model(spec: str, rule_id: str, disks: Path) -> Model:
    found = good(spec, row(rule_id).arch, row(rule_id).version)
    facts = inspect(disks / "good.qcow2")
    found.artefact = facts
    artefact = [Artefact(format="qcow2", file="good.qcow2", size_bytes=facts.size_bytes,
                         sha256=sha256_file(facts.path),
                         virtual_size_bytes=facts.virtual_size_bytes)]
    found.record = found.record.model_copy(update={"artefacts": artefact})
    if "compression" in rule_id:
        found.artefact = replace(facts, ccis_format="qcow2-zlib")
    return found


def failing(found: Model, tiers: tuple[str, ...]) -> dict[str, str]:
    view = found.view()
    results = [judge(rule, view) for rule in found.spec.rules
               if rule.tier in tiers and applies(rule, view)]
    return {one.rule: f"{one.status}: {one.found}" for one in results
            if one.status in ("failed", "unknown")}


@pytest.mark.parametrize("spec", SPECS)
def test_the_model_image_meets_every_rule(spec: str, disks: Path) -> None:
    assert failing(model(spec, "identity.hosts", disks), ("artefact", "offline")) == {}


@pytest.mark.parametrize(("spec", "rule_id"), OFFLINE, ids=[rule for _, rule in OFFLINE])
def test_a_mutation_breaks_exactly_its_rule(spec: str, rule_id: str, disks: Path) -> None:
    found = model(spec, rule_id, disks)
    rule = next(rule for rule in found.spec.rules if rule.id == rule_id)
    before = judge(rule, found.view())
    assert applies(rule, found.view())
    assert before.status in ("passed", "not-applicable"), before.found
    row(rule_id).change(found)
    after = failing(found, (rule.tier,))
    assert rule_id in after, judge(rule, found.view()).found
    others = {other: why for other, why in after.items()
              if other != rule_id and not other.startswith(row(rule_id).also or ("-",))}
    assert others == {}


@pytest.mark.parametrize(("spec", "rule"), BOOT, ids=[rule.id for _, rule in BOOT])
def test_a_guest_that_answers_otherwise_breaks_its_rule(spec: str, rule: Rule) -> None:
    said = SAID[rule.id]
    user = getattr(rule.check, "name", "cloud-user")
    more = {"record": record_of("a"), "shut_down": True, "user": user}
    good_answers = [each.replace("{user}", user) for each in said.good]
    bad_answers = [each.replace("{user}", user) for each in said.bad]
    passed = judge(rule, guest_of(rule.check, good_answers, **more))
    assert passed.status == "passed", passed.found
    failed = judge(rule, guest_of(rule.check, bad_answers, **{**more, **said.more}))
    assert failed.status == "failed", failed.found


def test_no_rule_is_without_its_mutation() -> None:
    ids = {rule.id for _, rule in _rules()}
    assert ids - known() - set(SAID) == set()
    assert (known() | set(SAID)) - ids == set(), "rows of rules that are gone"


def test_there_are_as_many_rules_as_the_issue_asks_for() -> None:
    assert len(_rules()) >= 250
