"""Runs a program on what somebody hostile made: in its reach is a copy of that, /usr, no more.

Parsers written in C (rpm, SQLite) read files of a tree or an image here: in an empty namespace
without network, without rights, bounded in memory, time and output. The files are copies in a
folder of ours (host.beneath.root.Root.copy_out); what comes back is as hostile as what went in and
is read by the same accessor.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from host.errors import HostError, InputError, LimitError, ProgramError
from host.run import Completed, run

NOBODY = 65534
PLACE = "/work"
"""Where a jailed program finds the folder that it was given."""

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "LC_ALL": "C.UTF-8"}
"""All that a program in an empty room, and bubblewrap itself, has in its environment."""

_ERRORS_BYTES_MAX = 64 << 10


def run_jailed(
    argv: Sequence[str | Path], folder: Path, *, time_s: int, memory_bytes: int = 2 << 30,
    output_bytes: int = 16 << 20, file_bytes: int = 1 << 30,
    shown: Mapping[str, Path] | None = None,
) -> Completed:
    """Run a program of the host's as `nobody`, with `folder` at PLACE as all that it can write.

    folder: holds copies only, in folders of its own; it is given to `nobody` for good.
    time_s: of the clock and of a processor. memory_bytes: of its address space. output_bytes:
    of what it prints. file_bytes: no file becomes larger. shown: files and folders of the host's
    beside /usr that it may read, by their paths inside.
    Raises ProgramError when it fails, InputError when it comes up against one of these bounds,
    HostError when this host can't make a jail.
    """
    need("bwrap", "prlimit", "setpriv")
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    words = ["prlimit", f"--as={memory_bytes}", f"--cpu={time_s}", f"--fsize={file_bytes}",
             "--core=0", "--", *empty_room(shown), "--bind", folder, PLACE, *_without_rights(),
             *argv]
    try:
        return run(words, timeout_s=time_s, cwd=Path("/"), env=ENVIRONMENT, own_environment=False,
                   output_bytes=output_bytes)
    except ProgramError as error:
        if error.status < 0 or error.status > 128:  # by a signal: of prlimit(1)
            raise _bound(argv, time_s, error) from error
        raise
    except LimitError as error:
        raise _bound(argv, time_s, error) from error


def empty_room(shown: Mapping[str, Path] | None = None) -> list[str | Path]:
    """Return bubblewrap's words for a root that holds the host's /usr and what belongs to it.

    It can't be written, has no network and no other process. More words follow, then `--` and a
    program. Start it with ENVIRONMENT alone, which the first process in it shows to the others.
    """
    words: list[str | Path] = [
        "bwrap", "--die-with-parent", "--new-session",
        *(("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
           "--unshare-cgroup-try") if os.geteuid() == 0 else ("--unshare-all",)),
        "--cap-drop", "ALL",
        "--ro-bind", "/usr", "/usr", "--dev", "/dev", "--proc", "/proc", "--remount-ro", "/proc",
        "--tmpfs", "/tmp", "--chdir", "/",  # noqa: S108 – its own
    ]
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path("/", name).is_symlink():
            words += ["--symlink", f"usr/{name}", f"/{name}"]
        elif Path("/", name).is_dir():
            words += ["--ro-bind", f"/{name}", f"/{name}"]
    for inside, outside in (shown or {}).items():
        for above in list(PurePosixPath(inside).parents)[-2::-1]:
            words += ["--dir", str(above)]  # made by --ro-bind, only root could look into it
        words += ["--ro-bind", outside, inside]
    return words


def bounded(argv: Sequence[str | Path], max_bytes: int) -> list[str]:
    """Return a command line that prints at most `max_bytes` of what `argv` prints.

    The exit status is that of `argv`; one that prints more is ended by SIGPIPE, and so fails.
    """
    script = f'"$@" 2> >(head -c {_ERRORS_BYTES_MAX} >&2) | head -c {max_bytes}'
    return ["bash", "-o", "pipefail", "-c", script, "bash", *map(str, argv)]


def need(*names: str) -> None:
    """Raise HostError when one of these programs is not on this host.

    host.run names a missing program only where it starts that one itself, not through others.
    """
    for name in names:
        if shutil.which(name) is None:
            raise HostError(
                f"{name} is not installed", remedy="run tools/setup, or see `ccis doctor`",
            )


def _without_rights() -> list[str]:
    """Return the words between the room and a program that make it `nobody`.

    Root needs no user namespace, and leaves its rights behind once the room stands.
    """
    if os.geteuid() != 0:
        return ["--"]
    return [
        "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP", "--",
        "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
        "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--",
    ]


def _bound(argv: Sequence[str | Path], time_s: int, error: HostError) -> InputError:
    return InputError(
        f"{argv[0]} took too much time, memory or space for what it was given",
        why=f"bounds: {time_s} s, and see the log; {error.what}",
        remedy="see what wrote it: a package or a script",
    )
