"""--mkfsoptions that would have mkfs read or write a file of the build host, found before it runs.

mke2fs, mkfs.xfs and mkfs.fat run on the host, and some of their options name files: `-d /root`
fills the file system from that folder, `-l`, `-m` and `-p` read files, `-z` and `logdev=` write.
A word that is no option at all is the name of what is to be formatted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# As getopt(3) spells them, from the programs' own main(): mke2fs.c, xfs_mkfs.c, mkfs.fat.c and
# mkfs/main.c of btrfs-progs.
_GETOPT = {
    "ext": "b:cd:e:g:i:jl:m:no:qr:s:t:vC:DE:FG:I:J:KL:M:N:O:R:ST:U:Vz:",
    "xfs": "b:c:d:i:l:L:m:n:KNp:qr:s:CfV",
    "fat": "aAb:cCD:f:F:g:h:Ii:l:m:M:n:r:R:s:S:v",
    "btrfs": "A:b:d:fKl:L:m:Mn:O:qr:R:s:U:vV",
}
_FAMILIES = {"ext2": "ext", "ext3": "ext", "ext4": "ext", "vfat": "fat", "efi": "fat"}
_FILES = {"ext": "dlz", "xfs": "cp", "fat": "lmC", "btrfs": "r"}
# Of options with several settings, `name=value,…`, those that are a file or device.
_SETTINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "ext": {"J": ("device",)},
    "xfs": {"d": ("name", "file"), "l": ("logdev", "name", "file"), "r": ("rtdev", "name", "file")},
}
_LONG = {
    "btrfs": ("--features", "--data", "--metadata", "--mixed", "--nodesize", "--sectorsize",
              "--checksum", "--csum", "--runtime-features", "--label", "--nodiscard"),
    "fat": ("--codepage", "--variant"),
}


def objection(fstype: str, words: Sequence[str]) -> str | None:
    """Return what is wrong with options that a file system's program would get, None when nothing.

    words: as split_options() (mkfs_options.py) gives them.
    """
    family = _FAMILIES.get(fstype, fstype)
    if family not in _GETOPT:
        return None
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("--"):
            name, equals, _ = word.partition("=")
            if name not in _LONG.get(family, ()):
                return f"{word} may name a file of the build host"
            if not equals and name not in ("--mixed", "--nodiscard"):
                rest[:1] = []
        elif re.match(r"-.", word):
            for letter, argument in _letters(word, family, rest):
                if letter in _FILES[family] or _names_file(family, letter, argument):
                    return f"-{letter} names a file of the build host"
                if letter not in _GETOPT[family].replace(":", ""):
                    return f"-{letter} is no option of mkfs for {fstype}"
        else:
            return f"{word} is no option, and mkfs would take it for what it is to format"
    return None


def _letters(word: str, family: str, rest: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each option of a word such as -qL, with its argument, which may be the next word."""
    for place, letter in enumerate(word[1:], start=1):
        if f"{letter}:" in _GETOPT[family]:
            yield letter, word[place + 1:] or (rest.pop(0) if rest else "")
            return
        yield letter, ""


def _names_file(family: str, letter: str, argument: str) -> bool:
    names = _SETTINGS.get(family, {}).get(letter, ())
    return any(setting.strip().partition("=")[0] in names for setting in argument.split(","))
