"""Proofs on the running system: cloud-init, firmware, growth of the root file system, power."""

from __future__ import annotations

from host.errors import InputError
from host.patterns import pattern
from specs.kinds.guest import (
    GuestCloudInitDone,
    GuestFirmware,
    GuestPowerButton,
    GuestRootGrown,
)
from validate.boot.guest import Guest
from validate.documents import parse_json
from validate.registry import Finding, proves, verdict

_STATUS = "cloud-init status --long"
_RESULT = "cat /run/cloud-init/result.json"
_FIRMWARE = "if [ -d /sys/firmware/efi ]; then echo uefi; else echo bios; fi"
_ROOT_SIZE = "df -B1 --output=size,fstype /"
_ROOT_PLACE = (
    'cd "/sys/class/block/$(basename "$(readlink -f "$(findmnt -nvo SOURCE /)")")" && '
    "echo $(cat start 2>/dev/null || echo 0) $(cat size)"
)
_SECTOR_BYTES = 512  # in which sysfs counts, whatever the disk's own are
_OVERHEAD_PERCENT = 5
"""What a file system keeps of its device for itself: XFS's log, ext4's tables of inodes."""
_ROOT_STACK = 'lsblk -snlo TYPE "$(findmnt -nvo SOURCE /)"'
_BETWEEN = pattern(r"(?m)^(crypt|lvm|raid\d*|linear)$")
"""What cloud-init's growpart does not grow (its documentation, "Growpart")."""
_GROWTH_LOG = (
    "lsblk -bno NAME,SIZE,FSTYPE,MOUNTPOINT; "
    "grep -hE 'growpart|resizefs|growing|resize' /var/log/cloud-init.log | tail -n 8"
)


@proves(GuestCloudInitDone, asks=lambda _check: [_STATUS, _RESULT])
def guest_cloud_init_done(check: GuestCloudInitDone, guest: Guest) -> Finding:
    """Read cloud-init's status and the result that it wrote."""
    expected = "status: done, from the NoCloud seed, no errors"
    status = guest.answer(_STATUS).output
    wrong = [] if pattern(r"(?m)^status: done$").search(status) else [status]
    told = guest.answer(_RESULT).output
    try:
        result = parse_json("result.json", told)["v1"]
        wrong += [str(error) for error in result["errors"]]
        source = str(result["datasource"])
    except (InputError, KeyError, TypeError):
        return Finding(False, "; ".join([*wrong, "no result.json that can be read"]), expected)
    if "NoCloud" not in source:
        wrong.append(f"the data came from {source}")
    return verdict(wrong, f"done, {source}", expected)


@proves(GuestFirmware, asks=lambda _check: [_FIRMWARE])
def guest_firmware(check: GuestFirmware, guest: Guest) -> Finding:
    """Look for the kernel's interface to UEFI."""
    found = guest.answer(_FIRMWARE).output
    return Finding(found == guest.firmware, found, guest.firmware)


@proves(GuestRootGrown, asks=lambda _check: [_ROOT_SIZE, _ROOT_PLACE, _ROOT_STACK, _GROWTH_LOG])
def guest_root_grown(check: GuestRootGrown, guest: Guest) -> Finding:
    """Compare the file system with its device, and the device's end with the disk's."""
    ends_at = guest.disk_bytes - check.slack_bytes
    expected = (f"a device that ends at {ends_at} or later of the disk's {guest.disk_bytes} bytes, "
                f"and at least {100 - _OVERHEAD_PERCENT} % of it as file system")
    output = guest.answer(_ROOT_SIZE).output
    size = pattern(r"(?m)^\s*(\d{1,18})\s+(\S+)\s*$").search(output)
    where = guest.answer(_ROOT_PLACE).output
    place = pattern(r"^(\d{1,16}) (\d{1,16})$").search(where)
    if size is None or place is None:
        return Finding(False, f"{output}; {where}", expected)
    start, sectors = int(place[1]), int(place[2])
    end, whole = (start + sectors) * _SECTOR_BYTES, sectors * _SECTOR_BYTES
    found = f"{size[1]} bytes of {size[2]} on {whole} bytes that end at {end}"
    if end >= ends_at and int(size[1]) * 100 >= whole * (100 - _OVERHEAD_PERCENT):
        return Finding(True, found, expected)
    if between := [one[1] for one in _BETWEEN.finditer(guest.answer(_ROOT_STACK).output)]:
        on = ", ".join(dict.fromkeys(between))
        return Finding(None, f"{found}, on {on}, which its owner grows", expected)
    return Finding(False, f"{found}; {guest.answer(_GROWTH_LOG).output}", expected)


@proves(GuestPowerButton)
def guest_power_button(check: GuestPowerButton, guest: Guest) -> Finding:
    """See what pressing it did."""
    return Finding(
        bool(guest.shut_down), "shut down" if guest.shut_down else "still running",
        "the guest shuts itself down",
    )
