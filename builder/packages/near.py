"""What a build needs of repositories on other hosts, brought here: dnf then finds all on this host.

Below the store's metadata/near/ is a folder for each index (repomd.xml with its signature) that a
build went by; it never changes once it is there but that packages come to it:

    <id>-<digest>/repository/       as any repository: repodata/, and packages in their places
    <id>-<digest>/dnf/              what dnf made of that

An RPM is kept once, under its checksum, in the store's packages/; repositories have links to it.
What nobody used for a month is removed.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from builder.packages.choice import Choice
from builder.packages.repositories import Snapshot
from builder.packages.selection import Selection
from builder.packages.transfer import (
    PATIENCE,
    Wanted,
    ask,
    fetch_all,
    log,
    path_of,
    raise_failed,
)
from builder.store.store import Store
from host.beneath.remove import remove_tree
from host.errors import RemoteError, from_os_error
from host.folders import is_real_folder, real_folder
from host.patience import Patience
from host.progress import Progress
from host.urls import is_inside

CACHE = "dnf"
_REPOSITORY = "repository"
_KEPT_S = 31 * 24 * 3600


def near_folder(snapshot: Snapshot, store: Store) -> Path:
    """Return where a repository of another host is, once its metadata were brought here."""
    digest = hashlib.sha256(snapshot.index + snapshot.signature).hexdigest()
    return store.metadata / "near" / f"{snapshot.id}-{digest[:32]}" / _REPOSITORY


def folder_of(snapshot: Snapshot, store: Store) -> Path:
    """Return the folder of a repository on this host, wherever it came from."""
    if snapshot.is_near:
        return path_of(snapshot.urls[0])
    return near_folder(snapshot, store)


def patience_of(selection: Selection) -> Patience:
    """Return how patient a kickstart is: %packages --timeout and --retries, if it has them."""
    wish = selection.kickstart.packages
    patience = PATIENCE
    if wish.timeout_s:
        patience = replace(patience, stall_s=wish.timeout_s,
                           whole_s=max(patience.whole_s, 4 * wish.timeout_s))
    return patience if wish.retries is None else replace(
        patience, tries=wish.retries + 1, tries_slow=min(wish.retries + 1, patience.tries_slow))


def bring_metadata(selection: Selection, store: Store, progress: Progress | None = None) -> None:
    """Fetch the metadata of repositories on other hosts, unless they are here.

    Raises RemoteError with the repository, each URL that was tried and why it failed.
    """
    home = store.metadata / "near"
    for snapshot in selection.snapshots:
        if snapshot.is_near:
            continue
        folder = near_folder(snapshot, store).parent
        if is_real_folder(folder):
            os.utime(folder)
            continue
        with store.staging() as staging:
            repository = staging / _REPOSITORY
            (repository / "repodata").mkdir(parents=True)
            (repository / "repodata/repomd.xml").write_bytes(snapshot.index)
            if snapshot.signature:
                (repository / "repodata/repomd.xml.asc").write_bytes(snapshot.signature)
            answer = ask(
                {"mode": "metadata", "repositories": [{
                    "urls": list(snapshot.urls), "folder": str(repository),
                    "connection": asdict(snapshot.connection)}]},
                staging, [snapshot.connection], patience_of(selection), say=_say(progress))
            raise_failed(answer, f"the metadata of {snapshot.name} can't be fetched",
                         snapshot.where or snapshot.urls[0])
            real_folder(home)
            _clear(home)
            try:
                staging.rename(folder)
            except OSError:
                if not is_real_folder(folder):  # another build was not faster
                    raise


def forget_metadata(selection: Selection, store: Store) -> None:
    """Remove what was brought here and can't be used: it was damaged, and is fetched anew."""
    for snapshot in selection.snapshots:
        if not snapshot.is_near:
            with suppress(OSError):
                remove_tree(near_folder(snapshot, store).parent)


def rpm_files(
    selection: Selection, choices: Sequence[Choice], store: Store, progress: Progress,
) -> list[Path]:
    """Return the RPM files of the choices; those of other hosts are fetched first.

    Raises RemoteError with the repository, and of each file that did not come, why.
    """
    bring_metadata(selection, store, progress)
    snapshots = {snapshot.id: snapshot for snapshot in selection.snapshots}
    distant = [choice for choice in choices if not snapshots[choice.record.repository].is_near]
    try:
        for name, snapshot in snapshots.items():
            chosen = [choice for choice in distant if choice.record.repository == name]
            if chosen:
                _bring(snapshot, chosen, store, progress, patience_of(selection))
    except OSError as error:
        raise from_os_error(error, f"keeping packages in {store.packages}") from error
    return [folder_of(snapshots[choice.record.repository], store) / choice.location
            for choice in choices]


def _bring(
    snapshot: Snapshot, choices: Sequence[Choice], store: Store, progress: Progress,
    patience: Patience,
) -> None:
    """Fetch the packages of one repository that are not kept, and link them into its folder."""
    for choice in choices:
        if not is_inside(choice.location):
            raise RemoteError(f"{snapshot.name} leads elsewhere", where=snapshot.urls[0],
                              why=f"it has {choice.record.nevra} at {choice.location!r}")
    kept = {choice.location: store.packages / f"{'-'.join(_checksum(choice))}.rpm"
            for choice in choices}
    missing = [choice for choice in choices if not is_whole(kept[choice.location], choice)]
    if missing:
        with store.staging() as staging:
            places = {choice.location: staging / f"{number}.rpm"
                      for number, choice in enumerate(missing)}
            fetch_all(
                [Wanted(choice.location.rpartition("/")[2], snapshot.urls, choice.location,
                        places[choice.location], _checksum(choice), choice.size_bytes,
                        connection=snapshot.connection) for choice in missing],
                staging, f"packages of {snapshot.name} can't be fetched",
                snapshot.where or snapshot.urls[0], patience,
                lambda note: progress.advance("packages", 0, note), progress.say)
            for choice in missing:
                places[choice.location].replace(kept[choice.location])
    folder = near_folder(snapshot, store)
    for choice in choices:
        os.utime(kept[choice.location])
        _link(kept[choice.location], folder / choice.location)
    _clear(store.packages)


def _checksum(choice: Choice) -> tuple[str, str]:
    kind, _, digits = choice.record.sha256.rpartition(":")
    return kind or "sha256", digits


def is_whole(path: Path, choice: Choice) -> bool:
    """Say whether a kept package is what its name says: what was damaged is fetched again."""
    kind, digits = _checksum(choice)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, kind).hexdigest() == digits
    except (OSError, ValueError):
        return False


def _link(kept: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if place.samefile(kept):
            return
        place.unlink()
    with suppress(FileExistsError):  # another build was faster
        os.link(kept, place)


def _clear(home: Path) -> None:
    """Remove what nobody has used for a month."""
    now = time.time()
    for path in home.iterdir():
        with suppress(OSError):
            if now - path.lstat().st_mtime > _KEPT_S:
                remove_tree(path)


def _say(progress: Progress | None) -> Callable[[str], None]:
    return progress.say if progress else log.warning
