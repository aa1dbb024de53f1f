"""The initramfs of every kernel: made once, with all drivers, for any machine."""

from __future__ import annotations

from collections.abc import Sequence

from builder.disk.model import Layout
from builder.disk.volumes.registry import kind_of
from builder.tree.kernels import kernels
from builder.tree.tree import Tree, named
from host.errors import HostError, InputError, ProgramError
from host.progress import Progress

# Fast and small enough. Kernels of EL 9 and later read it (CONFIG_RD_ZSTD). A fixed number of
# threads: zstd -T0 has none on one processor, with other bytes, and dracut notes its arguments in
# the initramfs. There is not enough to compress for more than four.
COMPRESSOR = "zstd -q -9 -T4"

_PROGRAM_FOLDERS = ("/usr/sbin", "/usr/bin")


def make(
    tree: Tree, layout: Layout, progress: Progress, drivers: Sequence[str] = (),
) -> None:
    """Run the tree's own dracut for every kernel.

    drivers: modules that go in beside those that dracut takes by itself, which are the ones that
    reach a root file system; what a kernel does not have is left out.
    Raises InputError when there is a kernel and no dracut, or when it lacks the tools that open
    the disk; HostError when dracut fails.
    """
    for version in kernels(tree):
        if not tree.has("/usr/bin/dracut"):
            raise InputError("the image has a kernel and no dracut", why=f"kernel {version}",
                             remedy="add dracut and dracut-config-generic to %packages")
        progress.advance("initramfs", 0, f"kernel {version}")
        words = ["/usr/bin/dracut", "--force", "--no-hostonly", "--reproducible",
                 "--tmpdir", "/run", *_disk_words(tree, layout)]
        if more := _there(tree, version, drivers):
            words += ["--add-drivers", " ".join(more)]
        if tree.has("/usr/bin/zstd"):
            words += ["--compress", COMPRESSOR]
        target = f"/boot/initramfs-{version}.img"
        try:
            tree.sandbox.run([*words, target, version])
        except ProgramError as error:
            raise HostError("dracut failed", where=target, why=error.why) from error
        with named(target):
            tree.files.chmod(target, 0o600)


def _there(tree: Tree, version: str, drivers: Sequence[str]) -> list[str]:
    """Return those of the drivers that the kernel has as modules (depmod(8), modules.dep)."""
    index = tree.read(f"/usr/lib/modules/{version}/modules.dep")
    files = (line.partition(":")[0].rpartition("/")[2] for line in index.splitlines())
    modules = {file.partition(".ko")[0].replace("-", "_") for file in files if ".ko" in file}
    return [name for name in drivers if name.replace("-", "_") in modules]


def _disk_words(tree: Tree, layout: Layout) -> list[str]:
    """Return dracut's options for what is below the file systems (dracut(8)).

    dracut leaves a module out without an error when its program is missing, and the image would
    not find its root.
    """
    words: list[str] = []
    modules: list[str] = []
    for item in layout.stack:
        opener = kind_of(item).opener
        if not any(tree.has(f"{folder}/{opener.program}") for folder in _PROGRAM_FOLDERS):
            raise InputError(f"the image has no {opener.program}, which opens its disk",
                             where=item.where, remedy=f"add {opener.package} to %packages")
        if opener.module not in modules:
            modules.append(opener.module)
            words += opener.options
    return ["--add", " ".join(modules), *words] if modules else []
