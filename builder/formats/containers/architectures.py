"""How container tools call the architectures that RPM knows by the kernel's names."""

from __future__ import annotations

_GO = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7hl": "arm"}


def go_name(arch: str) -> str:
    """Return Go's name (GOARCH), as the OCI image specification wants it, such as amd64.

    The kernel and Go agree on the others: ppc64le, s390x, riscv64.
    """
    return _GO.get(arch, arch)
