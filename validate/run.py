"""Proves a spec on an artefact, without starting it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from pathlib import Path

from host.errors import InputError
from host.progress import Progress
from images.record import BuildRecord
from specs.model import Spec
from validate.artefact import ArtefactFacts, inspected, made_as, unreadable
from validate.judge import applies, judge
from validate.key import Key
from validate.listing import Listing
from validate.packed import as_raw, kind_of
from validate.registry import Finding
from validate.report import Report, Result, result, waived
from validate.trees import facts_of, is_tree
from validate.view import View
from validate.worker import examined

STEP = "validate"


def validate(
    artefact: Path, spec: Spec, record: BuildRecord | None, progress: Progress,
    key: Key | None = None,
) -> Report:
    """Check the rules of the tiers `artefact` and `offline`.

    artefact: a qcow2 or raw image, or an archive that holds a root tree. record: the build.json of
    its build; without it, rules that compare with it are not applicable. key: opens the image's
    LUKS containers.
    Raises InputError when the file is no image, is cut off, holds no root file system, can't be
    opened with the key, or takes more time or memory than any image needs (validate.worker has
    the bounds); HostError when this host can't read it.
    """
    started = time.monotonic()
    progress.start(STEP, len(spec.of_tier("artefact")) + len(spec.of_tier("offline")), "rules")
    if is_tree(artefact, record):
        results = examined(facts_of(artefact, record), spec, record, key, lambda number, rule:
                           progress.advance(STEP, number, rule))
        return _report(artefact, spec, results, record, started, progress)
    if (kind := kind_of(artefact, record)) is not None:
        with as_raw(artefact, kind) as disk:
            facts = replace(inspected(disk.raw, None), ccis_format=made_as(artefact, record),
                            published=artefact, size_bytes=facts_of(artefact, record).size_bytes)
            return _of_disk(artefact, facts, disk.faults, spec, record, key, started, progress)
    return _of_disk(artefact, inspected(artefact, record), None, spec, record, key, started,
                    progress)


def _of_disk(
    artefact: Path, facts: ArtefactFacts, faults: tuple[str, ...] | None, spec: Spec,
    record: BuildRecord | None, key: Key | None, started: float, progress: Progress,
) -> Report:
    """Judge a disk: the file in this process, what is in it in one of its own."""
    view = _outside(facts, record, faults)
    rules = spec.of_tier("artefact")
    results = [judge(rule, view) if applies(rule, view) else result(rule, None) for rule in rules]
    progress.advance(STEP, len(results))
    offline = spec.of_tier("offline")
    if not facts.self_contained:
        unseen = Finding(False, "not looked at: the artefact names other files", "")
        results += [result(rule, unseen, status="unknown") for rule in offline]
    elif broken := unreadable(facts):
        raise InputError("can't be looked into", where=str(artefact), why=broken)
    else:
        results += examined(facts, spec, record, key, lambda number, rule: progress.advance(
            STEP, len(rules) + number, rule))
    return _report(artefact, spec, results, record, started, progress)


def _report(
    artefact: Path, spec: Spec, results: list[Result], record: BuildRecord | None, started: float,
    progress: Progress,
) -> Report:
    progress.finish(STEP, note=f"{sum(one.status == 'passed' for one in results)} passed")
    return Report(
        artefact=artefact.name, spec=spec.name, duration_s=time.monotonic() - started,
        labels=[label.text for label in record.labels] if record else [],
        results=waived(results, spec.waivers, date.today()),
    )


def _outside(
    facts: ArtefactFacts, record: BuildRecord | None, faults: tuple[str, ...] | None,
) -> View:
    """Return the view of an artefact whose inside has not been opened."""
    return View(
        tree=Listing([]), read=lambda _path, _count: b"", list_packages=lambda _folder: [],
        arch=record.arch if record else "unknown", shape="disk", artefact=facts, record=record,
        container_faults=faults,
    )
