"""`ccis trust`: the chain of trust over a release tree: keys, root, rotation, renewal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import output
from ccis.display import watching
from ccis.groups import spread
from ccis.release import (
    Key,
    KeyPassphraseOption,
    RootOption,
    TrustKeysOption,
    chain_signers,
)
from ccis.selection import JsonOption
from host.errors import InputError

if TYPE_CHECKING:
    from tuf.api.metadata import Metadata, Root

    from publish.chain.refresh import Signers
    from publish.sign import Signer

app = typer.Typer(add_completion=False)

PublicKeys = Annotated[list[Path], typer.Option(metavar="FILE", help="Public keys (.pub) of it.")]
Proposal = Annotated[Path, typer.Option(metavar="FILE", help="Where the proposed root goes.")]


@app.command("new-key")
def new_key(
    file: Annotated[Path, typer.Argument(help="The new file, as root-1.pem.", show_default=False)],
    key_passphrase_file: KeyPassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Make a key for a role of the chain: FILE for its owner alone, and FILE.pub beside it.

    \b
    ccis trust new-key /media/stick/root-1.pem --key-passphrase-file phrase
    """
    from ccis.release import passphrase_of
    from publish.chain.keys import new_key as make

    key = make(file, passphrase_of(key_passphrase_file))
    public = file.with_suffix(".pub")
    output.report({"keyid": key.keyid, "file": file, "public": public},
                  lambda: [f"{file}: key {key.keyid}", f"{public}: its public half"],
                  to_json=json)


@app.command()
def init(
    root_key: PublicKeys,
    targets_key: PublicKeys,
    snapshot_key: PublicKeys,
    timestamp_key: PublicKeys,
    out: Proposal,
    threshold: Annotated[int, typer.Option(help="So many root keys must sign.")] = 1,
    json: JsonOption = False,
) -> None:
    """Propose the first root of a tree: which keys may sign what. Nothing is signed yet.

    \b
    ccis trust init --root-key a.pub --root-key b.pub --threshold 2 --targets-key t.pub \\
        --snapshot-key s.pub --timestamp-key s.pub --out root.json

    Take the file to the hosts with the root's keys (`ccis trust sign`), then `ccis trust accept`.
    """
    from publish.chain.ceremony import first, write_proposal
    from publish.chain.keys import read_public

    files = {"root": root_key, "targets": targets_key, "snapshot": snapshot_key,
             "timestamp": timestamp_key}
    keys = {role: [read_public(path) for path in paths] for role, paths in files.items()}
    proposal = first(keys, threshold, _now())
    write_proposal(proposal, out)
    _report(proposal, out, json)


@app.command()
def rotate(
    out: Proposal,
    root: RootOption = Path("public"),
    add: Annotated[
        list[str] | None, typer.Option(metavar="ROLE=FILE", help="A key more for a role.")] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="KEYID", help="Revoke a key, in all roles.")] = None,
    threshold: Annotated[
        int | None, typer.Option(help="So many root keys must sign from now on.")] = None,
    json: JsonOption = False,
) -> None:
    """Propose the next root: keys come, keys are revoked, or only the time goes on.

    \b
    ccis trust rotate --add timestamp=new.pub --remove 5d0a2f6c --out root.json

    Both the root's present keys and the new ones must sign it, as many as each asks for.
    """
    from publish.chain.ceremony import ROLES, following, write_proposal
    from publish.chain.keys import read_public
    from publish.chain.store import Store

    added = []
    for each in add or []:
        role, _, name = each.partition("=")
        if role not in ROLES or not name:
            raise InputError("is not ROLE=FILE", where=f"--add {each}",
                             remedy="roles are " + ", ".join(ROLES))
        added.append((role, read_public(Path(name))))
    proposal = following(Store(root).trusted_root(), added, remove or [], _now(), threshold)
    write_proposal(proposal, out)
    _report(proposal, out, json)


@app.command()
def sign(
    proposal: Annotated[Path, typer.Argument(help="What `init` or `rotate` wrote.",
                                             show_default=False)],
    key: Annotated[list[Path], typer.Option(metavar="FILE", help="Secret keys, or their folder.")],
    key_passphrase_file: KeyPassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Sign a proposed root, on whichever host the keys are: it needs nothing but this small file.

    \b
    ccis trust sign root.json --key /media/stick/root-1.pem
    """
    from ccis.release import passphrase_of
    from publish.chain.ceremony import read_proposal, write_proposal
    from publish.chain.ceremony import sign as add_signatures
    from publish.chain.keys import signers

    found = read_proposal(proposal)
    add_signatures(found, signers(key, passphrase_of(key_passphrase_file)))
    write_proposal(found, proposal)
    _report(found, proposal, json)


@app.command()
@spread
def accept(
    proposal: Annotated[Path, typer.Argument(help="A proposal that enough keys signed.",
                                             show_default=False)],
    *,
    root: RootOption = Path("public"),
    trust_keys: TrustKeysOption = None,
    key_passphrase_file: KeyPassphraseOption = None,
    by: Key,
    json: JsonOption = False,
) -> None:
    """Put the tree under a proposed root; what its online keys sign is signed anew, at once.

    \b
    ccis trust accept root.json --trust-keys online/ --sign-with releases@example.org

    The tree's own key (--sign-with) is needed when it is put under a root for the first time.
    """
    from publish.chain.ceremony import accept as put_under
    from publish.chain.ceremony import read_proposal
    from publish.chain.gather import gather
    from publish.workshop import workshop

    found = read_proposal(proposal)
    keys = _online(trust_keys, key_passphrase_file)
    signer: Signer | None = None
    if by.sign_with or by.rehearsal_key:
        signer = by.signer()
    with watching(table=False) as progress, workshop(root) as works:
        put_under(works, found, gather(works.root, {}, signer, progress), keys, _now())
    _report(found, proposal, json)


@app.command()
def renew(
    root: RootOption = Path("public"),
    trust_keys: TrustKeysOption = None,
    key_passphrase_file: KeyPassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Sign a new timestamp, and what has less than half of its time left. Run it once a day.

    \b
    ccis trust renew --root public --trust-keys online/

    Without it, readers refuse the tree after three days: they could not tell it from one that
    somebody holds back.
    """
    from publish.chain.gather import gather
    from publish.chain.refresh import install, prepare, publish_timestamp
    from publish.chain.store import Store
    from publish.workshop import workshop

    keys = _online(trust_keys, key_passphrase_file)
    with watching(table=False) as progress, workshop(root) as works:
        store = Store(works.root)
        prepared = prepare(store, gather(works.root, {}, None, progress), keys, _now(), renew=True)
        install(works, prepared)
        publish_timestamp(works, prepared)
        stamp = store.timestamp()
    assert stamp is not None, "it was made just now"
    value = {"timestamp": stamp.signed.version, "expires": stamp.signed.expires.isoformat(),
             "signed": sorted(prepared.files)}
    output.report(value, lambda: [f"timestamp {value['timestamp']}, good until {value['expires']}",
                                  *(f"signed anew: {name}" for name in sorted(prepared.files))],
                  to_json=json)


def _online(places: list[Path] | None, phrase: Path | None) -> Signers:
    keys = chain_signers(places, phrase)
    if keys is None:
        raise InputError("the online keys are not given", where="the command line",
                         remedy="give --trust-keys FOLDER")
    return keys


def _now() -> str:
    from publish.model import moment

    return moment(time.time())


def _report(proposal: Metadata[Root], path: Path, to_json: bool) -> None:
    root = proposal.signed
    value = {
        "file": path, "version": root.version, "expires": root.expires.isoformat(),
        "roles": {name: {"threshold": role.threshold, "keys": role.keyids}
                  for name, role in root.roles.items()},
        "signed_by": sorted(proposal.signatures),
    }

    def lines() -> list[str]:
        text = [f"{path}: root {root.version}, good until {root.expires:%Y-%m-%d}"]
        text += [f"  {name}: {role.threshold} of " + ", ".join(k[:16] for k in role.keyids)
                 for name, role in root.roles.items()]
        return [*text, "  signed by " + (", ".join(k[:16] for k in sorted(proposal.signatures))
                                         or "nobody yet")]

    output.report(value, lines, to_json=to_json)
