"""Runs a program of the host's on a root tree, which is all that it can write, and not its /.

For what a tree may lack (useradd) or must not choose itself (setfiles). To the program the tree
lies at TREE below a root that is empty but for /usr; so no link of the tree leads to the host, no
device in it can be opened, and of root's rights only the named ones are left, behind the scripts'
seccomp filter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from builder.sandbox import capabilities
from builder.sandbox.filters import filter_file
from host.errors import InputError, LimitError, ProgramError
from host.jail import ENVIRONMENT, empty_room, need
from host.run import Completed, run

TREE = "/tree"


def run_beside(
    root: Path, argv: Sequence[str | Path], *, rights: Sequence[str], timeout_s: float,
    shown: Mapping[str, Path] | None = None, memory_bytes: int = 4 << 30,
) -> Completed:
    """Run a program of the host's that finds the tree at TREE, with its own folders at /dev, /tmp.

    rights: the capabilities that it keeps, as far as we have them ourselves. shown: files or
    folders of ours by their names inside, read-only.
    Raises ProgramError when it fails, InputError when it takes too long or prints too much,
    HostError when it is not there.
    """
    need("bwrap", "prlimit", str(argv[0]))
    words: list[str | Path] = [
        "prlimit", f"--as={memory_bytes}", "--core=0", "--", *empty_room(shown), "--bind", root,
        TREE]
    words += capabilities.options(rights)
    try:
        with filter_file("scripts") as descriptor:
            return run([*words, "--seccomp", str(descriptor), "--", *argv], timeout_s=timeout_s,
                       pass_fds=[descriptor], env=ENVIRONMENT, own_environment=False)
    except ProgramError as error:  # what failed is the program inside, not bubblewrap
        raise ProgramError([str(word) for word in argv], error.status, error.tail) from error
    except LimitError as error:
        raise InputError(f"{argv[0]} went over a bound on the tree", why=error.what,
                         remedy="see what scripts and packages wrote") from error
