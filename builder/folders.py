"""The folders that builds appear in: one that holds another build is never written over."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from builder.planner import Plan
from builder.provenance import name_of
from host.errors import InputError
from images import record as records


def free_id(plans: Sequence[Plan], out: Path, day: str) -> str:
    """Return a day's first build id (YYYYMMDD.R) under which no other build is in `out`.

    That of the same builds, if they are there already: these are made anew in their place.
    """
    return next(build_id for number in itertools.count() if all(
        is_free(plan, out, build_id := f"{day}.{number}") for plan in plans))


def check_free(plans: Sequence[Plan], out: Path, build_id: str) -> None:
    """Raise InputError when a folder that would be written holds another build, or anything."""
    day, _, respin = build_id.partition(".")
    for plan in plans:
        if not is_free(plan, out, build_id):
            raise InputError(
                "another build is there already", where=str(out / name_of(plan, build_id)),
                why="it has other inputs, formats or targets than this one would have",
                remedy=f"give another --build-id, such as {day}.{int(respin) + 1}, or another "
                       "--out; or remove it")


def is_free(plan: Plan, out: Path, build_id: str) -> bool:
    """Say whether the folder of a build is not there, or holds the same build."""
    folder = out / name_of(plan, build_id)
    try:
        folder.lstat()
    except FileNotFoundError:
        return True
    try:
        there = records.read(folder)
    except InputError:
        return False
    request = plan.request
    formats = {artefact.format for artefact in there.artefacts} - {records.DOCUMENT}
    return (there.digest, there.kickstart, formats) == (
        plan.digest, request.kickstart.name, set(request.wanted_formats)) and (
        {target.name for target in there.targets} == {target.name for target in request.targets})
