"""Proves a spec on an artefact, without starting it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from host.errors import InputError
from host.progress import Progress
from images.record import BuildRecord
from specs.model import Rule, Spec
from validate.artefact import ArtefactFacts, inspect
from validate.key import Key
from validate.reader import open_image
from validate.registry import Finding, checker
from validate.report import Report, Result, result
from validate.tree import Tree
from validate.view import View

STEP = "validate"


def validate(
    artefact: Path, spec: Spec, record: BuildRecord | None, progress: Progress,
    key: Key | None = None,
) -> Report:
    """Check the rules of the tiers `artefact` and `offline`.

    artefact: a qcow2 or raw image. record: the build.json of its build; without it, the rules
    that compare with it are not applicable. key: opens the image's LUKS containers.
    Raises InputError when the file is no image, holds no root file system or can't be opened
    with the key, HostError when this host can't read it.
    """
    started = time.monotonic()
    progress.start(STEP, len(spec.of_tier("artefact")) + len(spec.of_tier("offline")), "rules")
    facts = inspect(artefact)
    outside = _outside(facts, record)
    results = _judge(spec.of_tier("artefact"), outside, progress, 0)
    offline = spec.of_tier("offline")
    if facts.self_contained:
        try:
            with open_image(facts, record, key) as view:
                results += _judge(offline, view, progress, len(results))
        except InputError as error:
            if error.where is None:
                error.where = str(artefact)
            raise
    else:
        unseen = Finding(False, "not looked at: the artefact names other files", "")
        results += [result(rule, unseen, status="unknown") for rule in offline]
    progress.finish(STEP, note=f"{sum(one.status == 'passed' for one in results)} passed")
    return Report(
        artefact=artefact.name, spec=spec.name, duration_s=time.monotonic() - started,
        results=results,
    )


def _outside(facts: ArtefactFacts, record: BuildRecord | None) -> View:
    """Return the view of an artefact whose inside has not been opened."""
    return View(
        tree=Tree([]), read=lambda _path, _count: b"", list_packages=lambda _folder: [],
        arch=record.arch if record else "unknown", shape="disk", artefact=facts, record=record,
    )


def _judge(rules: list[Rule], view: View, progress: Progress, done: int) -> list[Result]:
    image_format = view.artefact.format if view.artefact else ""
    results = []
    for number, rule in enumerate(rules, start=done + 1):
        applies = rule.applies_to.covers(
            arch=view.arch, image_format=image_format, shape=view.shape,
        )
        results.append(judge(rule, view) if applies else result(rule, None))
        progress.advance(STEP, number, rule.id)
    return results


def judge(rule: Rule, subject: Any) -> Result:
    """Check one rule; what the image keeps from being read makes the rule unknown, not the end."""
    try:
        return result(rule, checker(type(rule.check))(rule.check, subject))
    except InputError as error:
        return result(rule, Finding(False, str(error), ""), status="unknown")
