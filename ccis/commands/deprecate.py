"""`ccis deprecate`: says in the signed index that a build should no longer be taken."""

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
def deprecate(
    build: BuildArgument,
    replaced_by: Annotated[
        str | None, typer.Option(metavar="BUILD", help="The build to take instead.")] = None,
    reason: Annotated[str, typer.Option(help="Why; it is in the signed index.")] = "",
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
    """Say that a build should no longer be taken. Its files stay; another one gets -latest.

    \b
    ccis deprecate CentOS-… --replaced-by CentOS-… --reason "old kernel" --sign-with KEY
    """
    from publish.moves import deprecation

    signer = signer_of(sign_with, gnupg_home, passphrase_file, rehearsal_key, signing,
                       public_key)
    move_build(build, root, signer, policy, lambda _: deprecation(reason, replaced_by),
               trust_keys=trust_keys, to_json=json)
