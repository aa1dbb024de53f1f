"""install-iso: what an image is made of, on one medium: packages, groups, kickstart, a kernel.

On it: Packages/ with every package of the image and repodata/ over them (with the groups cut to
what is there), the kickstart as ks.cfg, .treeinfo, .discinfo, media.repo, and the image's own
kernel and initramfs behind a boot menu that says what Anaconda wants to hear: inst.ks, inst.repo.

What is not on it: Anaconda. Its stage 2 (images/install.img) and the initramfs that loads it are
made of some hundred packages by lorax for a compose; no image holds them. So this medium by itself
starts a kernel and ends in its initramfs, which has no root to find. It installs beside the
release's own boot.iso, started with `inst.ks=hd:LABEL=<label>:/ks.cfg` and
`inst.repo=hd:LABEL=<label>:/`; or by itself, when the image's initramfs has anaconda-dracut in it
and inst.stage2= names a mirror.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from builder.artefact import CONTENT, NAMING, TREE, About, Outlook
from builder.formats.machines import tree_kernel
from builder.formats.media import (
    comps,
    fat,
    flat_kickstart,
    install_tree,
    iso,
    iso_loader,
    repository,
)
from builder.tree.copies import copies, plain_names
from host.beneath.root import Root
from host.errors import InputError
from host.progress import Progress

name = "install-iso"
title = "installation medium: packages, groups, kickstart and kernel on an ISO image"
source = TREE
uses = (*NAMING, *CONTENT)

_KEYS = "/etc/pki/rpm-gpg"
_KEYS_BYTES = 16 << 20


def objection(outlook: Outlook) -> str | None:
    """Say what an image lacks whose kernel is to start the installer."""
    return tree_kernel.missing(outlook)


def make(source: Path, folder: Path, about: About, progress: Progress) -> None:
    """Index the packages and write the medium; they go straight into it.

    Raises InputError for an image without kernel, boot loader, packages or kickstart.
    """
    if not about.packages or not about.kickstart:
        raise InputError("an installation medium needs packages and a kickstart",
                         where=about.image, remedy="build it from a kickstart with %packages")
    label = iso.label(about)
    packages = {f"Packages/{file.name[0].lower()}/{file.name}": file for file in about.packages}
    with tempfile.TemporaryDirectory(dir=folder) as name_of_scratch:
        scratch = Path(name_of_scratch)
        kernel = tree_kernel.of(source, about.epoch, scratch / "kernel")
        loader = iso_loader.prepare(
            source, about.arch, _menu(about, label, kernel), label, about.epoch,
            scratch / "loader")
        progress.advance(name, 10, "repodata")
        repodata = scratch / "repodata"
        groups = comps.joined(about.comps, map(_package, about.packages))
        repository.write(repodata, packages, groups, about.epoch)
        progress.advance(name, 60, "medium")
        content = {
            **packages, "repodata": repodata,
            iso_loader.KERNEL: kernel.image, iso_loader.INITRAMFS: kernel.initramfs,
            **_keys(Root(source), scratch / "keys"),
        }
        content |= _described(about, content, scratch)
        iso.write(folder / "install.iso", content, label, about.epoch, loader, scratch / "iso")


def identity() -> Mapping[str, str]:
    """Return the versions of what indexes and writes."""
    return {"iso": iso.version(), "fat": fat.version(), "repodata": repository.version()}


def _keys(root: Root, folder: Path) -> dict[str, Path]:
    """Return copies of the keys that the tree's packages are checked with, by name.

    A second name of a key, a link to the file beside it, is one on the medium as well.
    """
    names = [name for name in plain_names(root, _KEYS) if name.startswith("RPM-GPG-KEY-")]
    links = {name: root.read_link(f"{_KEYS}/{name}") for name in names
             if root.is_link(f"{_KEYS}/{name}")}
    files = set(names) - set(links)
    links = {name: target for name, target in links.items() if target in files}
    keys = copies(root, {name: f"{_KEYS}/{name}" for name in names if name not in links}, folder,
                  _KEYS_BYTES)
    for name, target in links.items():
        keys[name] = folder / name
        keys[name].symlink_to(target)
    return keys


def _menu(about: About, label: str, kernel: tree_kernel.Kernel) -> iso_loader.Menu:
    """Offer to install by the kickstart, and to be asked.

    hd:LABEL finds the medium on a stick, too; cdrom: only in a drive (Anaconda's boot options;
    mkksiso of lorax writes the same).
    """
    medium = f"hd:LABEL={label}:"
    consoles = [word for word in kernel.arguments if word.startswith("console=")]
    source_of_all = " ".join([f"inst.repo={medium}/", f"inst.stage2={medium}/", *consoles])
    return iso_loader.Menu([
        (f"Install {about.title}", f"inst.ks={medium}/ks.cfg {source_of_all}"),
        (f"Install {install_tree.product(about)} by hand", source_of_all),
    ], 60)


def _described(about: About, content: Mapping[str, Path], scratch: Path) -> dict[str, Path]:
    """Write the kickstart and the small files that describe the medium."""
    checked = {path: content[path] for path in (iso_loader.KERNEL, iso_loader.INITRAMFS)}
    checked["repodata/repomd.xml"] = content["repodata"] / "repomd.xml"
    texts = {
        "ks.cfg": flat_kickstart.flat(about.kickstart),
        ".treeinfo": install_tree.tree_info(about, checked),
        ".discinfo": install_tree.disc_info(about),
        "media.repo": install_tree.media_repository(about),
    }
    files = {}
    for path, text in texts.items():
        files[path] = scratch / f"file{path}"
        files[path].write_text(text, encoding="utf-8")
    return files


def _package(file: Path) -> str:
    """Return the name in NAME-VERSION-RELEASE.ARCH.rpm."""
    return file.name.rsplit("-", 2)[0]
