"""Runs a program of the host's on a root tree, which is all that it can write, and not its /.

For what a tree may lack (useradd) or must not choose itself (setfiles). To the program the tree
lies at TREE below a root that is empty but for /usr; so no link of the tree leads to the host, no
device in it can be opened, and of root's rights only the named ones are left, behind the scripts'
seccomp filter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from builder.tree.filters import filter_file
from host.errors import HostError, ProgramError
from host.jail import empty_room, need
from host.run import Completed, run

TREE = "/tree"

# <linux/capability.h>
_RIGHTS = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_FOWNER": 3,
           "CAP_FSETID": 4, "CAP_SYS_ADMIN": 21, "CAP_MAC_ADMIN": 33}


def run_beside(
    root: Path, argv: Sequence[str | Path], *, rights: Sequence[str], timeout_s: float,
    shown: Mapping[str, Path] | None = None, memory_bytes: int = 4 << 30,
) -> Completed:
    """Run a program of the host's that finds the tree at TREE, with its own folders at /dev, /tmp.

    rights: the capabilities that it keeps, as far as we have them ourselves. shown: files or
    folders of ours by their names inside, read-only.
    Raises ProgramError when it fails, HostError when it is not there or takes too long.
    """
    need("bwrap", "prlimit", str(argv[0]))
    words: list[str | Path] = [
        "prlimit", f"--as={memory_bytes}", "--core=0", "--", *empty_room(), "--bind", root, TREE]
    for inside, outside in (shown or {}).items():
        words += ["--ro-bind", outside, inside]
    held = _held()
    for name in rights:
        if held >> _RIGHTS[name] & 1:  # asking for another, bubblewrap would leave root all it has
            words += ["--cap-add", name]
    try:
        with filter_file("scripts") as descriptor:
            return run([*words, "--seccomp", str(descriptor), "--", *argv], timeout_s=timeout_s,
                       pass_fds=[descriptor])
    except ProgramError as error:  # what failed is the program inside, not bubblewrap
        raise ProgramError([str(word) for word in argv], error.status, error.tail) from error
    except HostError as error:
        raise HostError(f"{argv[0]} did not end within {timeout_s:.0f} s", where=str(root),
                        why=error.why, remedy="see what the tree's scripts wrote") from error


def _held() -> int:
    """Return the capabilities that this process may pass on, one bit each (proc(5), status)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapPrm:"):
            return int(line.split()[1], 16)
    return 0
