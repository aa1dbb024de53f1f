"""Stand-ins for programs that ask the kernel, udev or a bus for what a sandbox does not have."""

from __future__ import annotations

from functools import cache
from pathlib import Path

REAL_FOLDERS = ("/usr/bin", "/usr/sbin")

# The table is read when it is needed; there are no nodes to wait for (builder/sandbox/filters.py).
_PARTPROBE = """#!/bin/sh
for word; do
  case $word in
    -*) ;;
    *) [ -b "$word" ] && continue
       echo "Error: Could not stat device $word - No such file or directory." >&2
       exit 1 ;;
  esac
done
exit 0
"""

# udevadm(8): nothing is pending, every request is done; info tells what a virtio disk's would.
_UDEVADM = """#!/bin/sh
case $1 in
  --version|-V) echo 252; exit 0 ;;
  info) ;;
  *) exit 0 ;;
esac
for word; do
  case $word in
    *vda*|*sda*) name=${word##*/}; name=vda${name#?da}
      kind=disk; [ "$name" = vda ] || kind=partition
      printf 'DEVNAME=/dev/%s\\nDEVTYPE=%s\\nMAJOR=252\\nSUBSYSTEM=block\\n' "$name" "$kind"
      printf 'DEVPATH=/devices/pci0000:00/0000:00:04.0/virtio1/block/vda\\nID_BUS=virtio\\n'
      exit 0 ;;
  esac
done
echo "Unknown device." >&2
exit 1
"""

# Anaconda's helper (scripts/list-harddrives): a line "name size" in MB for each disk.
_LIST_HARDDRIVES = """#!/bin/sh
echo "vda $(( $(blockdev --getsize64 /dev/vda) / 1048576 )).0"
"""


@cache
def installer_shims() -> dict[str, str]:
    """Return the programs of the installer's environment by name."""
    return {
        "partprobe": _PARTPROBE, "udevadm": _UDEVADM, "list-harddrives": _LIST_HARDDRIVES,
        "lsblk": Path(__file__).with_name("lsblk_shim.py").read_text(encoding="utf-8"),
    }
