"""The mirror of the next night: a rehearsal repository in which some packages have a new release.

The packages are those of the image that neither need another by its exact release nor are needed
so. What changes in them is the release, and with it header and signature; the rest stays, so that
a build finds as much to do as after any update.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

import rehearsal
from host.run import run
from rehearsal.rpmheader import BINARY, INT32, STRING, Header
from rehearsal.signing import key_ring, sign_detached

CHANGED = 10
_LEAD_BYTES = 96
_PINS = "[%{NAME}\t%{REQUIRENAME}\t%{REQUIREVERSION}\n]"


def copy_of(release: str, cache: Path) -> dict[str, str]:
    """Put a copy of a release's repository into an empty cache folder.

    Returns the environment in which `ccis` finds it there.
    """
    source = rehearsal.path(release)
    assert source is not None, "it was made before"
    shutil.copytree(source, cache / "rehearsal" / release, copy_function=os.link)
    return {**os.environ, "CCIS_CACHE": str(cache)}


def change(release: str, cache: Path, build: Path, number: int = CHANGED) -> list[str]:
    """Give so many packages of a finished build a new release; return their names.

    cache: of copy_of(). build: the folder with build.json.
    """
    source = rehearsal.path(release)
    assert source is not None
    names = [one["name"] for one in json.loads((build / "build.json").read_text())["packages"]]
    changed: list[str] = []
    with key_ring(source.parent) as home:
        for folder in sorted((cache / "rehearsal" / release).glob("*/x86_64/os")):
            files = {file: _name(file) for file in sorted(folder.glob("Packages/*.rpm"))}
            tied = _tied([*files])
            for file, name in files.items():
                if name in names and name not in tied and len(changed) < number:
                    _release_anew(file, home)
                    changed.append(name)
            _index(folder, home)
    return changed


def _name(file: Path) -> str:
    return file.name.rsplit("-", 2)[0]


def _tied(files: Sequence[Path]) -> set[str]:
    """Return the packages that need others by a release, and those that are needed so."""
    rows = (line.split("\t") for line in
            run(["rpm", "-qp", "--nosignature", "--qf", _PINS, *files]).stdout.splitlines())
    return {name for owner, needed, version in rows if "-" in version for name in (owner, needed)}


def _release_anew(file: Path, home: Path) -> None:
    """Write a package again with a higher release of the same length, and sign it."""
    content = file.read_bytes()
    begin = _end(content, _LEAD_BYTES)
    begin += -begin % 8
    end = _end(content, begin)
    version, release = run(["rpm", "-qp", "--nosignature", "--qf", "%{VERSION} %{RELEASE}",
                            file]).stdout.split()
    higher = release[:-1] + chr(ord(release[-1]) + 1)
    header = content[begin:end]
    for before, after in ((f"\0{release}\0", f"\0{higher}\0"),
                          (f"{version}-{release}\0", f"{version}-{higher}\0")):
        header = header.replace(before.encode(), after.encode())
    fresh = file.with_name(file.name.replace(f"-{release}.", f"-{higher}."))
    fresh.write_bytes(header)
    signature = Header(62)
    signature.put(268, BINARY, sign_detached(home, fresh))
    signature.put(269, STRING, hashlib.sha1(header).hexdigest())  # noqa: S324 - the format's
    signature.put(273, STRING, hashlib.sha256(header).hexdigest())
    signature.put(1000, INT32, [len(content) - begin])
    packed = signature.pack()
    fresh.write_bytes(content[:_LEAD_BYTES] + packed + bytes(-len(packed) % 8) + header
                      + content[end:])
    file.unlink()


def _end(content: bytes, begin: int) -> int:
    """Return where a header structure ends that begins there."""
    entries, data_bytes = struct.unpack(">II", content[begin + 8:begin + 16])
    return begin + 16 + 16 * int(entries) + int(data_bytes)


def _index(folder: Path, home: Path) -> None:
    """Make the repository's metadata anew, and sign them as before."""
    groups = next(folder.glob("repodata/*comps.xml"))
    kept = folder / "comps.xml"
    shutil.copy(groups, kept)
    shutil.rmtree(folder / "repodata")
    run(["createrepo_c", "--quiet", "--groupfile", kept, "--general-compress-type=gz",
         "--revision=0", "--set-timestamp-to-revision", folder])
    kept.unlink()
    index = folder / "repodata/repomd.xml"
    Path(f"{index}.asc").write_bytes(sign_detached(home, index, armor=True))
    Path(f"{index}.key").write_text((home / "public.asc").read_text())
