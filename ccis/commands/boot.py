"""`ccis boot`: starts an image under QEMU and asks it the boot questions of its spec."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal

import typer

from ccis import names, output
from ccis.artefacts import KeyOption, keep_proof, key_of, report_text, subject_of
from ccis.display import watching
from ccis.selection import JsonOption

app = typer.Typer(add_completion=False)

Firmware = Literal["bios", "uefi", "both"]


@app.command()
def boot(
    target: Annotated[Path, typer.Argument(metavar="TARGET", show_default=False,
                                           help="A build's folder, or an image file.")],
    firmware: Annotated[Firmware, typer.Option(help="How the machine starts.")] = "both",
    image_format: Annotated[
        str | None, typer.Option("--format", help="Which artefact of the folder.",
                                   autocompletion=names.one_format)] = None,
    spec: Annotated[
        str | None, typer.Option(help="A spec's name or file.  [default: the image's own]",
                                   autocompletion=names.specs)] = None,
    key: KeyOption = None,
    json: JsonOption = False,
) -> None:
    """Start an image as a cloud would, wait for cloud-init, and check it over SSH.

    \b
    ccis boot build/CentOS-Stream-GenericCloud-10-20261121.0.x86_64
    ccis boot image.qcow2 --firmware uefi

    The image itself is not changed: the machine writes into a throw-away layer over it. Both
    firmwares are tried at the same time. When the guest asks for the passphrase of its disk, the
    content of the key file is typed on its serial console.
    """
    from validate.boot.run import boot as start

    subject = subject_of(target, image_format, spec)
    opens = key_of(key)
    wanted: list[Literal["bios", "uefi"]] = ["bios", "uefi"] if firmware == "both" else [firmware]
    with watching(table=False) as progress, ThreadPoolExecutor(len(wanted)) as pool:
        reports = list(pool.map(
            lambda each: start(
                subject.path, each, subject.spec, subject.record, progress, key=opens),
            wanted))
    keep_proof(subject, reports)
    output.report(reports, lambda: (row for report in reports for row in report_text(report)),
                  to_json=json)
    if not all(report.passed for report in reports):
        raise typer.Exit(1)
