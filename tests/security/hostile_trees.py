"""Ways in which a tree lies in wait at a path, and a folder of the host's that must not notice."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

from host.beneath.root import Root

SECRET = b"nobody but the host knows this"
LEVELS = ("link to the file", "link to the folder above", "link to the folder at the top")
ODD = ("fifo", "device", "link to a device", "folder", "huge", "link to itself", "link to nowhere")
SHAPES = (*LEVELS, f"relative {LEVELS[-1]}", *ODD)


def lay(root: Path, victim: Path, inside: str, content: bytes, shape: str) -> None:
    """Put something of the shape at a path of the tree, and what links lead to into the victim.

    content: what would be plausible there; the victim's has the secret in it.
    """
    bait = victim / inside.lstrip("/")
    bait.parent.mkdir(parents=True, exist_ok=True)
    bait.write_bytes(content + SECRET)
    place = root / inside.lstrip("/")
    if shape.removeprefix("relative ") in LEVELS:
        above = [inside, *map(str, list(PurePosixPath(inside).parents)[:-1])]
        level = LEVELS.index(shape.removeprefix("relative "))
        target = above[0] if level == 0 else above[1] if level == 1 else above[-1]
        place = root / target.lstrip("/")
        clear(place)
        outside = victim / target.lstrip("/")
        place.symlink_to(os.path.relpath(outside, place.parent) if "relative" in shape
                         else outside)
        return
    clear(place)
    if shape == "fifo":
        os.mkfifo(place)
    elif shape == "device":
        os.mknod(place, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    elif shape == "huge":
        with place.open("wb") as stream:
            stream.write(content)
            stream.truncate(1 << 40)
    elif shape == "folder":
        (place / "in").mkdir(parents=True)
    else:
        place.symlink_to({"link to a device": "/dev/zero", "link to itself": place.name,
                          "link to nowhere": "/nowhere/at/all"}[shape])


def clear(place: Path) -> None:
    """Remove what is there; the folder above it is there afterwards."""
    Root(place.parents[len(place.parents) - 1]).remove(str(place))
    place.parent.mkdir(parents=True, exist_ok=True)


def seen(victim: Path) -> dict[str, object]:
    """Return all that can be known of a folder of the host's: nothing of it may change."""
    found: dict[str, object] = {}
    for one in Root(victim).walk():
        status = one.status
        content = (victim / one.path.lstrip("/")).read_bytes() if one.is_file else b""
        found[one.path] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns,
                           status.st_nlink, content, one.attributes())
    return found


def secrets_in(folder: Path) -> list[str]:
    """Return the files below a folder that hold what only the host knows."""
    root = Root(folder)
    return [found.path for found in root.walk()
            if found.is_file and found.status.st_size < 64 << 20
            and SECRET in root.read(found.path, 64 << 20)]
