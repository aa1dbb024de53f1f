"""The folder of a store: nobody else reaches what is in it, and its file system loses nothing."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from host.errors import HostError
from host.folders import content, own_folder, real_folder
from host.scratch import guarded_folder

_CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service=e
_ROOMS = frozenset({"objects", "locks", "staging", "packages", "metadata"})
_OURS = _ROOMS | {"keys", "secret.key", "lost+found"}


def settle(root: Path) -> None:
    """See that nobody else reaches what is in a store, and that its file system is fit for one.

    A folder that holds other things as well keeps its mode; those of the store in it are guarded
    one by one. Raises HostError.
    """
    strange = [path for path in content(root)
               if path.name not in _OURS and not path.name.startswith(".secret.key.")]
    if not strange:
        own_folder(root)
    elif root.stat().st_mode & 0o022 and not root.stat().st_mode & stat.S_ISVTX:
        raise HostError("others can write into the folder of the store", where=str(root),
                        why=f"it holds other things, such as {strange[0].name}",
                        remedy="give the store a folder of its own (CCIS_STORE)")
    for name in sorted(_ROOMS):
        real_folder(root / name)
    if os.geteuid() == 0:
        _check_file_system(root / "staging")


def _check_file_system(folder: Path) -> None:
    """Raise HostError where a root tree would lose something that it is made of."""
    lack = ""
    with guarded_folder(folder) as probe:
        (probe / "a").touch()
        if (probe / "A").exists():
            lack = "names that differ in their case alone are the same there"
        try:
            os.setxattr(probe / "a", "trusted.ccis", b"1")  # what overlayfs keeps
            os.setxattr(probe / "a", "security.capability", _CAPABILITY)
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:  # else we may not: `ccis doctor` tells
                lack = "it keeps no extended attributes"
    if lack:
        raise HostError("the file system is not fit for a store", where=str(folder.parent),
                        why=lack, remedy="put the store (CCIS_STORE) on ext4, xfs, btrfs or tmpfs")
