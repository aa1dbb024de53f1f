"""`ccis rehearsal`: the offline, CentOS-shaped distribution to try everything with."""

from __future__ import annotations

import sys
import threading
from typing import Annotated

import typer

from ccis import names, output
from ccis.display import watching
from host.errors import HostError

app = typer.Typer(add_completion=False)

ReleaseArgument = Annotated[str, typer.Argument(
    metavar="RELEASE", help="rehearsal-9 or rehearsal-10.", autocompletion=names.rehearsals)]


@app.command()
def create(release: ReleaseArgument = "rehearsal-10") -> None:
    """Make a rehearsal release, or do nothing if it is there and nothing it is made of changed.

    \b
    ccis rehearsal create rehearsal-10
    """
    import companions
    import rehearsal

    with watching(table=False) as progress:
        folder = rehearsal.create(release, progress)
        companions.create(progress)
    output.line(str(folder))


@app.command()
def path(release: ReleaseArgument = "rehearsal-10") -> None:
    """Print the folder of a rehearsal release that was made.

    \b
    ccis rehearsal path rehearsal-10
    """
    import rehearsal

    folder = rehearsal.path(release)
    if folder is None:
        raise HostError(f"{release} was never made here",
                        remedy=f"run `ccis rehearsal create {release}`")
    output.line(str(folder))


@app.command()
def serve(
    release: ReleaseArgument = "rehearsal-10",
    port: Annotated[int, typer.Option(help="The port; 0: any that is free.")] = 0,
) -> None:
    """Serve a rehearsal release over HTTP on this host's loopback address, until interrupted.

    \b
    ccis rehearsal serve rehearsal-10 --port 8010
    """
    import rehearsal

    with rehearsal.serve(release, port) as url:
        output.line(url)
        sys.stdout.flush()  # whoever started us waits for the address
        threading.Event().wait()
