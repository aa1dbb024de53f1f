"""The root tree as settings see it: files to write, links to set, programs of its own to run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from builder.tree.sandbox import Sandbox
from host.errors import InputError


@dataclass(frozen=True)
class Tree:
    """A root tree under change. Paths are absolute as the guest sees them."""

    root: Path
    sandbox: Sandbox

    def path(self, inside: str) -> Path:
        """Return the host's path of a guest's path, resolving links inside the tree only.

        Raises InputError for a loop of links.
        """
        return resolve_inside(self.root, inside)

    def exists(self, inside: str) -> bool:
        """Say whether a path is there."""
        return self.path(inside).exists()

    def read(self, inside: str) -> str:
        """Return a file's text, or nothing if there is no such file."""
        path = self.path(inside)
        return path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else ""

    def write(self, inside: str, text: str, mode: int | None = None) -> None:
        """Write a file; mode None keeps an existing file's mode (new files: 0644)."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        there = path.exists()
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        if mode is not None or not there:
            path.chmod(0o644 if mode is None else mode)

    def link(self, inside: str, target: str) -> None:
        """Make `inside` a symbolic link to `target`, whatever it was before."""
        path = self.path(str(Path(inside).parent)) / Path(inside).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    def remove(self, inside: str) -> None:
        """Remove a file, link or folder if it is there; a link itself, not what it names."""
        path = self.path(str(Path(inside).parent)) / Path(inside).name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def set_shell_value(self, inside: str, name: str, value: str) -> None:
        """Set NAME=value in a file of shell assignments, keeping its other lines."""
        lines = self.read(inside).splitlines()
        fresh = f"{name}={value}"
        kept = [line for line in lines if not line.startswith(f"{name}=")]
        at = next((n for n, line in enumerate(lines) if line.startswith(f"{name}=")), len(kept))
        kept.insert(at, fresh)
        self.write(inside, "\n".join(kept) + "\n")

    def run(self, *argv: str, stdin: str | None = None, check: bool = True) -> str:
        """Run a program of the tree and return what it printed."""
        return self.sandbox.run(list(argv), stdin=stdin, check=check).stdout


def resolve_inside(root: Path, inside: str) -> Path:
    """Return the host's path of `inside` as a process sees it whose / is `root`.

    Links lead to places inside `root` only. Raises InputError for a loop of links.
    """
    resolved = Path("/")
    parts = list(Path(inside).parts[1:])
    for _ in range(200):
        if not parts:
            return root / resolved.relative_to("/")
        part = parts.pop(0)
        if part == "..":
            resolved = resolved.parent
            continue
        candidate = resolved / part
        real = root / candidate.relative_to("/")
        if not real.is_symlink():
            resolved = candidate
            continue
        target = real.readlink()
        if target.is_absolute():
            resolved, parts = Path("/"), [*target.parts[1:], *parts]
        else:
            parts = [*target.parts, *parts]
    raise InputError(f"{inside} is a loop of links", where=str(root))
