"""Compiles Python modules at packaging time, as CentOS's packages do and Debian's scripts would."""

from __future__ import annotations

import importlib.util
import marshal
import re
import stat
import sys
import warnings

from rehearsal.model import PackagedFile

_MODULE = re.compile(r"^(/usr/lib/python3(?:\.11)?/.*?)([^/]+)\.py$")
_TARGET = (3, 11)


def compiled(files: list[PackagedFile]) -> list[PackagedFile]:
    """Return a `.pyc` for each module of Debian's Python 3.11 among the files.

    Byte code belongs to one version of Python: on a host with another, none is made and the
    image's Python compiles for itself.
    """
    if sys.version_info[:2] != _TARGET:
        return []
    found = []
    for file in files:
        match = _MODULE.match(file.path)
        if match is None or not file.is_regular or "/lib2to3/tests/" in file.path:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                code = compile(file.content, file.path, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError):
            continue
        data = importlib.util.MAGIC_NUMBER + bytes(4) + file.mtime_s.to_bytes(4, "little")
        data += len(file.content).to_bytes(4, "little") + marshal.dumps(code)
        path = f"{match[1]}__pycache__/{match[2]}.{sys.implementation.cache_tag}.pyc"
        found.append(PackagedFile(path, stat.S_IFREG | 0o644, data, mtime_s=file.mtime_s))
    return found
