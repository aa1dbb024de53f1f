"""The small files by which installers know a medium: .treeinfo, .discinfo, media.repo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from builder.artefact import About
from builder.formats.media import iso_loader
from host.files import sha256_file

_NAMES = {"CentOS-Stream": "CentOS Stream", "CentOS": "CentOS"}


def product(about: About) -> str:
    """Return the distribution as people write it, such as CentOS Stream 10."""
    return f"{_NAMES.get(about.distribution, about.distribution)} {about.version}"


def tree_info(about: About, files: Mapping[str, Path]) -> str:
    """Return .treeinfo for a medium with one repository, whose root is that of the medium.

    files: those whose checksums stand in it, by path.
    Source: https://release-engineering.github.io/productmd/treeinfo-1.0.html
    """
    family = product(about).removesuffix(f" {about.version}")
    sections: dict[str, dict[str, str]] = {
        "header": {"type": "productmd.treeinfo", "version": "1.2"},
        "release": {"name": family, "short": about.distribution, "version": about.version},
        "tree": {"arch": about.arch, "build_timestamp": str(about.epoch),
                 "platforms": about.arch, "variants": "BaseOS"},
        f"images-{about.arch}": {"kernel": iso_loader.KERNEL, "initrd": iso_loader.INITRAMFS},
        "variant-BaseOS": {"id": "BaseOS", "name": "BaseOS", "packages": "Packages",
                           "repository": ".", "type": "variant", "uid": "BaseOS"},
        "checksums": {path: f"sha256:{sha256_file(file)}" for path, file in sorted(files.items())},
        # For readers of the time before productmd: the same in one section.
        "general": {"arch": about.arch, "family": family, "name": product(about),
                    "packagedir": "Packages", "platforms": about.arch, "repository": ".",
                    "timestamp": str(about.epoch), "variant": "BaseOS", "variants": "BaseOS",
                    "version": about.version},
    }
    return "\n".join(
        f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
        for section, values in sections.items())


def disc_info(about: About) -> str:
    """Return .discinfo: time, release, architecture, and which discs (Anaconda's and lorax's)."""
    return f"{about.epoch}.000000\n{product(about)}\n{about.arch}\nALL\n"


def media_repository(about: About) -> str:
    """Return media.repo, by which an installed system may use the medium as a repository."""
    return (f"[InstallMedia]\nname={product(about)}\nmediaid={about.epoch}.000000\n"
            "metadata_expire=-1\ngpgcheck=1\ncost=500\n")
