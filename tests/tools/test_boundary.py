"""Who may touch the file system by path: where a tree is somebody else's, nobody may.

Root trees, artefacts, build folders, public trees and packages are made by others: what is in them
is reached through host.beneath (docs/security.md). A module that uses paths of its own at all is
listed here with the reason; in it, what comes from a tree is still refused, but for the few named.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.tools.path_uses import EVERYWHERE, Use, uses

CHECKOUT = Path(__file__).parents[2]
ROOMS = ("builder", "validate", "publish", "rehearsal", "companions")

TREES = frozenset(("tree", "root", "view", "layer", "shown", "lower", "upper", "guest"))
"""What folders that others made are called, as parameters and variables."""

# Reason: the modules that use host paths for it.
MAY: Mapping[str, tuple[str, ...]] = {
    "artefacts are made in a folder of their own, out of files that ccis made": (
        "builder/formats/eucalyptus.py", "builder/formats/gce.py", "builder/formats/incus.py",
        "builder/formats/incus_vm.py", "builder/formats/install_iso.py", "builder/formats/lxc.py",
        "builder/formats/oci.py", "builder/formats/ova.py", "builder/formats/raw_gz.py",
        "builder/formats/raw_xz.py", "builder/formats/raw_zst.py",
        "builder/formats/archives/archive.py", "builder/formats/disk_files/blocks.py",
        "builder/formats/media/fat.py", "builder/formats/media/iso.py",
        "builder/formats/media/iso_loader.py", "builder/formats/archives/members.py",
        "builder/formats/containers/oci_merge.py", "builder/formats/streams/parallel.py",
        "builder/formats/disk_files/qcow2_file.py", "builder/formats/media/repository.py",
        "builder/formats/archives/tar_tree.py", "builder/tree/copies.py",
        "builder/formats/machines/vagrant.py", "builder/formats/vagrant_virtualbox.py",
        "builder/formats/vdi.py", "builder/formats/vhd.py", "builder/formats/vhd_dynamic.py",
        "builder/formats/vhdx.py", "builder/formats/vmdk.py", "builder/formats/vmdk_sparse.py"),
    "the image file and the scratch folders of the disk step are its own": (
        "builder/disk/embed.py", "builder/disk/engines/direct.py",
        "builder/disk/ext_corrections.py",
        "builder/disk/ext_numbers.py", "builder/disk/holes.py", "builder/disk/image_file.py",
        "builder/disk/populate.py", "builder/disk/views.py"),
    "an artefact that is proven: read by descriptor, its disk made raw in a scratch folder": (
        "validate/blocks.py", "validate/boxes.py", "validate/packed.py", "validate/qcow2.py",
        "validate/raw_disks.py",
        "validate/tars.py", "validate/trees.py"),
    "the specification's own files, and a kept proof's": (
        "specs/pages.py", "validate/checks/rpm_headers.py", "validate/kept.py"),
    "the host's own devices, programs and facts": (
        "builder/disk/loop.py", "builder/packages/dnf_process.py", "builder/scripting/installer.py",
        "builder/sandbox/capabilities.py", "builder/sandbox/enclosure.py",
        "builder/sandbox/machine.py", "builder/sandbox/places.py", "builder/sandbox/proc.py",
        "builder/sandbox/programs.py", "builder/sandbox/sandbox.py",
        "validate/boot/firmware.py",
        "validate/reader.py"),
    "steps' results in the store, beside the layers and not in them": (
        "builder/build.py", "builder/provenance.py", "builder/steps/notes.py",
        "builder/steps/conversion.py", "builder/steps/disk.py",
        "builder/steps/frames.py", "builder/steps/pre.py", "builder/steps/resolution.py",
        "builder/steps/views.py",
        "builder/packages/near.py", "builder/tree/databases.py",
        "builder/scripting/disk.py",
        "builder/packages/installed.py", "builder/tree/labels.py", "builder/tree/marks.py",
        "builder/scripting/scripts.py", "builder/scripting/shims.py",
        "builder/packages/signatures.py", "builder/store/entries.py", "builder/store/eviction.py",
        "builder/store/folder.py", "builder/store/key.py", "builder/store/manifest.py",
        "builder/store/store.py", "builder/store/uses.py"),
    "our own source and data files": (
        "builder/identity.py", "builder/kickstart/reference.py", "builder/steps/programs.py",
        "builder/scripting/layout_shims.py",
        "rehearsal/cache.py",
        "rehearsal/comps.py", "rehearsal/convert.py", "rehearsal/table.py"),
    "files that the person who runs ccis names": (
        "builder/formats/bundles/eucarc.py", "builder/kickstart/sources.py",
        "builder/folders.py",
        "builder/packages/origins.py", "builder/packages/repositories.py", "publish/find.py",
        "publish/chain/keys.py", "publish/policies.py", "publish/remote.py", "publish/sign.py",
        "publish/serve.py", "publish/source.py", "publish/tree.py", "publish/verify.py",
        "validate/artefact.py", "validate/key.py"),
    "scratch folders of the program that is run": (
        "builder/packages/dnf_lock.py", "builder/packages/dnf_worker.py",
        "builder/packages/indexes.py", "builder/packages/targets.py",
        "builder/packages/transfer.py", "publish/gpg.py",
        "publish/trust.py", "validate/boot/console.py", "validate/boot/qemu.py",
        "validate/boot/run.py", "validate/boot/seed.py", "validate/boot/ssh.py",
        "validate/compare/builds.py", "validate/compare/diffoscope.py",
        "validate/compare/members.py", "validate/compare/pieces.py",
        "validate/compare/unpacking.py"),
    "the staged folder of a public tree, new and the publisher's own": (
        "publish/chain/ceremony.py", "publish/chain/store.py", "publish/copy.py",
        "publish/fill.py", "publish/merge.py", "publish/views.py", "publish/workshop.py"),
    "libguestfs's calls of these names, inside the appliance": ("validate/mounts.py",),
    "descriptors of a folder that was opened without following links": ("publish/folder.py",),
    "the repository in the user's own cache": (
        "companions/create.py",
        "rehearsal/assemble.py", "rehearsal/build.py", "rehearsal/create.py", "rehearsal/deb.py",
        "rehearsal/download.py", "rehearsal/makers/grub.py", "rehearsal/makers/locales.py",
        "rehearsal/makers/making.py", "rehearsal/makers/selinux.py", "rehearsal/rpmfile.py",
        "rehearsal/signing.py"),
}
LISTED = {module: reason for reason, modules in MAY.items() for module in modules}

# By module and name: what is called like a tree and is none, or only its top is meant.
NOT_A_TREE: Mapping[tuple[str, str], str] = {
    ("builder/disk/views.py", "shown"): "an empty folder to mount on, made here",
    ("builder/steps/frames.py", "root"): "the new layer's top, made here",
    ("builder/steps/frames.py", "upper"): "the new layer's top, made here",
    ("builder/steps/frames.py", "lower"): "the top of the layer below, made by an earlier step",
    ("builder/scripting/installer.py", "root"): "made anew, before a script has seen it",
    ("builder/store/folder.py", "root"): "the store's own folder",
    ("builder/store/key.py", "root"): "the store's own folder",
    ("publish/folder.py", "root"): "the top of a public tree, which a person names",
    ("publish/find.py", "root"): "the top of a public tree, which a person names",
    ("publish/fill.py", "root"): "the top of a public tree; the way below it has no links",
    ("publish/sign.py", "root"): "the top of a public tree; the way below it has no links",
    ("publish/tree.py", "root"): "the top of a public tree, which a person names",
    ("publish/serve.py", "root"): "the top of a public tree, which a person names",
    ("publish/source.py", "root"): "the top of a public tree, which a person names",
    ("publish/views.py", "root"): "the top of a public tree; the way below it has no links",
    ("publish/workshop.py", "root"): "the top of a public tree; the way below it has no links",
    ("publish/verify.py", "tree"): "the top of a public tree, which a person names",
    ("publish/verify.py", "root"): "the top of a public tree, which a person names",
    ("rehearsal/assemble.py", "root"): "the cache's own folder",
    ("rehearsal/build.py", "root"): "the cache's own folder",
    ("rehearsal/create.py", "root"): "the cache's own folder",
    ("rehearsal/makers/locales.py", "root"): "an empty folder, made here",
    ("rehearsal/makers/selinux.py", "root"): "an empty folder, made here",
}
RECURSING: Mapping[tuple[str, str], str] = {
    ("builder/scripting/installer.py", "shutil.copytree"): "a few files of the host's own /etc",
    ("rehearsal/convert.py", "rglob"): "our own data files",
}


def offences(module: str, source: str) -> list[str]:
    """Return what a module does with paths that it may not do."""
    trees = TREES | ({"source"} if "\nsource = TREE\n" in source else set())
    return [f"{module}:{use.line}: {use.call}: {problem}"
            for use in uses(source) if (problem := _problem(module, use, trees))]


def _problem(module: str, use: Use, trees: frozenset[str]) -> str | None:
    if use.call in EVERYWHERE and (module, use.call) not in RECURSING:
        return "it recurses or follows links: host/beneath has walk(), copy_tree(), remove_tree()"
    if module not in LISTED:
        return "use host.beneath.root.Root, or list the module with a reason"
    strange = sorted(name for name in use.origins & trees if (module, name) not in NOT_A_TREE)
    return f"{strange[0]} is somebody else's: use host.beneath.root.Root" if strange else None


def modules() -> list[str]:
    return [str(path.relative_to(CHECKOUT)) for room in ROOMS
            for path in sorted((CHECKOUT / room).rglob("*.py"))]


def test_what_others_made_is_not_touched_by_path() -> None:
    assert [offence for module in modules()
            for offence in offences(module, (CHECKOUT / module).read_text())] == []


def test_what_is_listed_is_there_and_needs_it() -> None:
    found = {module: list(uses((CHECKOUT / module).read_text())) for module in LISTED}
    assert [module for module, each in found.items() if not each] == []
    assert [key for key in NOT_A_TREE
            if not any(key[1] in use.origins for use in found[key[0]])] == []
    assert [key for key in RECURSING
            if not any(key[1] == use.call for use in found[key[0]])] == []


# Where an engineer might put it, and what.
ANYWHERE = "validate/checks/new.py"
PLANTED = [
    (ANYWHERE, "def check(tree):\n    return (tree / 'etc/x').read_text()\n"),
    (ANYWHERE, "def check(anything):\n    return anything.is_dir()\n"),
    (ANYWHERE, "import os\ndef check(path):\n    return os.path.lexists(path)\n"),
    (ANYWHERE, "def check(path):\n    with open(path) as stream:\n        return stream.read()\n"),
    (ANYWHERE, "def check(path):\n    with path.open('rb') as stream:\n        return stream\n"),
    ("builder/steps/disk.py", "def patches(view):\n    return (view / 'core.img').read_bytes()\n"),
    ("builder/steps/disk.py",
     "def patches(view):\n    file = view / 'x'\n    return file.stat()\n"),
    ("builder/steps/disk.py",
     "def patches(self):\n    files = self.view / 'x'\n    for file in sorted(files.glob('*')):\n"
     "        with file.open() as stream:\n            print(stream)\n"),
    ("builder/steps/disk.py",
     "import os\ndef patches(view):\n    return os.stat(os.path.join(str(view), 'x'))\n"),
    ("builder/steps/disk.py",
     "def patches(view):\n    return [x.lstat() for x in (view / 'a', view / 'b')]\n"),
    ("builder/steps/disk.py",
     "def patches(view):\n    if (found := view / 'x').exists():\n        return found\n"),
    ("builder/steps/disk.py",
     "from pathlib import Path\ndef patches(view):\n    Path(f'{view}/x').write_text('')\n"),
    ("builder/steps/disk.py",
     "def patches(view):\n    a, b = view / 'a', 1\n    return lambda: a.unlink()\n"),
    ("builder/formats/oci.py",
     "from builder.artefact import TREE\n\nsource = TREE\n\n"
     "def make(source):\n    return (source / 'usr/bin/bash').exists()\n"),
    ("publish/merge.py", "import os\ndef find(staging):\n    return list(os.walk(staging))\n"),
    ("publish/sign.py", "import shutil\ndef f(scratch):\n    shutil.rmtree(scratch)\n"),
    ("builder/steps/frames.py", "import shutil\ndef f(a, b):\n    shutil.copytree(a, b)\n"),
    ("rehearsal/create.py", "def f(root):\n    return list(root.rglob('*'))\n"),
]


@pytest.mark.parametrize(("module", "source"), PLANTED)
def test_a_new_offender_is_found(module: str, source: str) -> None:
    assert offences(module, source)


@pytest.mark.parametrize(("module", "source"), [
    (ANYWHERE, "def f(root):\n    return root.read('/x'), root.exists('/x'), root.stat('/x')\n"),
    (ANYWHERE, "def f(root):\n    with root.open('/etc/x') as s:\n        return s.read()\n"),
    (ANYWHERE, "def f(text):\n    return text.replace('a', 'b').strip()\n"),
    (ANYWHERE, "def f(tree):\n    tree.files.chmod('/x', 0o755)\n    tree.make_folder('/x')\n"),
    ("builder/steps/frames.py", "def f(folder):\n    (folder / 'x').mkdir()\n"),
])
def test_what_is_right_is_let_through(module: str, source: str) -> None:
    assert offences(module, source) == []
