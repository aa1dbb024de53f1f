"""The capabilities of what runs in a sandbox: a list of what is kept, not of what is dropped.

bubblewrap, started by root, goes on with all that it has when the kernel refuses to set what it was
told (bubblewrap.c, drop_all_caps): it is asked for nothing that this process lacks. A container
with a choice of capabilities is such a place.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

# capabilities(7), <linux/capability.h>: what work on files, owners and programs of a tree needs.
# SYS_ADMIN sets labels without SELinux, and unmounts; builder/sandbox/filters.py refuses its rest.
_KEPT = {
    "CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_FSETID": 4, "CAP_KILL": 5,
    "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SETPCAP": 8, "CAP_LINUX_IMMUTABLE": 9,
    "CAP_NET_BIND_SERVICE": 10, "CAP_SYS_CHROOT": 18, "CAP_SYS_ADMIN": 21, "CAP_MKNOD": 27,
    "CAP_LEASE": 28, "CAP_AUDIT_WRITE": 29, "CAP_SETFCAP": 31, "CAP_MAC_ADMIN": 33,
}


_SETPCAP = 8
_NETWORK = {"CAP_NET_ADMIN": 12}
"""bubblewrap itself has to bring up the loopback interface of a new network."""


def options(wanted: Collection[str] = tuple(_KEPT)) -> list[str]:
    """Return bubblewrap's options for exactly those of the wanted capabilities that we have.

    wanted: names among the kept ones.
    """
    ours = _ours()
    words = ["--cap-drop", "ALL"]
    for name, number in _KEPT.items():
        if name in wanted and ours >> number & 1:
            words += ["--cap-add", name]
    return words


def bounding() -> list[str]:
    """Return setpriv's options that take the others out of what may ever be had again."""
    ours = _ours()
    if not ours >> _SETPCAP & 1:
        return []
    names = [name.removeprefix("CAP_").lower() for name, number in {**_KEPT, **_NETWORK}.items()
             if ours >> number & 1]
    return ["--bounding-set=-all," + ",".join(f"+{name}" for name in names)]


def _ours() -> int:
    """Return what this process has and may pass on, one bit each (proc(5), status)."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    sets = {name: int(value, 16) for name, value in re.findall(r"Cap(\w+):\s*([0-9a-f]+)", text)}
    return sets["Prm"] & sets["Bnd"]
