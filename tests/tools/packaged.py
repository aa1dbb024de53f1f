"""The checkout as it is now, committed or not, for tests of what is made of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
ROOMS = ("builder", "ccis", "companions", "host", "images", "kickstarts", "publish", "rehearsal",
         "specs", "validate")
"""What is installed: all of it, and nothing else of the checkout."""


def files() -> list[str]:
    """Return the paths of all files that belong to the project."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=CHECKOUT,
        capture_output=True, text=True, check=True)
    return sorted(name for name in set(done.stdout.split("\0"))
                  if name and ((CHECKOUT / name).is_symlink() or (CHECKOUT / name).exists()))


def copy(folder: Path) -> Path:
    """Copy the project's files into a folder, which is made; return it."""
    for name in files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, folder / name, follow_symlinks=False)
    return folder


def wheel(folder: Path) -> Path:
    """Make the wheel in an empty folder and return its path."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
         "--wheel-dir", folder / "wheel", copy(folder / "source")], check=True, cwd=folder)
    (found,) = (folder / "wheel").iterdir()
    return found
