"""`ccis withdraw`: takes a build's files out of the tree at once; its entry stays."""

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
def withdraw(
    build: BuildArgument,
    reason: Annotated[str, typer.Option(help="Why; it is in the signed index.")],
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
    """Take a build out of the tree: for what must not be used, such as a leaked key in it.

    \b
    ccis withdraw CentOS-… --reason "CVE-2026-1234, remote root" --sign-with KEY

    Its name is never used again; whoever looks it up finds the reason.
    """
    from publish.moves import withdrawal

    signer = signer_of(sign_with, gnupg_home, passphrase_file, rehearsal_key, signing,
                       public_key)
    move_build(build, root, signer, policy, lambda _: withdrawal(reason),
               trust_keys=trust_keys, to_json=json)
