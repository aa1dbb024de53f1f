"""The clean room: nothing that a process inherits from its caller changes an image or fails it.

A shell hands down more than variables: umask, limits, groups, ignored signals, a personality, open
and closed descriptors, a working folder. enter() settles all of it and starts the interpreter once
more, because some of it has shaped this one by now: its encodings (LC_ALL), its options
(PYTHONOPTIMIZE) and libraries (LD_LIBRARY_PATH); and because only so nobody reads the caller's
secrets in /proc/PID/environ. It costs 15 ms.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from host.errors import HostError
from host.scratch import work_folder
from host.variables import ours

_MARK = "_CCIS_ROOM"
_RESPECTED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
"""nohup(1) ignores the first, a shell the others for what it starts in the background."""

_OF_LIBC = (32, 33)
"""The signals that glibc takes for threads (nptl(7))."""
_SIGACTION = {"x86_64": 13, "aarch64": 134, "ppc64le": 173, "s390x": 174}
"""The number of rt_sigaction(2)."""

_NO_LIMIT = resource.RLIM_INFINITY
# Some are too small for a build (ulimit -f), and a package's scriptlet that meets one fails without
# failing the build. Open files: rpm and others close all that may be, so not as many as the kernel
# has. Stack: without a limit, the kernel lays out memory in another way (mmap(2)).
_LIMITS = {
    resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: _NO_LIMIT, resource.RLIMIT_AS: _NO_LIMIT,
    resource.RLIMIT_DATA: _NO_LIMIT, resource.RLIMIT_CPU: _NO_LIMIT,
    resource.RLIMIT_NPROC: _NO_LIMIT, resource.RLIMIT_STACK: 8 << 20,
    resource.RLIMIT_NOFILE: 4096,
}
_NEEDED = {
    resource.RLIMIT_FSIZE: (64 << 30, "size of a file (ulimit -f)"),
    resource.RLIMIT_AS: (16 << 30, "memory of a program (ulimit -v)"),
    resource.RLIMIT_DATA: (16 << 30, "data of a program (ulimit -d)"),
    resource.RLIMIT_STACK: (8 << 20, "stack of a program (ulimit -s)"),
    resource.RLIMIT_NOFILE: (1024, "number of open files (ulimit -n)"),
}
_RUNTIME_BYTES_MAX = 70
"""A socket's path has at most 107 bytes (unix(7)); libguestfs adds about 30."""

_entered = False


def enter() -> None:
    """Make this process a clean room; call it before anything heavy is imported, and only once.

    It does not return to its caller the first time: the interpreter begins anew, as the same
    process with the same arguments.
    """
    global _entered
    if _entered:
        return
    if os.environ.pop(_MARK, None) != str(os.getpid()):
        settle()
        environment = {**ours(os.environ), _MARK: str(os.getpid())}
        words = [sys.executable, *_words(sys.orig_argv[1:])]
        os.execve(sys.executable, words, environment)  # noqa: S606
    _entered = True
    _take_signals()
    _keep_descriptors()
    folder = str(work_folder())
    os.environ["TMPDIR"] = folder
    if len(folder) <= _RUNTIME_BYTES_MAX:
        os.environ["XDG_RUNTIME_DIR"] = folder  # where libguestfs makes its sockets


def settle() -> None:
    """Settle what needs no new interpreter; for the entry points of tests and benchmarks, too."""
    os.umask(0o022)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _fill_standard_descriptors()
    _be_plain_root()
    _lift_limits()
    _be_plain_linux()
    _have_a_folder()


def need_limits() -> None:
    """Raise HostError where a limit that we may not raise is too low for a build."""
    for kind, (wish, what) in _NEEDED.items():
        soft, _ = resource.getrlimit(kind)
        if soft != _NO_LIMIT and soft < wish:
            raise HostError(
                f"the limit for the {what} is too low", why=f"it is {soft}, and may not be raised",
                remedy=f"run from a shell, or in a container, that allows {wish}")


def is_ignored(number: int) -> bool:
    """Say whether our caller wanted a signal to be ignored by us."""
    return signal.getsignal(number) in (signal.SIG_IGN, _ignore)


def _words(argv: Sequence[str]) -> list[str]:
    """Return the interpreter's arguments without -O, which would do away with assertions."""
    words = list(argv)
    while words and words[0] in ("-O", "-OO"):
        words.pop(0)
    return words


def _fill_standard_descriptors() -> None:
    """Open /dev/null where standard input, output or error is closed.

    The next file that is opened would else take its number, and get our messages.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number


def _be_plain_root() -> None:
    """Have root's own user and group in every place: new files belong to them (newgrp(1), sg(1)).

    In a container that may not change groups, they are what they are.
    """
    if os.geteuid() != 0:
        return
    with suppress(PermissionError):
        os.setgroups([0])
    with suppress(PermissionError):
        os.setresgid(0, 0, 0)
    with suppress(PermissionError):
        os.setresuid(0, 0, 0)


def _lift_limits() -> None:
    """Set the soft limits; the hard ones are raised where that is allowed, and stay elsewhere."""
    for kind, wish in _LIMITS.items():
        _, hard = resource.getrlimit(kind)
        enough = hard == _NO_LIMIT or (wish != _NO_LIMIT and hard >= wish)
        with suppress(OSError, ValueError):
            if enough:
                resource.setrlimit(kind, (wish, hard))
                continue
            try:
                resource.setrlimit(kind, (wish, wish))
            except (OSError, ValueError):
                resource.setrlimit(kind, (hard, hard))


def _be_plain_linux() -> None:
    """Undo setarch(8): uname -m, the layout of memory."""
    try:
        differs = int(Path("/proc/self/personality").read_text(encoding="ascii"), 16) != 0
    except (OSError, ValueError):
        return
    if differs:
        import ctypes  # takes 5 ms, and is hardly ever wanted

        ctypes.CDLL(None).personality(0)


def _have_a_folder() -> None:
    """Go where nothing can be made if the working folder was removed: programs need one to start.

    A relative path then names nothing, instead of something that nobody meant.
    """
    try:
        os.getcwd()  # noqa: PTH109 – pathlib says the same
    except FileNotFoundError:
        os.chdir("/proc")
        with suppress(OSError):
            os.write(2, b"ccis: the working folder was removed: relative paths name nothing\n")


def _take_signals() -> None:
    """Have no signal ignored by the kernel, because programs that we start would inherit that.

    What our caller wanted to be ignored is taken by a handler that does nothing; exec(2) gives
    that back to the default. SIGPIPE and SIGXFSZ are Python's, and subprocess's to restore.
    """
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) is not signal.SIG_IGN:
            continue
        if number in _RESPECTED:
            signal.signal(number, _ignore)
            signal.siginterrupt(number, False)
        else:
            signal.signal(number, signal.SIG_DFL)
    _hear_libc()


def _hear_libc() -> None:
    """Let programs have the signals that the C library keeps to itself, and lets nobody set.

    glibc's posix_spawn(3), by which make(1) starts programs, hands them down as ignored when its
    caller had used them (__spawni_child() of sysdeps/unix/sysv/linux/spawni.c).
    """
    number = _SIGACTION.get(os.uname().machine)
    with suppress(OSError, StopIteration, ValueError):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        mask = next(line for line in status.splitlines() if line.startswith("SigIgn:"))
        ignored = [each for each in _OF_LIBC if int(mask.split()[1], 16) >> (each - 1) & 1]
        if ignored and number is not None:
            import ctypes  # takes 5 ms

            default = ctypes.create_string_buffer(64)  # SIG_DFL, no flags, an empty mask
            for each in ignored:
                ctypes.CDLL(None).syscall(number, each, default, None, 8)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing about a signal, as our caller wished."""


def _keep_descriptors() -> None:
    """Have what our caller left open end with us; it may be an argument (/dev/fd/63)."""
    for path in Path("/proc/self/fd").iterdir():
        if int(path.name) > 2:
            with suppress(OSError):  # the listing's own
                os.set_inheritable(int(path.name), False)
