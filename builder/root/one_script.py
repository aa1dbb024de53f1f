"""Runs one script section of a kickstart as Anaconda does: file, interpreter, log, exit status."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from pathlib import Path

from builder.kickstart.model import Script
from builder.tree.sandbox import Sandbox
from host.errors import HostError, InputError
from host.progress import Progress

log = logging.getLogger("ccis.script")

TIMEOUT_S = 1800.0

Place = Callable[[str], Path]


def run_script(
    sandbox: Sandbox, script: Script, place: Place, say: Callable[[str], None],
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Run a script to its end; what it prints goes, line by line, to our log and to its own.

    Source: pyanaconda/core/kickstart/scripts.py: the text becomes /tmp/ks-script-…, mode 0700,
    the interpreter gets that name; --log's folder is made; standard output and error go there.
    A script that fails ends the build only with --erroronfail; otherwise it is said.

    place: the host's path of a path that the script sees. say: shows a line to the user.
    timeout_s: so many seconds later it is killed with all that it started.
    Raises InputError, with the script's file and line, when it fails and may not; HostError when
    it takes too long.
    """
    name = "ks-script-" + hashlib.sha256(repr(script.identity).encode()).hexdigest()[:8]
    folder = place("/tmp")  # noqa: S108 – in the tree
    folder.mkdir(mode=0o1777, parents=True, exist_ok=True)
    file = folder / name
    file.write_text(script.text, encoding="utf-8", errors="surrogateescape")
    file.chmod(0o700)
    written = None
    if script.log:
        path = place(script.log)
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.open("w", encoding="utf-8", errors="surrogateescape", buffering=1)

    def on_line(line: str) -> None:
        log.info("%s: %s", script.where, line)
        if written:
            written.write(line + "\n")

    try:
        done = sandbox.run(
            [*script.interpreter.split(), f"/tmp/{name}"],  # noqa: S108
            check=False, timeout_s=timeout_s, on_line=on_line,
        )
    except HostError as error:
        raise HostError(
            re.sub(r"^(bwrap|prlimit)\b", f"the {script.kind} script", error.what),
            where=script.where,
            why=error.why, remedy=error.remedy,
        ) from error
    finally:
        file.unlink(missing_ok=True)
        if written:
            written.close()
    if done.status == 0:
        return
    tail = "; ".join((done.stdout + done.stderr).strip().splitlines()[-4:])
    if script.stop_on_error:
        raise InputError(
            f"the {script.kind} script failed with status {done.status}", where=script.where,
            why=tail, remedy="correct the script, or leave out --erroronfail",
        )
    say(f"{script.where}: {script.kind} without --erroronfail: status {done.status}: {tail}")


def run_onerror(
    sandbox: Sandbox, scripts: list[Script], place: Place, say: Callable[[str], None],
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Run the %onerror scripts, because a step failed; what they do wrong is only said."""
    for script in scripts:
        try:
            run_script(sandbox, script, place, say, timeout_s)
        except Exception as error:  # the error that brought us here is the one to show
            say(f"{script.where}: {script.kind}: {error}")


def progress_say(progress: Progress | None) -> Callable[[str], None]:
    """Return how to show a line: by the progress display, or in the log where there is none."""
    return progress.say if progress else lambda line: log.warning("%s", line)
