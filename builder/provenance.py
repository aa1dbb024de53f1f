"""What a build leaves to be read: its record, and the documents that travel to a target."""

from __future__ import annotations

import hashlib
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateError

from builder.artefact import DISK, About
from builder.executor import Execution
from builder.formats import registry as formats
from builder.graph import Action
from builder.kickstart.secret_words import redacted
from builder.packages import installed
from builder.planner import Plan
from host.errors import InputError
from host.urls import shown
from images import catalogue
from images.record import (
    DOCUMENT,
    Artefact,
    BuildRecord,
    RepositoryRecord,
    StepRecord,
    TargetRecord,
    labels_of,
)
from images.target import Target

_COST = 1 << 14  # 16 MiB and some 50 ms each time


def name_of(plan: Plan, build_id: str) -> str:
    """Return the name of a build: of its folder, and how those of its files begin."""
    request, release = plan.request, plan.request.release
    return f"{release.distribution}-{request.flavour}-{release.version}-{build_id}.{request.arch}"


def record_of(plan: Plan, execution: Execution, build_id: str) -> BuildRecord:
    """Return the record of a plan whose steps have been carried out."""
    request, about = plan.request, plan.about
    image, release = request.image, request.release
    name = name_of(plan, build_id)
    artefacts = [each for wish in request.wanted_formats
                 for each in _artefacts(plan, execution, wish, name)]
    base = execution.results[plan.base.name, plan.base.digest]
    packages, sources = installed.packages(base.data, plan.packages), repositories(plan)
    return BuildRecord(
        name=name, image=image.name, flavour=request.flavour, release=release.name,
        distribution=release.distribution, version=release.version, arch=request.arch,
        build_id=build_id, public_path=release.public_path, spec=image.spec,
        engine=plan.engine.name if plan.engine else None, engine_reason=plan.engine_reason,
        kickstart=request.kickstart.name,
        kickstart_sha256=kickstart_sha256(plan, name),
        digest=plan.digest, source_date_epoch=plan.epoch,
        repositories=sources, packages=packages, labels=labels_of(sources, packages),
        artefacts=artefacts,
        targets=[_target(target, artefacts, name, about) for target in request.targets],
        steps=[_step(step, plan, execution) for step in plan.steps.values()],
        tools=plan.tools,
    )


def kickstart_sha256(plan: Plan, name: str) -> str:
    """Return what tells whether a kickstart is the same: of its text, with all that it includes.

    The record is published, so passwords in command lines are masked first. What a script or a
    comment holds nobody knows; so it is stretched (scrypt, RFC 7914): who wants to try out what a
    script may hold does not get through more than some ten guesses a second.
    name: of the build, the salt.
    """
    text = redacted(plan.kickstart).encode("utf-8", "surrogateescape")
    return hashlib.scrypt(hashlib.sha256(text).digest(), salt=name.encode(), n=_COST, r=8, p=1,
                          dklen=32).hex()


def repositories(plan: Plan) -> list[RepositoryRecord]:
    """Return the repositories as they were when the packages were chosen."""
    release = plan.request.release.key
    return [RepositoryRecord(
                id=each.id, url=shown(each.urls[0]), repomd_sha256=each.repomd_sha256,
                upstream=each.upstream, unsigned=each.unsigned,
                key=None if each.unsigned else (each.key or release).fingerprint)
            for each in plan.selection.snapshots]


def with_documents(record: BuildRecord, texts: dict[str, str]) -> BuildRecord:
    """Return the record with the targets' documents among its artefacts."""
    return record.model_copy(update={"artefacts": [*record.artefacts, *(
        Artefact(format=DOCUMENT, file=file, size_bytes=len(text.encode()),
                 sha256=hashlib.sha256(text.encode()).hexdigest())
        for file, text in texts.items())]})


def documents(plan: Plan, record: BuildRecord) -> dict[str, str]:
    """Return the text of each document of the targets, by its file's name.

    Raises InputError, with the target's file, for a template that does not fit.
    """
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True,
                              autoescape=False)  # noqa: S701 – no HTML: configuration files
    files: dict[str, str] = {}
    for artefact in record.artefacts:
        files.setdefault(artefact.format, artefact.file)
    texts = {}
    for target, noted in zip(plan.request.targets, record.targets, strict=True):
        for ending, template in target.documents.items():
            try:
                texts[f"{record.name}.{ending}"] = environment.from_string(template).render(
                    name=record.name, about=plan.about, files=files,
                    properties=noted.properties)
            except TemplateError as error:
                raise InputError(f"the document {ending} can't be written", why=str(error),
                                 where=str(catalogue.target_file(target.name))) from error
    return texts


def _artefacts(plan: Plan, execution: Execution, wish: str, name: str) -> list[Artefact]:
    is_disk = formats.origin(formats.get(wish)) == DISK
    size_bytes = plan.layout.disk_size_bytes if is_disk else None
    return [
        Artefact(format=wish, file=f"{name}.{path.name}", size_bytes=path.stat().st_size,
                 sha256=digest, virtual_size_bytes=size_bytes)
        for path, digest in execution.files(plan, wish)
    ]


def _target(
    target: Target, artefacts: list[Artefact], name: str, about: About,
) -> TargetRecord:
    words = _words(about)
    takes = (*target.formats, *target.accepts)
    return TargetRecord(
        name=target.name, title=target.title,
        files=[artefact.file for artefact in artefacts if artefact.format in takes],
        documents=[f"{name}.{ending}" for ending in target.documents],
        properties={key: _filled(value, target, words)
                    for key, value in target.properties_for(words["arch"]).items()},
    )


def _filled(value: Any, target: Target, words: dict[str, str]) -> Any:
    """Return a property with {version}, {arch} and the like replaced."""
    if isinstance(value, list):
        return [_filled(each, target, words) for each in value]
    if not isinstance(value, str):
        return value
    try:
        return value.format_map(words)
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(
            f"the property {value!r} has a placeholder that is not known", why=str(error),
            where=str(catalogue.target_file(target.name)), remedy=f"known: {', '.join(words)}",
        ) from error


def _words(about: About) -> dict[str, str]:
    """Return what properties may name in braces: the plain fields, and the disk's size in GiB."""
    plain = {key: str(value) for key, value in vars(about).items() if isinstance(value, str | int)}
    return {**plain, "disk_size_gib": str(-(-about.disk_size_bytes >> 30))}


def _step(step: Action, plan: Plan, execution: Execution) -> StepRecord:
    cost = execution.costs.get((step.name, step.digest))
    others = [
        other.request.flavour for other in execution.plans
        if other is not plan and step.name in other.steps
        and other.steps[step.name].digest == step.digest
    ]
    return StepRecord(
        name=step.name, digest=step.digest, after=step.after[-1].name if step.after else None,
        cached=cost is None, shared_with=others,
        duration_s=round(cost.duration_s, 3) if cost else 0.0,
        cpu_s=round(cost.cpu_s, 3) if cost else 0.0,
    )
