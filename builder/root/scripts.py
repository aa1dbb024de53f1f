"""Runs %post scripts as the installer does: in the tree, in order, with their output in the log."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from pathlib import Path

from builder.disk.layout import Layout
from builder.kickstart.read import Kickstart, Script
from builder.root.bootloader import disk_in_sight
from builder.root.tree import Tree
from host.errors import InputError
from host.progress import Progress

log = logging.getLogger("ccis.script")

TIMEOUT_S = 1800
_INSIDE = "/run/kickstart-script"


def run_post(tree: Tree, kickstart: Kickstart, layout: Layout, progress: Progress) -> None:
    """Run every %post script of the kickstart.

    A script that fails ends the build only with --erroronfail, as in Anaconda; otherwise it is
    said and the next one runs. Raises InputError with the script's file and line.
    """
    with disk_in_sight(tree, layout) as sighted:
        for script in kickstart.scripts:
            if script.kind == "%post":
                _run(sighted, script, progress)


def _run(tree: Tree, script: Script, progress: Progress) -> None:
    progress.advance("scripts", 0, f"%post at {script.where}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "script"
        file.write_text(script.text, encoding="utf-8", errors="surrogateescape")
        file.chmod(0o700)
        sandbox = replace(
            tree.sandbox, binds={**tree.sandbox.binds, _INSIDE: file},
        )
        done = sandbox.run(
            [*script.interpreter.split(), _INSIDE], check=False, timeout_s=TIMEOUT_S,
            on_line=lambda line: log.info("%s: %s", script.where, line),
        )
    if script.log and tree.path(str(Path(script.log).parent)).is_dir():
        tree.write(script.log, done.stdout + done.stderr)
    if done.status == 0:
        return
    tail = "; ".join((done.stdout + done.stderr).strip().splitlines()[-4:])
    if script.stop_on_error:
        raise InputError(
            f"the %post script failed with status {done.status}", where=script.where, why=tail,
            remedy="correct the script; everything before it is kept, so the next run starts here",
        )
    progress.say(f"{script.where}: %post without --erroronfail: status {done.status}: {tail}")
