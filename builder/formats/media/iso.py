"""An ISO 9660 image that starts from CD and, written to a USB stick as it is, from there, by BIOS
and UEFI; made by xorriso, the same bytes each time."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from builder.artefact import About
from host.run import run

ELTORITO = "images/eltorito.img"
"""Where the core image for BIOS lies on the medium; BIOS finds it by El Torito's catalogue."""

_LABEL_CHARACTERS = 32
_BASIC_DATA = "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
_EFI_SYSTEM = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"


@dataclass(frozen=True)
class Loader:
    """What starts the medium; None where this firmware is not served.

    core: GRUB's core image for El Torito. mbr: boot_hybrid.img, for the first sector of a disk.
    esp: a FAT image, which becomes an EFI system partition. content: more files, by their path
    on the medium.
    """

    core: Path | None
    mbr: Path | None
    esp: Path | None
    content: Mapping[str, Path]


def label(about: About) -> str:
    """Return the name of the medium, by which the running system finds it.

    ISO 9660 allows 32 characters.
    """
    return f"{about.distribution}-{about.version}-{about.flavour}"[:_LABEL_CHARACTERS]


def write(
    destination: Path, content: Mapping[str, Path], name: str, epoch: int, loader: Loader,
    scratch: Path,
) -> None:
    """Write the medium.

    content: files and folders by their path on the medium. name: its label. epoch: the time of
    the medium and of every file on it, and so its UUID. scratch: an empty folder.

    The order of options is that of CentOS's own media (lorax, share/templates.d/99-generic/
    x86.tmpl): the EFI system partition is appended behind the file system and known to El Torito,
    to the GPT and to nobody else; partition 1 begins at block 16, with a superblock of its own,
    so that it can be mounted from a stick.
    Raises ProgramError when xorriso fails.
    """
    scratch.mkdir()
    grafts = scratch / "grafts"
    everything = {**content, **loader.content}
    if loader.core:
        everything[ELTORITO] = loader.core
    grafts.write_text("".join(
        f"{_escaped(inside)}={_escaped(str(outside))}\n"
        for inside, outside in sorted(everything.items())), encoding="utf-8")
    stamp = time.strftime("%Y%m%d%H%M%S00", time.gmtime(epoch))
    listed = sorted(f"{inside} {outside.stat().st_size}" for inside, outside in everything.items())
    digest = hashlib.sha256("\n".join([name, stamp, *listed]).encode()).hexdigest()
    run(
        ["xorriso", "-no_rc", "-as", "mkisofs", "-quiet", "-o", destination,
         "-iso-level", "3",  # files of 4 GiB and more
         "-r", "-J", "-joliet-long", "-V", name,
         f"--modification-date={stamp}", "--set_all_file_dates", stamp,
         "--gpt_disk_guid", str(uuid.uuid5(uuid.NAMESPACE_OID, digest)),
         *_boot_options(loader), "-graft-points", "-path-list", grafts],
        env={"SOURCE_DATE_EPOCH": str(epoch), "TZ": "UTC"},
    )


def _boot_options(loader: Loader) -> list[str | Path]:
    words: list[str | Path] = []
    if loader.mbr:
        words += ["--grub2-mbr", loader.mbr]
    if loader.esp:
        words += ["-partition_offset", "16", "-appended_part_as_gpt",
                  "-append_partition", "2", _EFI_SYSTEM, loader.esp,
                  "-iso_mbr_part_type", _BASIC_DATA]
    words += ["-c", "boot.cat", "--boot-catalog-hide"]
    if loader.core:
        words += ["-b", ELTORITO, "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table",
                  "--grub2-boot-info"]
    if loader.esp:
        words += [*(["-eltorito-alt-boot"] if loader.core else []),
                  "-e", "--interval:appended_partition_2:all::", "-no-emul-boot"]
    return words


def _escaped(path: str) -> str:
    """Return a path for xorriso's list, where = parts the two and \\ escapes."""
    return path.replace("\\", "\\\\").replace("=", "\\=")


@cache
def version() -> str:
    """Return the version of xorriso, part of the identity of what it writes."""
    said = run(["xorriso", "-no_rc", "-version"]).stdout.splitlines()
    return next((line for line in said if line.startswith("xorriso version")), "unknown")
