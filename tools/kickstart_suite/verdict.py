"""What became of one test: its kickstart built up to the sealed tree, and its own result read."""

from __future__ import annotations

import re
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from builder import planner
from builder.executor import Execution
from builder.graph import Action
from builder.request import Request
from builder.steps.views import layers
from builder.store.store import Store
from host.beneath.root import Root
from host.errors import CcisError, InputError
from host.mounts import read_only_overlay
from host.progress import Silent
from images.image import Image
from images.release import Release
from tools.kickstart_suite import preparation
from tools.kickstart_suite.applicable import asked_of_the_machine, objection, objection_to_text
from tools.kickstart_suite.definition import Definition
from tools.kickstart_suite.prepare import NotPreparedError, check_whole, kickstart

Outcome = Literal["passed", "failed", "live", "refused", "lacking", "broken", "not applicable"]
_RESULT = "/root/RESULT"
_MOST_BYTES = 1 << 16
# What the rehearsal has not got is no fault of the builder, and is counted by itself.
_LACKING = re.compile(r"no repository has|no (?:package|group|environment|module)\b")


@dataclass(frozen=True)
class Verdict:
    """What became of a test, and in which words.

    live: it failed, and its scripts ask what only an installer's running machine has.
    lacking: the release's repositories have not got what it installs. broken: a traceback.
    """

    name: str
    types: tuple[str, ...]
    outcome: Outcome
    why: str = ""
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Bench:
    """Where tests are built. scratch: for their kickstarts."""

    release: Release
    platform: str
    arch: str
    rehearsal: Path | None
    store: Store
    scratch: Path


class _TreeAlone(planner.Plan):
    """A plan whose build ends with the sealed tree: no test of the suite looks into an artefact."""

    @property
    def wanted(self) -> list[Action]:
        """The last step that changes the tree."""
        return [self.steps["seal"]]


def judge(test: Definition, bench: Bench) -> Verdict:
    """Return what becomes of one test; nothing that is wrong with it is raised."""
    started_s = time.monotonic()

    def said(outcome: Outcome, why: str = "") -> Verdict:
        return Verdict(test.name, test.types, outcome, why, time.monotonic() - started_s)

    if why := objection(test, bench.platform):
        return said("not applicable", why)
    try:
        text = preparation.apply(kickstart(test, bench.platform), test.functions.get("prepare", ""),
                                 bench.scratch / f"{test.name}.served")
        check_whole(text)
    except NotPreparedError as error:
        return said("not applicable", str(error))
    if why := objection_to_text(text):
        return said("not applicable", why)
    path = bench.scratch / f"{test.name}.ks"
    path.write_text(text)
    try:
        result = _built(path, test, bench)
    except InputError as error:
        return said("lacking" if _LACKING.search(f"{error.what} {error.why}") else "refused",
                    _words(error))
    except CcisError as error:
        return said("failed", _words(error))
    except Exception:  # a bug is a verdict of its own
        return said("broken", traceback.format_exc(limit=-2))
    if result.partition(" ")[0].strip() == "SUCCESS":
        return said("passed")
    asked = asked_of_the_machine(text)
    shown = "; ".join(result.split("\n")).strip("; ") or "it left no result"
    return said("live" if asked else "failed",
                f"{shown} (asks: {', '.join(asked)})" if asked else shown)


def _words(error: CcisError) -> str:
    return f"{error.what}: {error.why}" if error.why else error.what


def _built(path: Path, test: Definition, bench: Bench) -> str:
    """Build up to the sealed tree; return what the test's scripts left as their result."""
    image = Image(name="suite", flavour="Suite", summary=test.name, kickstart=str(path),
                  disk_size=_disk_size(test), formats=["raw"])
    plan = planner.make(Request(
        image=image, kickstart=path, release=bench.release, arch=bench.arch, formats=("raw",),
        rehearsal=bench.rehearsal, include_paths=(test.path.parent,)), bench.store)
    found: list[str] = []
    run = Execution([_TreeAlone(**vars(plan))], bench.store, Silent())

    def read(done: planner.Plan) -> None:
        order = (*done.steps["seal"].before, done.steps["seal"])
        before = {each.name: entry.data for each in order
                  if (entry := bench.store.take(each.name, each.digest, lambda _: None))}
        with (bench.store.staging() as scratch,
              read_only_overlay(layers(before), scratch) as view):
            root = Root(view)
            if root.is_file(_RESULT):
                found.append(root.read(_RESULT, _MOST_BYTES).decode(errors="replace"))

    run.run(read)
    return found[0] if found else ""


def _disk_size(test: Definition) -> str:
    """Return the size of the disk that the test asks for; the suite's own default is 10 GiB."""
    sizes = re.findall(r"qemu-img create\b.*?\s(\d+)G", test.functions.get("prepare_disks", ""))
    return f"{sizes[0]} GiB" if sizes else "10 GiB"
