"""Builds images: their steps are carried out, and each result appears whole in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.executor import Execution
from builder.folders import check_free
from builder.planner import Plan
from builder.provenance import documents, record_of, with_documents
from builder.store.store import Store
from host.clean_room import need_limits
from host.errors import InputError, from_os_error
from host.files import link_or_copy, staged_directory
from host.mounts import private_mounts
from host.progress import Progress
from images.proof import FILE_NAME as PROOFS
from images.record import FILE_NAME, BuildRecord, dump
from images.sizes import shown_size

_PUBLIC = 0o644
"""An artefact is for everybody. In the store, of which it is a link, nobody else gets to it."""


@dataclass(frozen=True)
class Built:
    """A finished build: its folder and its record."""

    folder: Path
    record: BuildRecord


def build(
    plans: Sequence[Plan], store: Store, out: Path, build_id: str, progress: Progress,
) -> list[Built]:
    """Carry out plans, together, and put artefacts and build.json of each into a folder in `out`.

    build_id: YYYYMMDD.R, the part of the name that changes every night.
    A folder appears whole or not at all; one with the same build is exchanged in one step, one
    with another is left alone (InputError, before anything is done). When one image fails, the
    folders of those that are complete by then are there.
    Raises InputError for what the kickstart got wrong, HostError for what this host lacks,
    RemoteError for bad packages; each names the step in a note.
    """
    _check_names(plans)
    _check_secrets(plans)
    check_free(plans, out, build_id)
    need_limits()
    done: dict[str, Built] = {}
    execution = Execution(plans, store, progress)

    def finish(plan: Plan) -> None:
        built = _put(plan, execution, out, build_id)
        done[built.record.name] = built

    try:
        private_mounts()
        execution.run(finish)
    except OSError as error:
        raise from_os_error(error, "building") from error
    store.release()  # the limit of the store holds for this build's results as well
    store.sweep()
    if store.over_bytes:
        progress.say(f"note: up to {shown_size(store.limit_bytes + store.over_bytes)} of the store "
                     f"were in use at once, more than CCIS_STORE_LIMIT, which is "
                     f"{shown_size(store.limit_bytes)}: the next build finds less in it")
    return sorted(done.values(), key=lambda built: built.record.name)


def _put(plan: Plan, execution: Execution, out: Path, build_id: str) -> Built:
    """Make the folder of a build: links to the artefacts, the targets' documents, the record."""
    record = record_of(plan, execution, build_id)
    texts = documents(plan, record)
    record = with_documents(record, texts)
    folder = out / record.name
    check_free([plan], out, build_id)  # somebody may have been faster
    try:
        with staged_directory(folder) as staging:
            for name in plan.request.wanted_formats:
                for path, _ in execution.files(plan, name):
                    link_or_copy(path, staging / f"{record.name}.{path.name}", _PUBLIC)
            for file, text in texts.items():
                (staging / file).write_text(text, encoding="utf-8")
            (staging / FILE_NAME).write_text(dump(record), encoding="utf-8")
            if (folder / PROOFS).is_file():  # they are about bytes, and the bytes are the same
                link_or_copy(folder / PROOFS, staging / PROOFS)
    except OSError as error:
        raise from_os_error(error, f"writing {folder}") from error
    return Built(folder, record)


def _check_secrets(plans: Sequence[Plan]) -> None:
    """Raise InputError when an artefact would carry a plain secret that nobody allowed."""
    for plan in plans:
        if plan.exposed and not plan.request.allow_secrets:
            where, what = plan.exposed[0]
            more = len(plan.exposed) - 1
            raise InputError(
                what, where=where, why=f"and {more} more; `ccis plan` names them" if more else None,
                remedy="use hashes (--iscrypted), keys or locked accounts, or say --allow-secrets",
            )


def _check_names(plans: Sequence[Plan]) -> None:
    """Raise InputError when two images would have one name, or two artefacts of one."""
    names = [plan.about.slug for plan in plans]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"two of the images are called {twice[0]}",
                         remedy="build them one after the other, or give them other flavours")
