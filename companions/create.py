"""Makes the small repositories: a few packages, metadata, a key and signatures; only if needed."""

from __future__ import annotations

import functools
import hashlib
import stat
from pathlib import Path

from host.files import staged_directory
from host.locks import locked
from host.progress import Progress, Silent
from host.run import run
from rehearsal import cache
from rehearsal.model import Package, PackagedFile
from rehearsal.rpmfile import FLAG_LICENSE, write_rpm
from rehearsal.signing import key_ring, public_key, sign_detached

REPOSITORIES = {
    "rehearsal-sig": ("sig-tool", "sig-library"),
    "rehearsal-external": ("external-tool",),
}
"""Repositories with the names of their packages."""

ARCH = "x86_64"
_MADE_S = 1735689600  # 2025-01-01: the date of what is made of nothing
_LICENCE = b"MIT: do with it what you like; there is no warranty.\n"
_MANIFEST = "companions.sha256"


def create(progress: Progress | None = None) -> Path:
    """Make the repositories, unless they are there and current, and return their folder.

    Safe beside other calls. Raises HostError when createrepo_c or gpg is not there or fails.
    """
    progress = progress or Silent()
    home = cache.root() / "companions"
    if not _is_current(home):
        with locked(cache.root() / "companions.lock"):
            if not _is_current(home):
                progress.start("rehearsal: repositories of SIGs and others")
                for name, packages in REPOSITORIES.items():
                    _make(home, name, packages)
                progress.finish("rehearsal: repositories of SIGs and others")
    return home


def _is_current(home: Path) -> bool:
    return all(_read(home / name / _MANIFEST) == _source() for name in REPOSITORIES)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""


@functools.cache
def _source() -> str:
    """Return the digest of the code that makes them."""
    own = sorted(Path(__file__).parent.glob("*.py"))
    text = cache.source_digest("rpmfile.py", "rpmheader.py", "model.py", "signing.py")
    return hashlib.sha256(b"".join([text.encode(), *(file.read_bytes() for file in own)])
                          ).hexdigest()


def _make(home: Path, name: str, packages: tuple[str, ...]) -> None:
    with key_ring(home / "keys" / name) as ring, staged_directory(home / name) as staging:
        folder = staging / ARCH
        (folder / "Packages").mkdir(parents=True)
        for package in packages:
            write_rpm(_package(package, name), folder / "Packages",
                      lambda path: sign_detached(ring, path))
        run(["createrepo_c", "--quiet", "--general-compress-type=gz", "--revision=0",
             "--set-timestamp-to-revision", folder])
        repomd = folder / "repodata/repomd.xml"
        Path(f"{repomd}.asc").write_bytes(sign_detached(ring, repomd, armor=True))
        (staging / f"RPM-GPG-KEY-{name}").write_text(public_key(ring))
        (staging / _MANIFEST).write_text(_source(), encoding="ascii")


def _package(name: str, repository: str) -> Package:
    text = f"{name} of {repository}, made for a rehearsal\n"
    files = {
        f"/usr/bin/{name}": (0o755, f"#!/bin/sh\necho '{text.strip()}'\n".encode(), 0),
        f"/usr/share/licenses/{name}/LICENSE": (0o644, _LICENCE, FLAG_LICENSE),
    }
    return Package(
        name, "1.0", "1", "noarch", summary=text.strip(), description=text.strip(),
        license="MIT", build_time_s=_MADE_S, files=[
            PackagedFile(f"/usr/share/licenses/{name}", stat.S_IFDIR | 0o755, mtime_s=_MADE_S),
            *(PackagedFile(path, stat.S_IFREG | mode, content, mtime_s=_MADE_S, flags=flags)
              for path, (mode, content, flags) in files.items())])
