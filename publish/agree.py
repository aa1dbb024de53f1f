"""Compares what index.json says with what CHECKSUM says: two signed truths must be one."""

from __future__ import annotations

from collections.abc import Iterator

from publish.checksums import Sum
from publish.model import INDEX, Index, with_aliases


def compare(index: Index | None, sums: dict[str, Sum]) -> Iterator[tuple[str, str]]:
    """Yield each disagreement as a file's name and a sentence about it."""
    if index is None:
        return
    described: set[str] = {INDEX}
    for build in index.builds:
        for document in build.documents:
            described.add(document.file)
            expected = Sum(document.size_bytes, document.sha256)
            yield from _differs(document.file, expected, sums)
        for file in build.served:
            for name in (file.file, *file.aliases):
                if name in described:
                    yield INDEX, f"it lists {name} twice"
                described.add(name)
                yield from _differs(name, Sum(file.size_bytes, file.sha256), sums)
            if not file.file.startswith(build.name + "."):
                yield INDEX, f"it lists {file.file} under {build.name}, where it does not belong"
    if INDEX not in sums:
        yield INDEX, "CHECKSUM does not list it"
    for name in sorted(set(sums) - described):
        yield name, f"CHECKSUM lists it and {INDEX} does not"
    yield from _stale(index)


def _differs(name: str, expected: Sum, sums: dict[str, Sum]) -> Iterator[tuple[str, str]]:
    if name not in sums:
        yield name, f"{INDEX} lists it and CHECKSUM does not"
    elif sums[name] != expected:
        yield name, f"{INDEX} and CHECKSUM differ about its size or SHA-256"


def _stale(index: Index) -> Iterator[tuple[str, str]]:
    """Yield the files whose names in the channels are not as they ought to be."""
    ought = with_aliases(index.builds, index.channels)
    if index.builds == ought:
        return
    right = {file.file: file for build in ought for file in build.files}
    for build in index.builds:
        for file in build.files:
            there = right[file.file]
            if (file.latest_file, file.latest) != (there.latest_file, there.latest):
                what = "is" if there.latest else "is not"
                yield file.file, f"{INDEX} has a wrong latest mark: it {what} the newest"
            elif file.aliases != there.aliases:
                yield file.file, f"{INDEX} has wrong aliases: {', '.join(there.aliases) or 'none'}"
    if [build.name for build in index.builds] != [build.name for build in ought]:
        yield INDEX, "its builds are not in their order"
