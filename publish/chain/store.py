"""Reads the TUF metadata that lies in a tree of one's own, and puts new files into it."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, T, Targets, Timestamp

from host.beneath import root as beneath
from host.errors import InputError
from host.files import sync_path
from publish.chain.names import FOLDER, GRACE_S, KEPT_VERSIONS, TIMESTAMP
from publish.workshop import Workshop, public_folder

LIMIT_BYTES = 64 << 20
_VERSIONED = re.compile(r"(?P<version>[0-9]{1,12})\.(?P<role>.+)\.json")


@dataclass(frozen=True)
class Store:
    """The folder tuf/ of a tree. Every method raises InputError for a file that is damaged."""

    root: Path

    @property
    def exists(self) -> bool:
        """Whether the tree has TUF metadata."""
        return beneath.Root(self.root).is_folder(f"/{FOLDER}", follow=False)

    def versions(self, role: str) -> list[int]:
        """Return the versions of a role's file that are there, oldest first."""
        found = []
        for name in beneath.Root(self.root).names(f"/{FOLDER}"):
            match = _VERSIONED.fullmatch(name)
            if match and match["role"] == role:
                found.append(int(match["version"]))
        return sorted(found)

    def trusted_root(self) -> Metadata[Root]:
        """Return the newest root metadata; raises InputError when it is not signed as it says."""
        versions = self.versions("root")
        if not versions:
            raise InputError("there is no root metadata", where=str(self.root / FOLDER),
                             remedy="`ccis trust init`")
        root = self.read(f"{versions[-1]}.root.json", Root)
        try:
            root.verify_delegate("root", root)
        except RepositoryError as error:
            raise InputError("the root metadata is not signed as it says",
                             where=str(self.root / FOLDER), why=str(error)) from error
        return root

    def newest(self, role: str, kind: type[T]) -> Metadata[T] | None:
        """Return the newest file of a role, None when there is none."""
        versions = self.versions(role)
        return self.read(f"{versions[-1]}.{role}.json", kind) if versions else None

    def index_copies(self, roles: list[str], last: int = 0) -> set[str]:
        """Return the names in index/ that files of these roles speak of; last: their newest only.
        """
        start = f"{FOLDER}/index/"
        return {path.removeprefix(start)
                for role in roles if role not in ("root", "snapshot")
                for version in self.versions(role)[-last:]
                for path in self.read(f"{version}.{role}.json", Targets).signed.targets
                if path.startswith(start)}

    def timestamp(self) -> Metadata[Timestamp] | None:
        """Return timestamp.json, None when there is none."""
        if not beneath.Root(self.root).exists(f"/{FOLDER}/{TIMESTAMP}", follow=False):
            return None
        return self.read(TIMESTAMP, Timestamp)

    def has(self, name: str, content: bytes) -> bool:
        """Say whether a file of tuf/ is there with this content."""
        tree, path = beneath.Root(self.root), f"/{FOLDER}/{name}"
        status = tree.stat(path)
        return (status is not None and stat.S_ISREG(status.st_mode)
                and status.st_size == len(content) and tree.read(path, len(content)) == content)

    def read(self, name: str, kind: type[T]) -> Metadata[T]:
        """Return a file as metadata of a kind; its signatures are not looked at."""
        where = str(self.root / FOLDER / name)
        try:
            content = beneath.Root(self.root).read(f"/{FOLDER}/{name}", LIMIT_BYTES)
            metadata = Metadata[T].from_bytes(content)
        except OSError as error:
            raise InputError("can't be read", where=where, why=error.strerror) from error
        except Exception as error:  # the library raises what its parsers raise
            raise InputError("is not TUF metadata", where=where, why=str(error)[:200],
                             remedy="`ccis verify` tells what else is damaged") from error
        if not isinstance(metadata.signed, kind):
            raise InputError(f"is not {kind.type} metadata", where=where)
        return metadata


def put(works: Workshop, name: str, content: bytes, time_s: int) -> None:
    """Put a file into tuf/ (or a folder of it), whole and at once; it is made in the workshop."""
    folder = public_folder(works.root, str(Path(FOLDER, name).parent))
    made = works.folder(f"tuf-{os.urandom(4).hex()}") / "file"
    made.write_bytes(content)
    made.chmod(0o644)
    os.utime(made, (time_s, time_s))
    sync_path(made)
    made.replace(folder / Path(name).name)
    made.parent.rmdir()
    sync_path(folder)


def forget_old(works: Workshop, roles: list[str], now_s: int) -> None:
    """Remove what no reader needs any more: old versions of roles' files and of indexes.

    now_s: in seconds since 1970; what is younger than a day may be on some reader's way.
    """
    store, tree = Store(works.root), beneath.Root(works.root)
    for role in roles:
        for version in store.versions(role)[:-KEPT_VERSIONS]:
            status = tree.stat(f"/{FOLDER}/{version}.{role}.json")
            if status is not None and status.st_mtime < now_s - GRACE_S:
                tree.remove(f"/{FOLDER}/{version}.{role}.json")
    used = store.index_copies(roles)
    for name in tree.names(f"/{FOLDER}/index"):
        if name not in used:
            tree.remove(f"/{FOLDER}/index/{name}")
