"""The step of an artefact format: what a module of builder/formats/ makes, and its checksums."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import PlainSerializer, SkipValidation

from builder.artefact import DISK, About, Format
from builder.kickstart.secret_words import masked
from builder.steps import contract
from builder.steps.contract import Before, Place
from builder.store.result import FILES, IMAGE, SUMS
from host.errors import ProgramError
from host.files import sha256_file
from host.niceness import CHECKSUM, giving_way_less
from host.space import full_disk_error, says_full

if TYPE_CHECKING:
    from builder.steps.facts import Facts


def _fields(about: About) -> dict[str, Any]:
    """The files of packages and groups are known by what the request and the choices say."""
    return {key: value for key, value in vars(about).items() if key not in ("packages", "comps")}


AboutFields = Annotated[SkipValidation[About], PlainSerializer(_fields)]


class Inputs(contract.Inputs):
    """options: of the format, and versions of its tools. about: the names that it may tell."""

    may_hold_secrets = ("about",)

    options: dict[str, str]
    about: AboutFields

    def is_secret(self, name: str) -> bool:
        """Say so of a kickstart's text with a line that holds a password."""
        return name == "about" and any(
            masked(line, line) != line
            for text in self.about.kickstart.values() for line in text.splitlines())


@dataclass(frozen=True)
class Conversion:
    """A format that is made from the disk, or from another format, as a step (contract.py)."""

    format: Format

    @property
    def name(self) -> str:
        """The format's own."""
        return self.format.name

    @property
    def after(self) -> Sequence[str]:
        """What it is made from."""
        return (self.format.source,)

    @property
    def programs(self) -> Sequence[str]:
        """None here: a format names its tools in identity()."""
        return ()

    @property
    def modules(self) -> Sequence[str]:
        """Whose code decides the result."""
        return (type(self).__module__, str(vars(self.format)["__name__"]))

    def inputs(self, facts: Facts) -> contract.Inputs:
        """Pick what the format uses."""
        return Inputs(epoch=facts.epoch, options=dict(self.format.identity()),
                      about=facts.about.only(self.format.uses))

    def make(self, inputs: Any, before: Before, place: Place) -> None:
        """Convert, then note the SHA-256 of each file; a full disk is explained."""
        files = place.folder / FILES
        files.mkdir()
        place.progress.start(self.name, 100)
        try:
            with self._source(before, place) as source:
                self.format.make(source, files, self._about(inputs, place), place.progress)
        except (ProgramError, OSError) as error:
            if says_full(error):
                raise full_disk_error(place.folder, f"making {self.name}") from error
            raise
        with giving_way_less(CHECKSUM):
            sums = _sums(files, before.get(self.format.source))
        (place.folder / SUMS).write_text(json.dumps(sums), encoding="ascii")

    @contextmanager
    def _source(self, before: Before, place: Place) -> Iterator[Path]:
        data = before[self.format.source]
        yield data / (IMAGE if self.format.source == DISK else FILES)

    def _about(self, inputs: Any, place: Place) -> About:
        about: About = inputs.about
        return about


def files_of(data: Path) -> list[tuple[Path, str]]:
    """Return the files in a format's result, each with its SHA-256."""
    sums = json.loads((data / SUMS).read_text(encoding="ascii"))
    return [(data / FILES / ending, digest) for ending, digest in sorted(sums.items())]


def _sums(files: Path, source: Path | None) -> dict[str, str]:
    """Return the SHA-256 of each file; one that is a link to the source's is not read again."""
    known = {path.stat().st_ino: digest for path, digest in files_of(source)} \
        if source and (source / SUMS).is_file() else {}
    return {path.name: known.get(path.stat().st_ino) or sha256_file(path)
            for path in sorted(files.iterdir())}
