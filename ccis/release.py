"""What the commands that change a release tree have in common: root, key, policy, build."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import output
from ccis.display import watching
from host.errors import InputError

if TYPE_CHECKING:
    from publish.chain.refresh import Signers
    from publish.change import Publication
    from publish.model import Index, PublishedBuild
    from publish.moves import Move
    from publish.policies import Policy
    from publish.sign import Signer

RootOption = Annotated[Path, typer.Option(help="The root of the release tree.")]
SignOption = Annotated[
    str | None, typer.Option("--sign-with", metavar="KEY",
                             help="Sign with this secret key of yours.")]
HomeOption = Annotated[
    Path | None, typer.Option("--gnupg-home", metavar="FOLDER",
                              help="Where that key is.  [default: ~/.gnupg]")]
PassphraseOption = Annotated[
    Path | None, typer.Option("--passphrase-file", metavar="FILE",
                              help="A file whose first line opens the key.")]
RehearsalOption = Annotated[
    bool, typer.Option("--rehearsal-key", help="Sign with a throw-away key of this host's.")]
PolicyOption = Annotated[
    str | None, typer.Option("--policy", metavar="NAME|FILE",
                             help="Gates, retention, cadence.  [default: the tree's own]")]
ApprovalOption = Annotated[
    list[Path] | None, typer.Option("--approval", metavar="FILE",
                                    help="What `ccis approve` made; may be repeated.")]
ApproverKeysOption = Annotated[
    Path | None, typer.Option("--approver-keys", metavar="FILE",
                              help="The public keys of those who approve.")]
TrustKeysOption = Annotated[
    list[Path] | None, typer.Option("--trust-keys", metavar="FOLDER",
                                    help="The online keys of the tree's chain of trust.")]
KeyPassphraseOption = Annotated[
    Path | None, typer.Option("--key-passphrase-file", metavar="FILE",
                              help="A file whose first line opens these keys.")]
SigningOption = Annotated[
    Path | None, typer.Option("--signing", metavar="FILE",
                              help="The key is elsewhere: ask for signatures in this file, or take "
                              "those that `ccis sign` put into it.")]
PublicKeyOption = Annotated[
    Path | None, typer.Option("--public-key", metavar="FILE",
                              help="The public half of that key.")]
BuildArgument = Annotated[
    str, typer.Argument(help="The name of a build in the tree, as CentOS-Stream-….x86_64.",
                        show_default=False)]


@dataclass(frozen=True)
class Key:
    """The options that name one secret key of this host."""

    sign_with: SignOption = None
    gnupg_home: HomeOption = None
    passphrase_file: PassphraseOption = None
    rehearsal_key: RehearsalOption = False

    def signer(self) -> Signer:
        """Return the one signer that is named; raises InputError for none, or two."""
        from publish.sign import rehearsal_signer, user_signer

        if self.rehearsal_key == (self.sign_with is not None):
            raise _not_one_key()
        if self.sign_with is None:
            return rehearsal_signer()
        return user_signer(self.sign_with, self.gnupg_home, self.passphrase_file)


@dataclass(frozen=True)
class Signing(Key):
    """The options that say who signs a change of a tree: a key, here or elsewhere, and the chain's.
    """

    signing: SigningOption = None
    public_key: PublicKeyOption = None
    trust_keys: TrustKeysOption = None

    def signer(self) -> Signer:
        """Return the one signer that is named; raises InputError for none, or two."""
        from publish.remote import remote_signer

        if self.signing is None:
            return super().signer()
        if self.sign_with is not None or self.rehearsal_key:
            raise _not_one_key()
        if self.public_key is None:
            raise InputError("whose signatures are asked for is not said", where="--signing",
                             remedy="give --public-key FILE, as gpg --export makes it")
        return remote_signer(self.signing, self.public_key)

    def chain(self) -> Signers | None:
        """Return the online keys of the chain of trust; None: none are named."""
        return chain_signers(self.trust_keys)


def _not_one_key() -> InputError:
    return InputError("a release is signed with exactly one key", where="the command line",
                      remedy="give --sign-with KEY, --signing FILE where the key is elsewhere, "
                      "or --rehearsal-key to try things out")


def passphrase_of(file: Path | None) -> bytes | None:
    """Return the first line of a file with a passphrase; raises InputError."""
    from host.files import read_regular

    if file is None:
        return None
    try:
        return read_regular(file, 4096).split(b"\n")[0]
    except OSError as error:
        raise InputError("can't be read", where=str(file), why=error.strerror) from error


def chain_signers(places: list[Path] | None, phrase: Path | None = None) -> Signers | None:
    """Return the online keys of the chain of trust that the options name; None: they name none."""
    from publish.chain.keys import signers

    return signers(places, passphrase_of(phrase)) if places else None


def policy_of(option: str | None, index: Index | None, default: str) -> Policy:
    """Return the policy that is asked for, or the folder's own, or for a new tree the default."""
    from publish.policies import load_policy

    if option is not None:
        return load_policy(option)
    if index is None or index.revision == 0:
        return load_policy(default)
    try:
        return load_policy(index.policy)
    except InputError as error:
        raise InputError(f"the tree is under the policy {index.policy}, which is not one of ccis's",
                         where="--policy", remedy="give its file: --policy FILE") from error


@contextmanager
def asking(*, to_json: bool) -> Iterator[None]:
    """Report a request for signatures, where the key is elsewhere, and end the command well."""
    from publish.remote import WantedError

    try:
        yield
    except WantedError as wanted:
        file, request = wanted.file, wanted.request
        value = {"signing": file, "documents": len(request.documents),
                 "fingerprint": request.fingerprint, "at": request.at}
        output.report(value, lambda: [
            f"{file}: asks {request.fingerprint} for {len(request.documents)} signatures; nothing "
            "is changed yet",
            f"where the key is: ccis sign {file} --sign-with KEY; then run this again",
        ], to_json=to_json)
        raise typer.Exit(0) from wanted


def move_build(
    name: str, root: Path, by: Signing, policy_option: str | None,
    make: Callable[[Policy, Signer], Move], *, to_json: bool,
) -> None:
    """Carry a move of one build out, and report it."""
    from publish.change import change
    from publish.find import find_build
    from publish.moves import edit_of

    signer = by.signer()
    path, index, _ = find_build(root, name)
    policy = policy_of(policy_option, index, index.policy)
    with asking(to_json=to_json), watching(table=False) as progress:
        done = change(root, {path: edit_of(name, make(policy, signer), policy)}, signer,
                      progress, chain=by.chain())
    after = _entry(root, name)
    output.report({"build": after, **vars(done)}, lambda: _text(done, after), to_json=to_json)


def _entry(root: Path, name: str) -> PublishedBuild:
    from publish.find import find_build

    return find_build(root, name)[2]


def _text(done: Publication, build: PublishedBuild) -> list[str]:
    last = build.history[-1]
    lines = [f"{build.name}: {last.action}, now "
             + ("withdrawn" if build.withdrawn else f"in {build.channel}")]
    lines += [f"  {gate.gate}: {gate.evidence}" for gate in last.gates]
    lines += [f"  also named {alias}" for file in build.served for alias in file.aliases]
    return [*lines, f"signed by {done.fingerprint}"]
