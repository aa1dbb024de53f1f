"""Reads an image and judges it in a process of its own, bounded in time and memory.

What reads hostile bytes may hang in a call that no signal reaches, or ask for all memory there is.
Here that ends a process that is made for it: the one that a person started waits for it, answers
signals at once, and has a verdict to give. Started as `python -m validate.worker`; request and
answers are JSON, a line per rule.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from host import errors
from host.errors import CcisError, HostError, InputError, ProgramError
from host.run import run
from host.variables import of_workers
from images.record import BuildRecord
from specs.kind import Tier
from specs.model import Spec
from validate.artefact import ArtefactFacts, inspected
from validate.judge import applies, judge
from validate.key import Key
from validate.reader import bound_memory, open_image
from validate.report import Result, result
from validate.trees import facts_of, is_tree, open_tree
from validate.view import View

log = logging.getLogger("ccis.validate")

TIMEOUT_S = 1200
"""Longer than the appliance may take (validate.reader): an emulated one is slow, checks are not."""
MEMORY_BYTES = 3 << 30
"""More than a million files and the largest rpm database take."""

_UNEXPECTED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def examined(
    facts: ArtefactFacts, spec: Spec, record: BuildRecord | None, key: Key | None,
    advance: Callable[[int, str], None],
) -> list[Result]:
    """Return the results of a spec's offline rules on an image.

    advance: called with the number of rules done and the last one's id.
    Raises InputError, HostError as validate.reader.open_image() does, InputError as well when the
    image takes more than TIMEOUT_S seconds or MEMORY_BYTES.
    """
    expected = sum(len(spec.of_tier(tier)) for tier in _tiers(facts))
    request = {
        "path": str(facts.path.absolute()), "format": facts.ccis_format,
        "spec": spec.model_dump(mode="json"),
        "record": record.model_dump(mode="json") if record else None,
        "key": {"path": str(key.path), "content": base64.b64encode(key.content).decode("ascii")}
        if key else None,
    }
    results: list[Result] = []
    failures: list[CcisError] = []

    def take(line: str) -> None:
        answer = _answer(line)
        if "error" in answer:
            failures.append(_error(answer["error"]))
        elif "result" in answer:
            results.append(Result.model_validate(answer["result"]))
            advance(len(results), results[-1].rule)

    try:
        done = run(
            [sys.executable, "-m", "validate.worker"], stdin=json.dumps(request), check=False,
            cwd=Path(__file__).parents[1], timeout_s=TIMEOUT_S, on_line=take, log_stdout=False,
            env=of_workers(),
        )
    except HostError as error:
        if isinstance(error, ProgramError) or "did not end" not in error.what:
            raise
        raise InputError(f"the image was not read within {TIMEOUT_S} s", where=str(facts.path),
                         why=error.why) from error
    if failures:
        raise failures[0]
    if done.status != 0 or len(results) != expected:
        raise InputError(
            "the process that reads the image did not get to its end", where=str(facts.path),
            why=f"it ended with status {done.status}", remedy="please report it, with the log",
        )
    return results


def _answer(line: str) -> dict[str, Any]:
    """Return an answer of the worker; a line of its log is none."""
    if not line.startswith("{"):
        return {}
    try:
        answer = json.loads(line)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _error(told: dict[str, Any]) -> CcisError:
    kind: type[CcisError] = {
        2: InputError, 3: HostError, 4: errors.RemoteError,
    }.get(told["status"], errors.CheckFailedError)
    return kind(told["what"], where=told["where"], why=told["why"], remedy=told["remedy"])


def _tell(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _work(request: dict[str, Any]) -> None:
    path = Path(request["path"])
    spec = Spec.model_validate(request["spec"])
    record = BuildRecord.model_validate(request["record"]) if request["record"] else None
    key = Key(Path(request["key"]["path"]), base64.b64decode(request["key"]["content"])) \
        if request["key"] else None
    if is_tree(path, record):
        facts = facts_of(path, record)
        bound_memory(MEMORY_BYTES)
        _judge(open_tree(facts, record), spec, _tiers(facts))
        return
    facts = replace(inspected(path, record), ccis_format=request["format"])
    if not facts.self_contained:
        raise InputError("the artefact was changed while it was looked at", where=str(path))
    with open_image(facts, record, key, memory_bytes=MEMORY_BYTES) as view:
        _judge(view, spec, _tiers(facts))


def _tiers(facts: ArtefactFacts) -> list[Tier]:
    """Return the tiers that are judged here: for an archive, what it holds tells of the file."""
    return ["artefact", "offline"] if facts.is_archive else ["offline"]


def _judge(view: View, spec: Spec, tiers: list[Tier]) -> None:
    for rule in (rule for tier in tiers for rule in spec.of_tier(tier)):
        one = judge(rule, view) if applies(rule, view) else result(rule, None)
        _tell({"result": one.model_dump(mode="json")})


def main() -> None:
    """Do what the request on standard input asks; every outcome is an answer."""
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.DEBUG)
    request = json.load(sys.stdin)
    try:
        _work(request)
    except MemoryError:
        found: CcisError = InputError(
            f"reading the image takes more than {MEMORY_BYTES >> 30} GiB of memory")
    except CcisError as error:
        found = error
    except _UNEXPECTED as error:
        log.exception("reading the image")
        found = InputError(
            "the image holds something that ccis can't cope with",
            why=f"{type(error).__name__}: {error}", remedy="please report it, with the log")
    else:
        return
    _tell({"error": {"status": found.exit_status, "what": found.what, "why": found.why,
                     "where": found.where or request["path"], "remedy": found.remedy}})


if __name__ == "__main__":
    main()
