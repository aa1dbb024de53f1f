"""`ccis publish`: puts builds into a signed release tree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import names, output
from ccis.display import watching
from host.errors import InputError

if TYPE_CHECKING:
    from publish.sign import Signer
    from publish.tree import Publication

app = typer.Typer(add_completion=False)


@app.command()
def publish(
    build: Annotated[
        list[Path], typer.Argument(metavar="BUILD", help="Folders that `ccis build` made.",
                                       show_default=False)
    ],
    root: Annotated[
        Path, typer.Option(help="The root of the release tree; made if need be.")
    ] = Path("public"),
    sign_with: Annotated[
        str | None, typer.Option(metavar="KEY", help="Sign with this secret key of yours.")
    ] = None,
    gnupg_home: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where that key is.  [default: ~/.gnupg]")
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file whose first line opens the key.")
    ] = None,
    rehearsal_key: Annotated[
        bool, typer.Option("--rehearsal-key", help="Sign with a throw-away key of this host's.")
    ] = False,
    replace_key: Annotated[
        bool, typer.Option("--replace-key", help="Go on where another key has signed so far.")
    ] = False,
    keep: Annotated[
        int | None, typer.Option(metavar="N", help="Keep the N newest builds of each flavour.")
    ] = None,
    formats: Annotated[
        list[str] | None, typer.Option("--format", metavar="FORMAT",
                                       help="Publish this artefact alone; may be repeated.",
                                       autocompletion=names.one_format)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Report as JSON.")] = False,
) -> None:
    """Put builds into a signed release tree, all at once.

    \b
    ccis publish build/CentOS-… --root public --sign-with releases@example.org
    ccis publish build/CentOS-… --root public --rehearsal-key

    Files that are published never change; publishing the same build again does nothing.
    """
    from publish import tree

    signer = _signer(sign_with, gnupg_home, passphrase_file, rehearsal_key)
    with watching(table=False) as progress:
        done = tree.publish(build, root, signer, progress, keep=keep, formats=formats or None,
                            replace_key=replace_key)
    output.report(done, lambda: _text(done), to_json=json)


def _signer(
    sign_with: str | None, home: Path | None, passphrase_file: Path | None, rehearsal: bool,
) -> Signer:
    from publish.sign import rehearsal_signer, user_signer

    if rehearsal == (sign_with is not None):
        raise InputError("a release is signed with exactly one key", where="the command line",
                         remedy="give --sign-with KEY, or --rehearsal-key to try things out")
    if sign_with is None:
        return rehearsal_signer()
    return user_signer(sign_with, home, passphrase_file)


def _text(done: Publication) -> list[str]:
    lines = []
    for folder in done.folders:
        if folder.changed:
            lines.append(f"{folder.path}: {len(folder.added)} new files, "
                         f"{len(folder.builds)} builds")
        else:
            lines.append(f"{folder.path}: unchanged, it holds this already")
        lines += [f"  removed {name}" for name in folder.removed]
    lines.append(f"signed by {done.fingerprint}, whose public key is {done.key}")
    return lines
