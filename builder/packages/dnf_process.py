"""Starts the process that speaks dnf (dnf_worker.py) in a sandbox, and reads its answer."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from builder.packages.errors import error_of
from builder.packages.go import GO
from builder.packages.near import CACHE, bring_metadata, forget_metadata, near_folder
from builder.packages.repositories import Snapshot
from builder.packages.selection import Selection
from builder.packages.transfer import is_near, path_of
from builder.packages.worker import PROJECT, show_worker
from builder.sandbox.enclosure import Use, enclosure
from builder.sandbox.sandbox import NO_BYTECODE
from builder.store.store import Store
from host.errors import HostError, InputError
from host.progress import Progress
from host.variables import search_path
from images.bounds import Bounds

_HOME = "/run/home"
_METADATA = "/run/metadata"
"""Where dnf sees the store's: librepo takes a ? in a path for the beginning of a URL's query."""
_LANGUAGE = re.compile(r"[A-Za-z0-9_.@-]+")


def ask_dnf(
    mode: str, selection: Selection, store: Store, *, progress: Progress | None = None,
    root: Path | None = None, epoch: int = 0, expected: Sequence[dict[str, Any]] = (),
    bounds: Bounds | None = None, counted: Sequence[Path] = (),
    check: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Run dnf's process in a sandbox where only the cache, or the root, can be written.

    It has no network: what is on other hosts, builder.packages.near brings here before.

    mode: what builder.packages.dnf_worker is to do; the answer is its result. expected: the rows
    that it must come to. bounds: what the transaction with its scriptlets may use. counted: where
    what it writes lands; the root itself unless that is a view.
    check: is called while dnf starts; a transaction begins when it has returned, and never when it
    raises.
    Raises what builder.packages.errors makes of its complaints, and InputError or HostError
    for a bound that was broken.
    """
    bring_metadata(selection, store, progress)
    question = {
        "mode": mode, "root": str(root), "metadata": _METADATA,
        "expected": list(expected), **selection.wishes(),
        "repositories": [{**_as_asked(snapshot, store), "key": str(key) if key else None}
                         for snapshot in selection.snapshots
                         for key in [selection.key_of(snapshot.id)]],
    }
    events: list[dict[str, Any]] = []

    def on_line(line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        if event["event"] == "progress" and progress:
            progress.advance("packages", event["done"], event["note"])
        elif event["event"] in ("result", "error"):
            events.append(event)

    own = bounds or Bounds()
    # Scriptlets have their environment from there: without a TMPDIR, whose folder is not in the
    # tree.
    settings = {
        "PATH": search_path(os.environ), "HOME": _HOME, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
        **NO_BYTECODE, **({"SOURCE_DATE_EPOCH": str(epoch)} if epoch else {}),
    }
    use = Use(
        "the package transaction" if root else "dnf", kind="packages", bounds=own,
        counted=(*counted,) or ((root,) if root else ()), time_s=2 * own.time_s,
        stdin=_pieces(question, check), on_line=on_line)
    with _rpm_macros(selection) as macros, enclosure(None, root) as made:
        made.kernel_folders("/")
        made.new_folder("/tmp")  # noqa: S108 – librepo writes there whatever TMPDIR says
        show_worker(made, [*_keys(selection), *_local_folders(selection)])
        made.show(_METADATA, store.metadata, writable=root is None)
        if root:  # scriptlets run in it: they see its own kernel folders and no network
            made.show(str(root), root, writable=True)
            made.kernel_folders(str(root))
            made.add("--remount-ro", f"{root}/sys")
        made.show(f"{_HOME}/.rpmmacros", macros)
        made.run([sys.executable, "-m", "builder.packages.dnf_worker"], settings, use,
                 folder=str(PROJECT))
    if not events:
        raise HostError("dnf ended without an answer", where=mode)
    if events[-1]["event"] == "error":
        if events[-1]["kind"] == "remote":
            forget_metadata(selection, store)
        raise error_of(events[-1], selection)
    return events[-1]


def _pieces(question: dict[str, Any], check: Callable[[], None]) -> Iterator[str]:
    """Yield the question, then, when all is checked, the word that a transaction waits for."""
    yield json.dumps(question) + "\n"
    check()
    yield GO


def _as_asked(snapshot: Snapshot, store: Store) -> dict[str, Any]:
    """Return a repository for dnf: a folder of this host, and where dnf keeps what it makes of it.

    cache: None for a repository that lies here anyway; dnf has one cache for all of these.
    """
    asked = {name: getattr(snapshot, name) for name in
             ("id", "signed_metadata", "cost", "included", "excluded", "with_groups")}
    if snapshot.is_near:
        return {**asked, "urls": [path_of(url).as_uri() for url in snapshot.urls if is_near(url)],
                "cache": None}
    folder = Path(_METADATA) / near_folder(snapshot, store).relative_to(store.metadata)
    return {**asked, "urls": [folder.as_uri()], "cache": str(folder.parent / CACHE)}


@contextmanager
def _rpm_macros(selection: Selection) -> Iterator[Path]:
    """Yield a file of rpm's settings for the transaction.

    It is found as ~/.rpmmacros, because libdnf has rpm read its configuration anew, which undoes
    what a program sets by itself. The database must lie where the target's own rpm looks, in the
    format that it reads; Debian's rpm would put it into root's home.
    """
    lines = [f"%_dbpath {selection.release.rpm_database}", "%_db_backend sqlite",
             "%_netsharedpath /sys:/proc"]
    languages = selection.kickstart.packages.languages
    if languages is not None:  # an empty list is none at all
        lines.append(f"%_install_langs {':'.join(_names(selection, languages)) or '%{nil}'}")
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        yield Path(file.name)


def _names(selection: Selection, languages: str) -> list[str]:
    """Return the names in --inst-langs; rpm would expand a macro, and run programs for it.

    Raises InputError, with the section's file and line, for what is no name of a language.
    """
    names = [name for name in re.split(r"[,:\s]+", languages) if name]
    if odd := [name for name in names if not _LANGUAGE.fullmatch(name)]:
        section = next((each for each in selection.kickstart.sections if each.name == "%packages"),
                       None)
        raise InputError(f"{odd[0]!r} is no language", why="%packages --inst-langs",
                         where=section.where if section else str(selection.kickstart.path),
                         remedy="name locales, such as --inst-langs=en_US,de")
    return names


def _keys(selection: Selection) -> list[Path]:
    """Return the key files of the repositories, each once."""
    keys = [selection.key_of(snapshot.id) for snapshot in selection.snapshots]
    return list(dict.fromkeys(key for key in keys if key))


def _local_folders(selection: Selection) -> list[Path]:
    urls = [url for snapshot in selection.snapshots for url in snapshot.urls]
    folders = [path_of(url) for url in urls if is_near(url)]
    return [folder for folder in folders if folder.is_dir()]
