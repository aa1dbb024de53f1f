"""Vagrant boxes: a tar of metadata.json, a Vagrantfile, what the provider needs, and the disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from builder.artefact import About
from builder.formats.archives import archive
from builder.formats.streams.gzip_member import FAST_LEVEL
from host.progress import Progress

# There are no guest additions in the image, so no provider's own shared folders; Vagrant's
# defaults would be tried and fail.
RSYNC_VAGRANTFILE = """\
Vagrant.configure("2") do |config|
  config.vm.synced_folder ".", "/vagrant", type: "rsync"
end
"""


def write_box(
    destination: Path, provider: str, files: Mapping[str, str], disk: tuple[str, Path],
    about: About, progress: Progress, step: str, *,
    metadata: Mapping[str, str | int] | None = None, compress: bool,
) -> None:
    """Write a box.

    provider: as Vagrant calls it; metadata: what else it wants to read in metadata.json.
    files: text files by name. disk: its name in the box, and the file.
    compress: gzip the box; Vagrant takes a plain tar as well (bsdtar unpacks both), and a disk
    that is compressed already gets no smaller.
    """
    described = {"provider": provider, **(metadata or {})}
    texts = {**files, "metadata.json": _json(described), "info.json": _json(_info(about))}
    members = [archive.member(name, texts[name].encode(), about.epoch) for name in sorted(texts)]
    name, path = disk
    whole = archive.tar(*members, archive.member(name, path, about.epoch))
    watched = archive.watched(whole, path.stat().st_size, progress, step)
    if not compress:
        archive.write(destination, watched)
        return
    with destination.open("wb") as stream:
        stream.writelines(archive.gzipped(watched, FAST_LEVEL))


def _info(about: About) -> dict[str, str]:
    """Return what `vagrant box list --box-info` shows."""
    return {"distribution": about.distribution, "version": about.version,
            "architecture": about.arch}


def _json(content: Mapping[str, str | int]) -> str:
    return json.dumps(content, indent=2, sort_keys=True) + "\n"
