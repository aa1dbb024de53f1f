"""Where everything of a store lies: a folder for each kind of thing, a path for each result."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from builder.store.uses import short_name
from host.folders import content, is_real_folder, own_folder, real_folder


@dataclass(frozen=True)
class Shelves:
    """The folders of a store, each made when it is first asked for.

    root: the store's own; an absolute path.
    """

    root: Path

    def folder(self, name: str) -> Path:
        """Return one of the folders at the top, such as "staging"."""
        path = self.root / name
        if not is_real_folder(path):
            own_folder(self.root)
            real_folder(path)
        return path

    def result(self, step: str, digest: str) -> Path:
        """Return where a result lies, or would."""
        return self.folder("objects") / step / digest

    def new_result(self, step: str, digest: str) -> Path:
        """Return where a result is to be put; the folder of its step is made."""
        return real_folder(self.folder("objects") / step) / digest

    def has(self, step: str, digest: str) -> bool:
        """Say whether a folder lies where a result belongs, no link and nothing else."""
        path = self.result(step, digest)
        return is_real_folder(path.parent) and is_real_folder(path)

    def results(self, step: str | None = None) -> Iterator[Path]:
        """Yield all that is where results belong, and where folders of results do."""
        objects = self.folder("objects")
        for above in [objects / step] if step else content(objects):
            if is_real_folder(above):
                yield from content(above)
            elif not step:
                yield above

    def lock(self, step: str, digest: str, purpose: str) -> Path:
        """Return the lock file of a result. purpose: "reading" or "making"."""
        return self.folder("locks") / f"{short_name(f'{step}-{digest}')}.{purpose}"
