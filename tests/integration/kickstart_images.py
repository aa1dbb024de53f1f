"""Images of tests/integration/kickstarts: built through the command line, read, and started."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from images.record import BuildRecord, read
from tests.integration.conftest import CCIS, Command
from validate.artefact import inspect
from validate.disk import PURPOSES
from validate.reader import open_image
from validate.view import View

HERE = Path(__file__).parent / "kickstarts"
RELEASE = "rehearsal-10"
PASSPHRASE = "correct-horse"
"""What lvm-on-luks.ks says."""


@dataclass(frozen=True)
class Made:
    """A built image. said: what the build told on standard error."""

    folder: Path
    record: BuildRecord
    image: Path
    said: str


def build(ccis: Command, kickstart: Path, out: Path, *more: str) -> Made:
    """Build a kickstart as it is, for rehearsal-10, as one qcow2."""
    done = ccis("build", "--kickstart", kickstart, "--release", RELEASE, "--format", "qcow2",
                "--out", out, "--json", *more)
    folder = Path(json.loads(done.stdout)[0]["folder"])
    return Made(folder, read(folder), next(folder.glob("*.qcow2")), done.stderr)


def key_file(folder: Path) -> Path:
    """Write the passphrase of lvm-on-luks.ks as an editor would, with a newline."""
    path = folder / "passphrase"
    path.write_text(f"{PASSPHRASE}\n")
    return path


def view_of_image(image: Path, key: Path | None = None) -> Iterator[View]:
    """Open an image through the validator's reader."""
    from validate.key import read as read_key

    with open_image(inspect(image), None, read_key(key) if key else None) as view:
        yield view


def table(view: View) -> list[tuple[str, int, str, str]]:
    """Return of each partition its purpose, size in MiB, file system and mount point."""
    assert view.disk is not None
    purposes = {guid: purpose for purpose, guid in PURPOSES.items()}
    on = {one.device: one for one in view.disk.filesystems}
    rows = []
    for part in view.disk.partitions:
        there = on.get(part.device)
        rows.append((
            purposes.get(part.type_guid, "data"), part.size_bytes >> 20,
            there.type if there else "", (there.mountpoint or "") if there else ""))
    return rows


def fstab(view: View) -> list[tuple[str, str, str, str]]:
    """Return fstab's lines: how the source is named, mount point, type, options."""
    return [(line.tag or line.source, line.mountpoint, line.type, ",".join(line.options))
            for line in view.fstab]


def fields(view: View, path: str, name: str) -> list[str]:
    """Return the fields of the line of passwd, shadow or group that begins with a name."""
    lines = (view.text(path) or "").splitlines()
    return next((line.split(":") for line in lines if line.startswith(f"{name}:")), [])


def target(view: View, path: str) -> str | None:
    """Return what a symbolic link says, None when there is none."""
    entry = view.tree.get(path)
    return entry.target if entry is not None and entry.is_link else None


def names(view: View) -> set[str]:
    """Return the names of the installed packages."""
    return {one.name for one in view.packages}


def boot(words: list[str | Path]) -> Any:
    """Run `ccis boot`; return the first report, or what it said."""
    done = subprocess.run([CCIS, "boot", *words, "--json"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    try:
        return json.loads(done.stdout)[0]
    except (ValueError, LookupError):
        return f"status {done.returncode}: {done.stdout}{done.stderr}"


def lint(path: Path) -> Any:
    """Return what `ccis lint --json` says of one kickstart."""
    done = subprocess.run([CCIS, "lint", path, "--release", RELEASE, "--json"],
                          capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout)


