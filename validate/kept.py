"""A proof is a step: kept in the store under the artefact, its record, the rules and our own code.

A second proof of the same bytes by the same rules is a look into the store. An encrypted image is
proven each time: its key is in no digest.
"""

from __future__ import annotations

import hashlib
import pkgutil
import platform
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path

from builder.identity import digest_of
from builder.store.store import Store
from host.errors import HostError
from host.files import sha256_file
from host.progress import Progress
from images.record import BuildRecord
from specs.model import Spec
from validate.report import Report
from validate.run import validate

STEP = "proof"
FILE = "report.json"
_ROOMS = ("validate", "specs", "host", "images")


def prove_once(
    artefact: Path, spec: Spec, record: BuildRecord | None, progress: Progress, store: Store,
) -> tuple[Report, bool]:
    """Return the report on an artefact, and whether it was kept from before.

    Errors are those of validate.run.validate(); only what came to a report is kept.
    """
    digest = digest_of({
        "artefact": sha256_file(artefact), "name": artefact.name, "code": _code(),
        "python": platform.python_version(), "spec": spec.model_dump(mode="json"),
        "record": record.model_dump(mode="json") if record else None,
        "day": date.today().isoformat() if spec.waivers else "",
    })
    made: list[Report] = []

    def fill(folder: Path) -> None:
        made.append(validate(artefact, spec, record, progress))
        (folder / FILE).write_text(made[0].model_dump_json(), encoding="utf-8")

    label = f"{artefact.name} {spec.name}"
    entry, was_there = store.make(STEP, digest, inputs={}, label=label[:180], fill=fill)
    if made:
        return made[0], False
    try:
        text = (entry.data / FILE).read_text(encoding="utf-8")
        return Report.model_validate_json(text), was_there
    except (OSError, ValueError) as error:
        raise HostError("a kept proof can't be read", where=str(entry.data), why=str(error),
                        remedy="remove the folder, and prove again") from error


@cache
def _code() -> str:
    """Return the digest of the code that proves, and of its lists: a change of it proves anew."""
    whole = hashlib.sha256()
    checkout = Path(__file__).parents[1]
    files = [path for room in _ROOMS for path in _modules(checkout / room)]
    for path in [*files, checkout / "specs" / "data" / "licences.txt"]:
        whole.update(f"{path.relative_to(checkout)}\0".encode() + path.read_bytes() + b"\0")
    return whole.hexdigest()


def _modules(folder: Path) -> Iterator[Path]:
    """Yield the files of a package's modules, and of the packages in it."""
    for module in sorted(pkgutil.iter_modules([str(folder)]), key=lambda one: one.name):
        if module.ispkg:
            yield from _modules(folder / module.name)
        else:
            yield folder / f"{module.name}.py"
