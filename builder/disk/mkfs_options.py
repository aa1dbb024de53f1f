"""--mkfsoptions: which words the program that makes a file system can take.

Public kickstarts give xfs's options to an ext4 (`--fstype ext4 --mkfsoptions "-m bigtime=0"`).
mke2fs fails on them, so what belongs to another file system is left out, and said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# The options of each program with their arguments, as getopt(3) spells them, from mke2fs(8),
# mkfs.xfs(8), mkfs.fat(8) and mkfs.btrfs(8).
_GETOPT = {
    "ext": "b:cg:i:jl:m:no:qr:s:t:d:vC:DE:FG:I:J:KL:M:N:O:R:ST:U:V",
    "xfs": "b:c:d:i:l:L:m:n:KNp:qr:s:CfV",
    "fat": "aAb:cCD:f:F:g:h:i:Il:m:M:n:r:R:s:S:v",
    "btrfs": "A:b:d:fKl:L:m:M:n:O:qr:Rs:U:V",
}
_FAMILIES = {"ext2": "ext", "ext3": "ext", "ext4": "ext", "vfat": "fat", "efi": "fat"}
# Options whose argument must be a number in one program and `name=value` in another.
_NUMBERS = {"ext": "bCgGiImNr", "fat": "bDfghRrsSM", "btrfs": "", "xfs": ""}


def split_options(fstype: str, words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the options that a file system's program takes, and those of other programs.

    What no program knows stays with the first: the program itself refuses it, with its reason.
    Swap takes none: it is a header that depends on nothing but size, UUID and label.
    """
    family = _FAMILIES.get(fstype, fstype)
    if family not in _GETOPT:
        return (), tuple(words)
    taken: list[str] = []
    foreign: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not re.match(r"-[A-Za-z]", word):
            taken.append(word)  # --long-option, a stray argument
            continue
        group = [word]
        if _takes_argument(word[1], family) and len(word) == 2 and rest:
            group.append(rest.pop(0))
        (foreign if _is_foreign(group, family) else taken).extend(group)
    return tuple(taken), tuple(foreign)


def _takes_argument(letter: str, family: str) -> bool:
    """Say whether an option has an argument: in its own program, or else in any other."""
    for name in (family, *_GETOPT):
        if letter in _GETOPT[name].replace(":", ""):
            return f"{letter}:" in _GETOPT[name]
    return False


def _is_foreign(group: Sequence[str], family: str) -> bool:
    letter = group[0][1]
    argument = group[1] if len(group) > 1 else group[0][2:]
    known_here = letter in _GETOPT[family].replace(":", "")
    if known_here and "=" in argument:
        # xfs writes nearly all its arguments so; mke2fs only those of -E, -J, -O and -o.
        return family != "xfs" and letter in _GETOPT["xfs"] and letter not in "EJOLU"
    if known_here and family == "xfs":
        return letter in "bdilmnrsc" and bool(re.fullmatch(r"\d+[kKmMgG]?", argument))
    if known_here:
        return letter in _NUMBERS[family] and not re.match(r"[\d.]+", argument)
    return any(letter in options.replace(":", "") for options in _GETOPT.values())
