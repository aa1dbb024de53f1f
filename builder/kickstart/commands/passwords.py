"""Passwords as /etc/shadow keeps them, hashed the way the image's own release hashes them."""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
from functools import cache
from typing import Any

from builder.tree.tree import Tree
from host.errors import HostError

_METHODS = {"YESCRYPT": (b"$y$", 5), "SHA512": (b"$6$", 0)}
"""What login.defs(5) calls ENCRYPT_METHOD: the prefix and cost that libxcrypt wants (crypt(5))."""


def set_password(tree: Tree, name: str, shadow: str) -> None:
    """Put a password field into /etc/shadow and leave the day of its last change empty.

    Anaconda empties it, too: a machine without a clock would ask for a new password at once
    (pyanaconda/core/users.py). Raises KeyError if the tree has no such user.
    """
    lines = tree.read("/etc/shadow").splitlines()
    for number, line in enumerate(lines):
        fields = line.split(":")
        if fields[0] == name and len(fields) == 9:
            lines[number] = ":".join([name, shadow, "", *fields[3:]])
            break
    else:
        if not any(line.startswith(f"{name}:") for line in tree.read("/etc/passwd").splitlines()):
            raise KeyError(name)
        lines.append(f"{name}:{shadow}::0:99999:7:::")
    tree.write("/etc/shadow", "\n".join(lines) + "\n",
               mode=None if tree.exists("/etc/shadow") else 0)


def hashed(tree: Tree, name: str, password: str) -> str:
    """Return a password's hash, by yescrypt or SHA-512 as the tree's /etc/login.defs says.

    The salt comes from the user's name and the build's date, so that two builds of one plan are
    the same, byte for byte; it tells nothing of the password. Raises HostError where the host's
    libcrypt can't do it.
    """
    words = (line.split() for line in tree.read("/etc/login.defs").splitlines())
    found = next((pair[1] for pair in words if len(pair) == 2 and pair[0] == "ENCRYPT_METHOD"), "")
    prefix, cost = _METHODS.get(found, _METHODS["SHA512"])
    salt = hashlib.sha256(f"{name} {tree.sandbox.epoch}".encode()).digest()[:16]
    library = _libcrypt()
    setting = library.crypt_gensalt(prefix, cost, salt, len(salt))
    result = library.crypt(password.encode(errors="surrogateescape"), setting) if setting else None
    if not result or result.startswith(b"*"):
        raise HostError(f"this host's libcrypt can't hash a password with {found or 'SHA512'}",
                        remedy="give the hash itself: --iscrypted")
    return str(result.decode())


@cache
def _libcrypt() -> Any:
    """Return libxcrypt, which every distribution brings; Python's own crypt module is going."""
    for name in ("libcrypt.so.1", "libcrypt.so.2", ctypes.util.find_library("crypt")):
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if library is not None and hasattr(library, "crypt_gensalt"):
            library.crypt_gensalt.restype = library.crypt.restype = ctypes.c_char_p
            library.crypt_gensalt.argtypes = [
                ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_int]
            library.crypt.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
            return library
    raise HostError("this host has no libxcrypt to hash a password with",
                    remedy="install libcrypt1 (CentOS: libxcrypt), or give a hash: --iscrypted")
