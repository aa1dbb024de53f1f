"""`ccis sign`: signs what another host asks for, where the key is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import output
from ccis.release import HomeOption, PassphraseOption
from ccis.selection import JsonOption

if TYPE_CHECKING:
    from publish.remote import Request

app = typer.Typer(add_completion=False)


@app.command()
def sign(
    request: Annotated[Path, typer.Argument(help="The file that --signing wrote.",
                                            show_default=False)],
    sign_with: Annotated[
        str, typer.Option("--sign-with", metavar="KEY", help="The secret key that it asks.")],
    gnupg_home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    show: Annotated[bool, typer.Option("--show", help="Only say what would be signed.")] = False,
    json: JsonOption = False,
) -> None:
    """Sign what `ccis publish --signing FILE` or another change of a tree asks for.

    \b
    ccis publish build/CentOS-… --signing ask.json --public-key key.asc    # where the tree is
    ccis sign ask.json --show --sign-with releases@example.org             # where the key is
    ccis sign ask.json --sign-with releases@example.org
    ccis publish build/CentOS-… --signing ask.json --public-key key.asc    # once more

    The file holds sizes and digests, no artefact. Look at what it would have you say first.
    """
    from publish.remote import answer, read_request
    from publish.sign import user_signer

    done = (read_request(request) if show
            else answer(request, user_signer(sign_with, gnupg_home, passphrase_file)))
    value = {"file": request, "fingerprint": done.fingerprint, "at": done.at,
             "documents": done.documents, "signed": sorted(done.signatures)}
    output.report(value, lambda: _text(request, done), to_json=json)


def _text(file: Path, request: Request) -> list[str]:
    """Return what is in the request: of each index the builds that it says are offered."""
    from publish.model import IndexProblem, parse_index

    lines = [f"{file}: for {request.fingerprint}, at {request.at}"]
    for document in request.documents:
        try:
            index = parse_index(document.text.encode())
        except IndexProblem:
            lines.append(f"  a list of {document.text.count('SHA256 (')} checksums")
            continue
        lines.append(f"  {index.path}, revision {index.revision}:")
        for build in index.builds:
            last = build.history[-1] if build.history else None
            state = "withdrawn" if build.withdrawn else build.channel
            news = f", {last.action} {last.at}" if last else ""
            lines.append(f"    {build.name}: {state}{news}")
    return [*lines, f"  {len(request.signatures)} of {len(request.documents)} signed"]
