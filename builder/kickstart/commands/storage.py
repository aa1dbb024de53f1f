"""The disk's commands: the layout reads them (builder/kickstart/layout.py)."""

from __future__ import annotations

from builder.kickstart.registry import honoured_by

_NOTHING_THERE = "the image's disk is new: nothing is on it that could be kept"
_NO_MEMORY = "hibernation needs a swap as large as the memory of a machine that is not known yet"
_ESCROW = "the keys of an image that everybody has are nothing to keep in escrow"
_ONE_DISK = "an image has one disk, and it is called vda"
_NO_RESIZE = "the image's disk is new: make the partition as large as it shall be"
_OPAL = "it is done by the drive itself, and an image has none"
_ENCRYPTED = {"--escrowcert": _ESCROW, "--backuppassphrase": _ESCROW}
_OLD_INODES = "no Anaconda since Fedora 9 heeds it; say --mkfsoptions=\"-i …\""

honoured_by(
    "layout", "part", "partition",
    meaningless={
        "--ondisk": f"{_ONE_DISK}; another name is refused",
        "--active": "Anaconda no longer heeds it: /boot, or else /, is made active in an MBR table",
        "--start": "no Anaconda since Fedora 11 heeds it",
        "--end": "no Anaconda since Fedora 11 heeds it",
        "--bytes-per-inode": _OLD_INODES,
    },
    refused={
        "--noformat": _NOTHING_THERE, "--resize": _NO_RESIZE, "--hibernation": _NO_MEMORY,
        "--onbiosdisk": _ONE_DISK, "--hw-passphrase": _OPAL, **_ENCRYPTED,
    },
)
honoured_by(
    "layout", "raid", meaningless={"--bytes-per-inode": _OLD_INODES},
    refused={"--noformat": _NOTHING_THERE, "--useexisting": _NOTHING_THERE, **_ENCRYPTED},
)
honoured_by(
    "layout", "volgroup",
    refused={"--noformat": _NOTHING_THERE, "--useexisting": _NOTHING_THERE},
)
_ONE_SPEED = "a cache is for a second, faster disk, and an image has one disk"
honoured_by(
    "layout", "logvol", meaningless={"--bytes-per-inode": _OLD_INODES},
    refused={
        "--noformat": _NOTHING_THERE, "--useexisting": _NOTHING_THERE, "--resize": _NO_RESIZE,
        "--hibernation": _NO_MEMORY, "--cachesize": _ONE_SPEED, "--cachemode": _ONE_SPEED,
        "--cachepvs": _ONE_SPEED,
        "--profile": "LVM's profiles are files of the machine that makes the volumes",
        **_ENCRYPTED,
    },
)
honoured_by(
    "layout", "btrfs",
    refused={"--noformat": _NOTHING_THERE, "--useexisting": _NOTHING_THERE},
)
honoured_by(
    "layout", "autopart",
    refused={"--hibernation": _NO_MEMORY, "--hw-passphrase": _OPAL, **_ENCRYPTED},
)
honoured_by("layout", "reqpart")
honoured_by(
    "layout", "clearpart",
    meaningless={"--drives": f"{_ONE_DISK}; another name is refused"},
    refused={"--cdl": "it is for the disks of mainframes (DASD)"},
)
honoured_by("layout", "zerombr")
honoured_by(
    "layout", "ignoredisk",
    meaningless={"--only-use": f"{_ONE_DISK}; another name is refused",
                 "--drives": "what it names is not there; the image's own disk is refused"},
    refused={"--interactive": "nobody is there to be asked"},
)
