"""`ccis serve`: a small web server for a release tree, to try it out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ccis import output

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    root: Annotated[Path, typer.Argument(help="The root of a release tree.")] = Path("public"),
    port: Annotated[int, typer.Option(help="The port; 0: some free one.")] = 8080,
    address: Annotated[
        str, typer.Option(help="Where to listen; 0.0.0.0: for other hosts, too.")] = "127.0.0.1",
) -> None:
    """Serve a release tree until Ctrl-C, with ranges, types, ETag and what caches may keep.

    \b
    ccis serve public --port 8080

    It is for trying a tree out. docs/release-tree.md says how nginx serves one to the world.
    """
    from publish.serve import server

    with server(root, address, port) as listening:
        url = f"http://{address}:{listening.server_address[1]}/"
        output.line(f"{url} serves {root}; Ctrl-C ends it")
        listening.serve_forever()
