"""`ccis verify`: checks a release tree as a reader would who trusts one key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccis import output
from ccis.display import amount, watching

if TYPE_CHECKING:
    from publish.report import Report

app = typer.Typer(add_completion=False)


@app.command()
def verify(
    root: Annotated[Path, typer.Argument(metavar="ROOT", show_default=False,
                                         help="The root of a release tree.")],
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Trust the public keys in this file alone.")
    ] = None,
    fingerprint: Annotated[
        str | None, typer.Option(help="Trust the key with this fingerprint alone.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Report as JSON.")] = False,
) -> None:
    """Check the signatures and the files of a release tree.

    \b
    ccis verify public
    ccis verify public --fingerprint 0123456789ABCDEF0123456789ABCDEF01234567

    Exit status 1 when one file, size, checksum, signature or mark is not as it must be.

    Without --key or --fingerprint the key that the tree publishes is believed. That shows that
    the tree is whole, and not who made it: compare the fingerprint that is printed with one from
    elsewhere, and give it next time.
    """
    from publish.verify import verify as verify_tree

    with watching(table=False) as progress:
        report = verify_tree(root, key, fingerprint, progress)
    # `ok` is no field of the report: a script should not have to know how it follows.
    value = {"ok": report.ok, **vars(report)}
    output.report(value, lambda: _text(report), to_json=json)
    if not report.ok:
        raise typer.Exit(1)


def _text(report: Report) -> list[str]:
    lines = [f"FAIL {finding.file}: {finding.problem}" for finding in report.findings]
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
