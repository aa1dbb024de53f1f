"""The rehearsal distribution: an offline, CentOS-shaped RPM repository made of Debian packages.

    create(release, progress)  makes the repository, once, and returns where it is
    path(release)              where it is, or None
    serve(release, port)       serves it over HTTP on 127.0.0.1
"""

from __future__ import annotations

from rehearsal.cache import path
from rehearsal.create import create
from rehearsal.server import serve
from rehearsal.version import RELEASES

__all__ = ["RELEASES", "create", "path", "serve"]
