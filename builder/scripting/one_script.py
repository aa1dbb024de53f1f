"""Runs one script section of a kickstart as Anaconda does: file, interpreter, log, exit status."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath

from builder.kickstart.model import Script
from builder.kickstart.shell import place
from builder.sandbox.places import check_kernel_folders
from builder.sandbox.sandbox import Sandbox
from host.beneath.openat2 import reopen
from host.beneath.root import Root
from host.errors import CcisError, InputError, from_os_error
from host.output import shortened
from host.progress import Progress

log = logging.getLogger("ccis.script")


def run_script(sandbox: Sandbox, script: Script, say: Callable[[str], None]) -> None:
    """Run a script to its end; what it prints goes, line by line, to our log and to its own.

    Source: pyanaconda/core/kickstart/scripts.py: the text becomes /tmp/ks-script-…, mode 0700,
    the interpreter gets that name; --log's folder is made; standard output and error go there, as
    one stream. Our log has the time of each line.
    A script that fails ends the build only with --erroronfail; otherwise it is said. A script that
    breaks one of the sandbox's bounds always ends it.

    say: shows a line to the user.
    Raises InputError, with the script's file and line, when it fails and may not, and for a
    broken bound; HostError when it takes too long, or when the host's disk is full: what a script
    could not write is not its own failure, so it ends the build whatever the script says.
    """
    # Anaconda's name is drawn at random; one of the text would let anybody who sees it (a log, ps)
    # try out what secrets are in the text.
    shape = (script.kind, script.interpreter, script.in_chroot, len(script.text.splitlines()))
    name = "ks-script-" + hashlib.sha256(repr(shape).encode()).hexdigest()[:8]
    text = script.text.encode("utf-8", "surrogateescape")
    try:
        with _script_file(sandbox, name, text), _log_file(sandbox, script.log) as written:
            refused: list[OSError] = []

            def on_line(line: str) -> None:
                log.info("%s: %s", script.where, shortened(line))
                if written is not None and not refused:
                    try:
                        os.write(written, line.encode("utf-8", "surrogateescape") + b"\n")
                    except OSError as error:  # what it prints must go on being read
                        refused.append(error)

            done = sandbox.run([*script.interpreter.split(), f"/tmp/{name}"],  # noqa: S108
                               check=False, on_line=on_line, who=f"the {script.kind} script",
                               merged=True)
            if refused:
                raise from_os_error(refused[0], f"writing {script.log}")
        for tree in sandbox.trees:
            check_kernel_folders(tree, script.where)
    except CcisError as error:
        raise type(error)(error.what, where=script.where, why=error.why,
                          remedy=error.remedy) from error
    if done.status == 0:
        return
    tail = "; ".join(line.strip() for line in done.tail[-4:])
    where = _failed_at(script, name, done.tail)
    if script.stop_on_error:
        raise InputError(
            f"the {script.kind} script failed with status {done.status}", where=where,
            why=tail, remedy="correct the script, or leave out --erroronfail",
        )
    say(f"{where}: {script.kind} without --erroronfail: status {done.status}: {tail}")


def _failed_at(script: Script, name: str, tail: Sequence[str]) -> str:
    """Return the line that the script's interpreter complained of last; else the script's first.

    bash says `FILE: line N: …`, dash `FILE: N: …`, Python `File "FILE", line N`.
    """
    pattern = re.compile(rf"{re.escape(name)}(?:: (?:line )?|\", line )(\d+)\b")
    found = [int(number) for line in tail for number in pattern.findall(line)]
    return place(script, found[-1]) if found else script.where


@contextmanager
def _script_file(sandbox: Sandbox, name: str, text: bytes) -> Iterator[None]:
    """Have the script in its /tmp for the block."""
    found = sandbox.place("/tmp")  # noqa: S108 – in the tree
    if found is None:
        raise InputError("the folder for scripts is a link to where nothing is kept",
                         where="/tmp",  # noqa: S108
                         remedy="remove the link in the script, or the package, that made it")
    root, folder = found
    if not root.is_folder(folder):
        _make_folder(root, folder, 0o1777)
    path = f"{folder}/{name}"
    root.remove(path)
    root.write(path, text, 0o700)
    try:
        yield
    finally:
        root.remove(path)


@contextmanager
def _log_file(sandbox: Sandbox, wanted: str | None) -> Iterator[int | None]:
    """Yield a descriptor of --log's file, which is a new one in the place of what was there.

    It is opened before the script starts, as in Anaconda: what the script puts in its place
    gets nothing. None: there is no log, or it lies where nothing is kept, as in /dev.
    """
    found = sandbox.place(str(PurePosixPath("/", wanted))) if wanted else None
    if found is None:
        yield None
        return
    root, path = found
    _make_folder(root, str(PurePosixPath(path).parent), 0o755)
    root.write(path, b"")
    with root.handle(path) as handle:
        descriptor = reopen(handle, os.O_WRONLY | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _make_folder(root: Root, path: str, mode: int) -> None:
    try:
        root.make_folder(path, mode)
    except OSError as error:
        raise InputError(f"{path} of the tree can't be a folder", why=error.strerror,
                         remedy="remove what an earlier script or a package put there") from error


def run_onerror(
    sandbox: Sandbox, scripts: Sequence[Script], say: Callable[[str], None],
) -> None:
    """Run the %onerror scripts, because a step failed; what they do wrong is only said."""
    for script in scripts:
        try:
            run_script(sandbox, script, say)
        except Exception as error:  # the error that brought us here is the one to show
            say(f"{script.where}: {script.kind}: {error}")


def progress_say(progress: Progress | None) -> Callable[[str], None]:
    """Return how to show a line: by the progress display, or in the log where there is none."""
    return progress.say if progress else lambda line: log.warning("%s", line)
