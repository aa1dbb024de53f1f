"""`ccis pin`: has retention leave a build alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
def pin(
    build: BuildArgument,
    off: Annotated[bool, typer.Option("--off", help="Pin it no longer.")] = False,
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
    """Have `ccis prune` leave a build alone, such as one that customers depend on.

    \b
    ccis pin CentOS-… --sign-with KEY
    """
    from publish.moves import pinning

    signer = signer_of(sign_with, gnupg_home, passphrase_file, rehearsal_key, signing,
                       public_key)
    move_build(build, root, signer, policy, lambda _: pinning(not off),
               trust_keys=trust_keys, to_json=json)
