"""`ccis rollback`: takes a build out of a channel, which then offers the one before it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ccis.release import (
    BuildArgument,
    HomeOption,
    PassphraseOption,
    PolicyOption,
    PublicKeyOption,
    RehearsalOption,
    RootOption,
    SigningOption,
    SignOption,
    TrustKeysOption,
    move_build,
    signer_of,
)
from ccis.selection import JsonOption

app = typer.Typer(add_completion=False)


@app.command()
def rollback(
    build: BuildArgument,
    reason: Annotated[str, typer.Option(help="Why; it is in the signed index.")],
    channel: Annotated[
        Literal["testing", "production"], typer.Option(help="The channel that it leaves."),
    ] = "production",
    root: RootOption = Path("public"),
    policy: PolicyOption = None,
    sign_with: SignOption = None,
    gnupg_home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    rehearsal_key: RehearsalOption = False,
    signing: SigningOption = None,
    public_key: PublicKeyOption = None,
    trust_keys: TrustKeysOption = None,
    json: JsonOption = False,
) -> None:
    """Take a build out of a channel; the newest one that is left there gets its -latest name.

    \b
    ccis rollback CentOS-… --reason "does not boot on Xen" --sign-with KEY

    Nothing is removed: the build stays in the channel below, under its own name.
    """
    from publish.moves import rollback as move

    signer = signer_of(sign_with, gnupg_home, passphrase_file, rehearsal_key, signing,
                       public_key)
    move_build(build, root, signer, policy, lambda _: move(channel, reason),
               trust_keys=trust_keys, to_json=json)
