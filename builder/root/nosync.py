"""A seccomp filter under which flushing to disk succeeds at once.

A package transaction calls fsync(2) thousands of times for a tree that is thrown away if the
build fails; what is kept is flushed once, when it is published. systemd-nspawn's
--suppress-sync does the same, but only for containers that it starts.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# <linux/bpf_common.h>, <linux/seccomp.h>, <linux/audit.h>
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO_ZERO = 0x7FFF0000, 0x00050000
_ARCHITECTURE, _NUMBER = 4, 0
# AUDIT_ARCH_* and the numbers of sync, fsync, fdatasync, msync, syncfs, sync_file_range.
_CALLS = {
    "x86_64": (0xC000003E, (162, 74, 75, 26, 306, 277)),
    "aarch64": (0xC00000B7, (81, 82, 83, 227, 267, 84)),
    "ppc64le": (0xC0000015, (36, 118, 148, 144, 348, 308)),
    "s390x": (0x80000016, (36, 118, 148, 144, 338, 307)),
}


@contextmanager
def filter_file() -> Iterator[int]:
    """Yield a descriptor that holds the filter, for bubblewrap's --seccomp."""
    with tempfile.TemporaryFile() as stream:
        stream.write(program(os.uname().machine))
        stream.flush()
        stream.seek(0)
        os.set_inheritable(stream.fileno(), True)
        yield stream.fileno()


def program(machine: str) -> bytes:
    """Return the filter for an architecture; for one that is not known, it allows everything."""
    if machine not in _CALLS:
        return _instruction(_RETURN, 0, 0, _ALLOW)
    audit, numbers = _CALLS[machine]
    code = [
        _instruction(_LOAD, 0, 0, _ARCHITECTURE),
        _instruction(_JUMP_EQUAL, 0, len(numbers) + 1, audit),
        _instruction(_LOAD, 0, 0, _NUMBER),
    ]
    for position, number in enumerate(numbers):
        code.append(_instruction(_JUMP_EQUAL, len(numbers) - position, 0, number))
    code += [_instruction(_RETURN, 0, 0, _ALLOW), _instruction(_RETURN, 0, 0, _ERRNO_ZERO)]
    return b"".join(code)


def _instruction(code: int, if_true: int, if_false: int, constant: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, constant)
