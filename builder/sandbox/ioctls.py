"""Which ioctl(2) commands programs in a sandbox may use: the few that build a tree, no others.

A command's low byte is its number, the next one its type (Documentation/userspace-api/ioctl). A
list of what is refused would be out of date with the next file system: all that change one as a
whole (labels, UUIDs, freezing, trimming, growing, encryption keys, subvolumes), every device and
all of loop devices, whose status tells host paths, are on no list here. Refused ones fail with
ENOTTY, "this file has no such control".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

ALLOWED: dict[int, Iterable[int]] = {
    0x00: (0x02,),  # FIGETBSZ
    0x03: (0x01,),  # HDIO_GETGEO
    # <linux/fs.h>, block devices: what asks, and what changes content, readahead and block size
    0x12: (0x5E, 0x60, 0x61, 0x63, 0x64, 0x65, 0x67, 0x68, 0x70, 0x71, 0x72, 0x77, 0x78, 0x79,
           0x7A, 0x7B, 0x7C, 0x7E, 0x7F, 0x80),
    0x4B: (0x33,), 0x56: (0x03,),  # ANSWERED
    0x52: (0x00,),  # RNDGETENTCNT
    # terminals, without typing into them, consoles, line disciplines and hanging up
    # (TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD, TIOCVHANGUP)
    0x54: set(range(0x100)) - {0x12, 0x1C, 0x1D, 0x23, 0x37},
    0x58: (0x1F, 0x20),  # FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR: of one file
    0x66: (0x01, 0x02, 0x03, 0x0B),  # lsattr, chattr; EXT4_IOC_GETVERSION; FIEMAP
    0x76: (0x01,),  # FS_IOC_GETVERSION
    0x89: range(0x100),  # sockets: what changes an interface needs CAP_NET_ADMIN
    0x94: (0x09, 0x0D, 0x36),  # FICLONE, FICLONERANGE, FIDEDUPERANGE
}
KEYBOARD, CONSOLES = 0x4B33, 0x5603
ANSWERED = (KEYBOARD, CONSOLES)
"""KDGKBTYPE, by which chvt and others find out whether a terminal is a console, and VT_GETSTATE: no
kernel sees them, machine.py says what a console's would (ioctl_console(2))."""
DONE_ALREADY = (0x1269, 0x125F, 0x5606, 0x5607)
"""BLKPG and BLKRRPART succeed and do nothing: the kernel would make nodes /dev/loop0p1 … on the
host for the partitions that parted writes (<linux/blkpg.h>). VT_ACTIVATE and VT_WAITACTIVE: there
is no screen to show another console on (<linux/vt.h>)."""


def refused() -> Iterator[tuple[int, int]]:
    """Yield (mask, value) of all commands that are not allowed."""
    for mask, value in complement(ALLOWED, 8):
        yield mask << 8, value << 8
    for kind, numbers in ALLOWED.items():
        done = {command & 0xFF for command in DONE_ALREADY if command >> 8 == kind}
        spared = {*numbers, *done}
        for mask, value in complement(spared, 8):
            yield 0xFF00 | mask, kind << 8 | value


def complement(wanted: Iterable[int], bits: int) -> Iterator[tuple[int, int]]:
    """Yield (mask, value) pairs that match every number of so many bits that is not wanted.

    Comparisons of a filter can only say that some bits are so; the pairs are the subtrees of the
    numbers' binary tree without a wanted one in them.
    """
    waiting = [(0, bits, sorted(set(wanted)))]
    while waiting:
        first, width, inside = waiting.pop()
        if not inside:
            yield (1 << bits) - (1 << width), first
        elif len(inside) < 1 << width:
            middle = first + (1 << width - 1)
            waiting.append((middle, width - 1, [each for each in inside if each >= middle]))
            waiting.append((first, width - 1, [each for each in inside if each < middle]))
