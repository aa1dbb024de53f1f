"""What a shell offers for a word that is half typed: names of images, releases, formats and so on.

Each function takes what stands there so far and returns the words that it may become. Names alone
are looked up, no file is read: whoever presses a key waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Completion = Callable[[str], list[str]]


def images(incomplete: str) -> list[str]:
    """Return names of images."""
    from images import catalogue

    return _begun(catalogue.image_names(), incomplete)


def releases(incomplete: str) -> list[str]:
    """Return names of releases."""
    from images import catalogue

    return _begun(catalogue.release_names(), incomplete)


def rehearsals(incomplete: str) -> list[str]:
    """Return names of rehearsal releases."""
    from rehearsal.version import RELEASES

    return _begun(RELEASES, incomplete)


def targets(incomplete: str) -> list[str]:
    """Return lists of targets, `all` included."""
    from images import catalogue

    return _lists(["all", *catalogue.target_names()], incomplete)


def formats(incomplete: str) -> list[str]:
    """Return lists of formats."""
    return _lists(_formats(), incomplete)


def one_format(incomplete: str) -> list[str]:
    """Return names of formats, where there can be only one."""
    return _begun(_formats(), incomplete)


def engines(incomplete: str) -> list[str]:
    """Return names of engines for disks, `auto` included."""
    from builder.disk.engines.registry import AUTO, all_engines

    return _begun([AUTO, *all_engines()], incomplete)


def specs(incomplete: str) -> list[str]:
    """Return names of specs."""
    from specs.model import FOLDER

    return _begun(sorted(path.stem for path in FOLDER.glob("*.yaml")), incomplete)


def _formats() -> list[str]:
    from builder.formats.registry import FORMATS

    return sorted(FORMATS)


def _begun(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _lists(names: Iterable[str], incomplete: str) -> list[str]:
    """Return what a comma-separated list may become: its last word is the one that is typed."""
    done, comma, last = incomplete.rpartition(",")
    there = done.split(",")
    return [f"{done}{comma}{name}" for name in _begun(names, last) if name not in there]
