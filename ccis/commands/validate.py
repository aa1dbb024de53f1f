"""`ccis validate`: proves an artefact against its spec, without starting it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ccis import names, output
from ccis.artefacts import KeyOption, keep_proof, key_of, report_text, subject_of
from ccis.display import watching
from ccis.selection import JsonOption

app = typer.Typer(add_completion=False)


@app.command()
def validate(
    target: Annotated[Path, typer.Argument(metavar="TARGET", show_default=False,
                                           help="A build's folder, or an image file.")],
    image_format: Annotated[
        str | None, typer.Option("--format", help="Which artefact of the folder.",
                                   autocompletion=names.one_format)] = None,
    spec: Annotated[
        str | None, typer.Option(help="A spec's name or file, or several: A,B.  "
                                 "[default: the image's own]",
                                   autocompletion=names.specs)] = None,
    overlay: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Rules that are added, replaced, "
                                        "dropped or waived; may be repeated.")] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a JUnit XML report, too.")] = None,
    key: KeyOption = None,
    json: JsonOption = False,
) -> None:
    """Prove an image against its spec, reading it through libguestfs.

    \b
    ccis validate build/CentOS-Stream-GenericCloud-10-20261121.0.x86_64
    ccis validate image.qcow2 --spec baseline --json
    ccis validate image.qcow2 --spec targets/aws --overlay our-rules.yaml
    ccis validate encrypted.qcow2 --key passphrase.txt

    Nothing in the image is run, and nothing of it is mounted by this host's kernel.
    """
    from builder.store.store import open_store
    from validate.kept import prove_once
    from validate.report import to_junit
    from validate.run import validate as prove

    subject = subject_of(target, image_format, spec, overlay or ())
    opens = key_of(key)
    with watching(table=False) as progress:
        if opens is None:
            store = open_store()
            report, _ = prove_once(subject.path, subject.spec, subject.record, progress, store)
            store.release()
        else:
            report = prove(subject.path, subject.spec, subject.record, progress, key=opens)
    keep_proof(subject, [report])
    if junit:
        junit.write_text(to_junit([report]), encoding="utf-8")
    output.report(report, lambda: report_text(report), to_json=json)
    if not report.passed:
        raise typer.Exit(1)
