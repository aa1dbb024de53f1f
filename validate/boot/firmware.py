"""Finds UEFI firmware on the host, wherever its distribution puts it."""

from __future__ import annotations

from pathlib import Path

from host.errors import HostError

_PLACES = {
    "x86_64": [
        ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),  # Debian 12
        ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),  # CentOS
        ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
        ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),  # Arch
        ("/usr/share/qemu/ovmf-x86_64-4m-code.bin", "/usr/share/qemu/ovmf-x86_64-4m-vars.bin"),
    ],
    "aarch64": [
        ("/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"),
        ("/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw",
         "/usr/share/edk2/aarch64/vars-template-pflash.raw"),
    ],
}


def uefi_firmware(arch: str) -> tuple[Path, Path]:
    """Return the firmware's code, and the template of its variables, which must be copied.

    Raises HostError when there is none for `arch`.
    """
    for code, variables in _PLACES.get(arch, []):
        if Path(code).is_file() and Path(variables).is_file():
            return Path(code), Path(variables)
    raise HostError(
        f"there is no UEFI firmware for {arch} on this host",
        remedy="run tools/setup (Debian: ovmf; CentOS: edk2-ovmf)",
    )
