"""Virtual machines: KVM, libguestfs, firmware."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ccis.doctor.registry import Host, LackError, check

_OVMF = [
    "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/share/edk2/ovmf/OVMF_CODE.fd",
]


@check("kvm", needed_for="quick boots and a quick guestfs engine; TCG does the same, slowly",
       required=False, remedy="switch nested virtualisation on, or use a host with VT-x or AMD-V")
def kvm(_: Host) -> str:
    """Try it: a kernel is started once per boot of the host."""
    from host.kvm import kvm_works

    works, reason = kvm_works()
    if not works:
        raise LackError(reason)
    return reason


@check("libguestfs", needed_for="validation, the guestfs engine",
       remedy="apt-get install --no-install-recommends linux-image-cloud-amd64 libguestfs-tools")
def libguestfs(host: Host) -> str:
    """Look for a kernel that its appliance can start; thorough: start it."""
    from host.kvm import host_kernels

    kernels = host_kernels()
    if not kernels:
        raise LackError("no kernel below /boot that its appliance could start")
    if not host.thorough:
        return f"would start {kernels[-1].name} (--thorough tries it)"
    from host.appliance import Drive, open_appliance

    with tempfile.NamedTemporaryFile(prefix="ccis-doctor-") as disk:
        disk.truncate(1 << 20)  # it doesn't start without any
        with open_appliance([Drive(Path(disk.name), "raw")], readonly=True) as guest:
            version = guest.version()
    return "started, version {major}.{minor}.{release}".format(**version)


@check("uefi firmware", needed_for="booting under UEFI", required=False,
       remedy="apt-get install --no-install-recommends ovmf (CentOS: dnf install edk2-ovmf)")
def uefi_firmware(_: Host) -> str:
    """Look for OVMF where the distributions put it."""
    for path in _OVMF:
        if Path(path).is_file():
            return path
    raise LackError("OVMF is not there")
