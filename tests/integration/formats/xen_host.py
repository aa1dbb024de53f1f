"""A Xen host to test on: hypervisor and a small dom0 with xl, made of Debian's packages.

The packages are downloaded and unpacked, never installed: this host's own boot stays as it is.
QEMU starts the hypervisor as a multiboot kernel; Debian's kernel with busybox is its dom0.
"""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path

from host.locks import locked
from host.places import cache_folder
from host.progress import Silent
from host.run import run
from rehearsal.debian import Index, closure, load_index
from rehearsal.download import download

XEN = "4.17"
"""Debian 12's."""

# With everything that they need; and what is only unpacked, because xl needs no Python or udev.
_WHOLE = ("bash", "busybox-static", "libxenmisc4.17", "libyajl2", "xenstore-utils")
_ALONE = (f"xen-hypervisor-{XEN}-amd64", f"xen-utils-{XEN}", "xen-utils-common", "grub-xen-bin",
          "util-linux")
_DROPPED = ("base-files", "debianutils", "debconf", "xen-utils-common")

_MODULES = (
    "virtio_pci", "virtio_blk", "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xen-privcmd",
    "xenfs", "xen-blkback",
)
_INIT = Path(__file__).with_name("xen_dom0_init.sh")


@dataclass(frozen=True)
class XenHost:
    """Files for QEMU. tree: the root of dom0, which a test copies its guest's files beside."""

    hypervisor: Path
    kernel: Path
    tree: Path


def xen_host() -> XenHost:
    """Return the host's files, made on the first call and kept in the cache."""
    home = cache_folder() / "xen-host"
    with locked(home / "lock"):
        index = load_index()
        debs = _packages(index, home)
        stamp = "\n".join([*sorted(deb.name for deb in debs), *_MODULES])
        tree, made = home / "tree", home / "tree.made"
        if not made.exists() or made.read_text() != stamp:
            made.unlink(missing_ok=True)
            shutil.rmtree(tree, ignore_errors=True)
            _unpack(debs, tree)
            _keep_modules(tree)
            made.write_text(stamp)
    (hypervisor,) = (tree / "boot").glob("xen-*-amd64")
    (kernel,) = (tree / "boot").glob("vmlinuz-*")
    return XenHost(hypervisor, kernel, tree)


def initramfs(host: XenHost, guest: Path, target: Path) -> None:
    """Pack dom0's root with the files of a guest as /guest.

    Not compressed: under emulation unpacking costs more than reading.
    """
    root = target.parent / "dom0"
    root.mkdir()
    shutil.copy(_INIT, root / "init")
    shutil.copytree(guest, root / "guest")
    # Archives one after the other are one file system (Documentation/filesystems/initramfs).
    pack = ('cd "$1" && find . -path ./boot -prune -o -path ./usr/lib/grub -prune -o -print0 | '
            "cpio -0oH newc --quiet")
    run(["sh", "-ec", f'{{ {pack}; }} >"$3"; set -- "$2"; {{ {pack}; }} >>"$OUT"',
         "sh", host.tree, root, target], env={"OUT": str(target)})
    shutil.rmtree(root)


def _packages(index: Index, home: Path) -> list[Path]:
    kernel = next(group[0] for group in index.packages["linux-image-amd64"].depends)
    names = {*closure(_WHOLE, index, _DROPPED, {}), *_ALONE, kernel}
    folder = home / "debs"
    found = download(names, index, folder, Silent())
    for old in set(folder.iterdir()) - set(found.values()):
        old.unlink()
    return list(found.values())


def _unpack(debs: list[Path], tree: Path) -> None:
    tree.mkdir(parents=True)
    for deb in debs:
        run(["dpkg-deb", "--extract", deb, tree])
    for folder in ("usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(tree / folder, ignore_errors=True)
    for packed in (tree / "boot").glob("xen-*.gz"):
        # QEMU's multiboot loader takes the bare ELF file only.
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()


def _keep_modules(tree: Path) -> None:
    """Keep the modules that dom0 needs, in /modules, named in the order to load them."""
    (folder,) = (tree / "lib/modules").iterdir()
    run(["depmod", "--basedir", tree, folder.name])
    needs: dict[str, tuple[str, list[str]]] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, below = line.partition(":")
        needs[Path(path).stem] = (path, below.split())
    order: list[str] = []

    def add(path: str) -> None:
        if path not in order:
            order.append(path)

    for name in _MODULES:
        path, needed = needs[name]
        for one in (*reversed(needed), path):
            add(one)
    kept = tree / "modules"
    kept.mkdir()
    for number, path in enumerate(order):
        shutil.copy(folder / path, kept / f"{number:02}-{Path(path).name}")
    shutil.rmtree(tree / "lib/modules")
