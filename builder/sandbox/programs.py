"""The host's programs in a sandbox, for what must run before a tree has its own, and no more of it.

A scriptlet gets out of the tree that rpm has it chrooted in whenever it likes: what it finds there
is this.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from builder.sandbox.enclosure import Enclosure

# Of /etc, what programs need to start, to reach a mirror and to check its certificate; nothing
# that is anybody's secret (/etc/ssl/private, /etc/pki/tls/private).
_ETC = (
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "nsswitch.conf", "hosts",
    "host.conf", "gai.conf", "resolv.conf", "services", "protocols", "localtime", "rpm",
    "ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/tls/cert.pem", "pki/tls/openssl.cnf",
    "pki/ca-trust", "crypto-policies",
)


def show_programs(made: Enclosure, more: Iterable[Path] = ()) -> None:
    """Show /usr, what of /etc it needs, and more of the host's paths, all read-only."""
    made.show("/usr", Path("/usr"))
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            made.add("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            made.show(str(path), path)
    shown = [Path("/usr")]
    for path in (*(Path("/etc", name) for name in _ETC), *sorted(more)):
        if path.exists() and not any(path.is_relative_to(above) for above in shown):
            made.show(str(path), path)
            shown.append(path)
