"""What the consumers' tests share: one run that makes every artefact of every target."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from images.record import BuildRecord, read


@dataclass(frozen=True)
class Everything:
    """The folders of one `ccis build --target all`, by the image's name."""

    folders: dict[str, Path]
    report: list[dict[str, Any]]
    ccis: Any
    more: Path

    def record(self, image: str) -> BuildRecord:
        return read(self.folders[image])

    def files(self, image_format: str, image: str | None = None) -> list[Path]:
        """Return the files of a format, of the first image that has it unless one is named."""
        for name in [image] if image else sorted(self.folders):
            found = [self.folders[name] / artefact.file for artefact in self.record(name).artefacts
                     if artefact.format == image_format]
            if found:
                return found
        raise AssertionError(f"no {image_format} was made")

    def file(self, image_format: str, image: str | None = None) -> Path:
        """Return the only file of a format."""
        (found,) = self.files(image_format, image)
        return found

    def raw_of(self, image: str) -> Path:
        """Return an image's raw disk, which all its disk formats were made from."""
        (built,) = self.ccis.json("build", image, "--release", "rehearsal-10", "--format", "raw",
                                  "--out", self.more)
        (file,) = Path(built["folder"]).glob("*.raw")
        return file


@pytest.fixture(scope="session")
def everything(ccis: Any, tmp_path_factory: pytest.TempPathFactory) -> Everything:
    out = tmp_path_factory.mktemp("everything")
    report = ccis.json("build", "--release", "rehearsal-10", "--target", "all", "--out", out)
    folders = {}
    for built in report:
        folder = Path(built["folder"])
        folders[json.loads((folder / "build.json").read_text())["image"]] = folder
    return Everything(folders, report, ccis, tmp_path_factory.mktemp("more"))
