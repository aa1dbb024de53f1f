"""`ccis verify`: checks a release tree as a reader would who trusts one key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import output
from ccis.display import amount, watching

if TYPE_CHECKING:
    from publish.report import Verification

app = typer.Typer(add_completion=False)


@app.command()
def verify(
    root: Annotated[str, typer.Argument(metavar="ROOT", show_default=False,
                                        help="The root of a release tree, or its URL.")],
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Trust the public keys in this file alone.")
    ] = None,
    fingerprint: Annotated[
        str | None, typer.Option(help="Trust the key with this fingerprint alone.")
    ] = None,
    root_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Begin the chain of trust with this root "
                                  "metadata, or with the public key of a root's key.")
    ] = None,
    payload: Annotated[
        bool, typer.Option(help="Read the artefacts, too.")
    ] = True,
    artefact: Annotated[
        str | None, typer.Option(metavar="NAME", help="Verify this file alone.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where is remembered what was seen of the "
                                  "tree, so that an older state is found.  [default: the cache]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Report as JSON.")] = False,
) -> None:
    """Check the signatures and the files of a release tree.

    \b
    ccis verify public
    ccis verify public --fingerprint 0123456789ABCDEF0123456789ABCDEF01234567

    ccis verify https://cloud.example.org/tree --root-key root.json

    A tree behind a URL needs a chain of trust (`ccis trust`), which is followed from its first
    root; files that do not belong there can be found in a folder only.
    Exit status 1 when one file, size, checksum, signature or mark is not as it must be.

    Without --key or --fingerprint the key that the tree publishes is believed. That shows that
    the tree is whole, and not who made it: compare the fingerprint that is printed with one from
    elsewhere, and give it next time.
    """
    from publish.verify import Wish
    from publish.verify import verify as verify_tree

    wish = Wish(key, fingerprint, root_key, state, payload, artefact)
    with watching(table=False) as progress:
        report = verify_tree(root, progress=progress, wish=wish)
    # `ok` is no field of the report: a script should not have to know how it follows.
    value = {"ok": report.ok, **vars(report)}
    output.report(value, lambda: _text(report), to_json=json)
    if not report.ok:
        raise typer.Exit(1)


def _text(report: Verification) -> list[str]:
    lines = [f"FAIL {finding.file}: {finding.problem}" for finding in report.findings]
    lines += [f"note {note}" for note in report.notes]
    if report.chain:
        lines.append(f"chain of trust: root {report.chain['root']}, timestamp "
                     f"{report.chain['timestamp']}, good until {report.chain['expires']}")
    keys = ", ".join(report.fingerprints) or "none"
    if report.trust == "pinned":
        lines.append(f"key: {keys} (the one you named)")
    else:
        lines.append(f"key: {keys} (trust on first use: published in the tree itself)")
    checked = (f"{report.files} files in {len(report.folders)} folders, "
               f"{amount(report.bytes_hashed, 'bytes')} hashed")
    if report.ok:
        lines.append(f"OK: {checked}")
    else:
        lines.append(f"FAILED: {len(report.findings)} findings; {checked}")
    return lines
