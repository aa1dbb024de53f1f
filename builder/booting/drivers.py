"""Whether the initramfs has the drivers that a target's disk and network need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from builder.booting.initramfs_names import names
from builder.tree.kernels import kernels
from builder.tree.tree import Tree, named
from host.errors import InputError


def check_drivers(tree: Tree, drivers: Mapping[str, Sequence[str]]) -> None:
    """Look for each driver in every kernel's initramfs, or built into that kernel.

    drivers: kernel modules by the file of the target that needs them, "a|b" where either will do.
    What counts is the finished initramfs, after a script may have made it anew.
    Raises InputError that names target and driver, or an initramfs that can't be read.
    """
    if not any(drivers.values()):
        return
    for version in kernels(tree):
        there = builtin_modules(tree, version) | initramfs_modules(tree, version)
        for where, needed in drivers.items():
            missing = [name for name in needed if not set(choices(name)) & there]
            if missing:
                raise InputError(
                    f"the initramfs lacks {', '.join(missing)}, which the target needs",
                    where=where, why=f"/boot/initramfs-{version}.img",
                    remedy="the kickstart's dracut configuration must bring it (add_drivers+=), "
                    "or the kernel has no such module",
                )


def initramfs_modules(tree: Tree, version: str) -> set[str]:
    """Return the names of the modules in the initramfs of a kernel, as plain() spells them."""
    path = f"/boot/initramfs-{version}.img"
    if not tree.exists(path):
        raise InputError("a kernel has no initramfs", where=path,
                         remedy="keep dracut in %packages, and the file in scripts")
    with named(path), tree.files.open(path, follow=True) as stream:
        return _modules(names(stream, path))


def builtin_modules(tree: Tree, version: str) -> set[str]:
    """Return the names of what would be modules, had it not been built into the kernel."""
    return _modules(tree.read(f"/usr/lib/modules/{version}/modules.builtin").splitlines())


def choices(driver: str) -> list[str]:
    """Return the modules of which one will do, as plain() spells them."""
    return [plain(name) for name in driver.split("|")]


def plain(name: str) -> str:
    """Return a module's name as the kernel says it: with _, whatever the file is called."""
    return name.replace("-", "_")


def _modules(paths: Iterable[str]) -> set[str]:
    files = (path.strip().rpartition("/")[2] for path in paths)
    return {plain(file.partition(".ko")[0]) for file in files if ".ko" in file}
