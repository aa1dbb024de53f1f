"""`ccis explain`: a kickstart as the builder understands it, in one screen."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import output
from ccis.display import watching
from ccis.selection import (
    DEFAULT_RELEASE,
    HOST_ARCH,
    ArchOption,
    IncludePathOption,
    JsonOption,
    ReleaseOption,
    folders_of,
)
from host.errors import InputError

if TYPE_CHECKING:
    from builder.explain import Explanation

app = typer.Typer(add_completion=False)

_WIDTH = 100


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A kickstart.",
                                         show_default=False)],
    release: ReleaseOption = DEFAULT_RELEASE,
    arch: ArchOption = HOST_ARCH,
    disk_size: Annotated[str, typer.Option(help="The disk's size.")] = "10 GiB",
    pre: Annotated[bool, typer.Option("--pre/--no-pre", help="Run %pre, which needs root.")] = True,
    include_paths: IncludePathOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a kickstart comes to: partitions, packages, users, services, network, scripts.

    \b
    ccis explain kickstarts/generic-cloud.ks
    ccis explain my.ks --release centos-stream-9 --json

    Packages are those that are asked for, without what they need (`ccis plan` has them all).
    %pre is run as a build runs it, in a sandbox with an empty disk, when you are root and don't
    say --no-pre; otherwise what depends on it is named as not known.
    """
    from builder.explain import explain as read
    from builder.store.store import open_store
    from images import catalogue
    from images.sizes import parse_size

    try:
        disk_size_bytes = parse_size(disk_size)
    except ValueError as error:
        raise InputError(str(error), where="--disk-size") from error
    with watching(table=False) as progress:
        store = open_store() if pre and os.geteuid() == 0 else None
        found = read(file, catalogue.release(release), arch, disk_size_bytes, store, progress,
                     folders_of(include_paths))
    output.report(found, lambda: _text(found), to_json=json)


def _text(found: Explanation) -> Iterator[str]:
    yield f"{found.file}, for {found.release}"
    if found.disk:
        yield ""
        yield f"Disk ({found.table})"
        for row in found.disk:
            yield (f"  {row['device']:<22} {row['mountpoint']:<16} {row['fstype']:<11} "
                   f"{row['size_mib']:>9} MiB  {row['more']}").rstrip()
        yield from (f"  {layer}" for layer in found.layers)
    yield ""
    yield "Packages"
    for name, values in found.packages.items():
        yield from _wrapped(name, values)
    yield from _wrapped("added by rule", [row["package"] for row in found.added])
    yield from _wrapped("from", [row["address"] for row in found.sources])
    if found.users:
        yield ""
        yield "Accounts"
        for row in found.users:
            more = [row["password"], f"groups {row['groups']}" if row["groups"] else "",
                    f"ssh keys: {row['keys']}" if row["keys"] else ""]
            yield f"  {row['name']:<16} {', '.join(filter(None, more))}"
    if found.services:
        yield ""
        yield "Services"
        for name, values in found.services.items():
            yield from _wrapped(name, values)
    if found.network:
        yield ""
        yield "Network"
        for row in found.network:
            more = [row["ip"], row["onboot"], row["hostname"]]
            yield f"  {row['device']:<16} {', '.join(filter(None, more))}"
    if found.settings:
        yield ""
        yield "Settings"
        yield from (f"  {row['command']:<16} {row['words']}" for row in found.settings)
    if found.scripts:
        yield ""
        yield "Scripts, in this order"
        for row in found.scripts:
            log = f", log {row['log']}" if row["log"] else ""
            yield (f"  {row['kind']:<16} {row['where']}: {row['lines']} lines for "
                   f"{row['interpreter']}, a failure {row['on_error']}{log}")
    yield from _listed("Without meaning for an image",
                       [f"{row['what']}: {row['reason']}" for row in found.without_meaning])
    yield from _listed("Worth a look", [f"{row['where']}: {row['what']}" for row in found.notes])
    yield from _listed("Not known before a build runs or fetches it",
                       [f"{row['where']}: {row['what']}" for row in found.unknown])


def _wrapped(name: str, values: list[str]) -> Iterator[str]:
    if values:
        yield from textwrap.wrap(
            ", ".join(values), _WIDTH, initial_indent=f"  {name:<16} ",
            subsequent_indent=" " * 19, break_long_words=False, break_on_hyphens=False)


def _listed(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield f"{title}"
        yield from (f"  {line}" for line in dict.fromkeys(lines))
