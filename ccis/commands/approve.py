"""`ccis approve`: a second person's signed word that a build may go to a channel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ccis import output
from ccis.release import BuildArgument, HomeOption, PassphraseOption, RootOption
from ccis.selection import JsonOption

app = typer.Typer(add_completion=False)


@app.command()
def approve(
    build: BuildArgument,
    sign_with: Annotated[
        str, typer.Option("--sign-with", metavar="KEY", help="Your own secret key.")],
    to: Annotated[Literal["testing", "production"], typer.Option(help="The channel.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the approval goes.")],
    root: RootOption = Path("public"),
    gnupg_home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Sign that a build may go to a channel. The tree itself is only read.

    \b
    ccis approve CentOS-… --to production --sign-with me@example.org --out yes.asc

    The word is about these very bytes: it names the digest of the build's record, which has those
    of its files. Try the build first.
    """
    import time

    from host.files import write_atomically
    from publish.approvals import approve as word
    from publish.find import find_build
    from publish.model import moment
    from publish.sign import user_signer

    signer = user_signer(sign_with, gnupg_home, passphrase_file)
    _, _, entry = find_build(root, build)
    write_atomically(out, word(entry, to, moment(time.time()), signer))
    value = {"build": entry.name, "to": to, "fingerprint": signer.fingerprint, "file": out}
    output.report(value, lambda: [f"{out}: {signer.fingerprint} approves {entry.name} for {to}"],
                  to_json=json)
