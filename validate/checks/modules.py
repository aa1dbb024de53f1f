"""Proofs on kernel modules: in the initramfs, on the disk, blocked; and the kernel's options."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from host.errors import InputError
from host.patterns import pattern
from specs.globs import compiled
from specs.kinds.kernel import InitramfsContains, KernelConfig, ModuleAvailable, ModuleBlocked
from validate.initramfs import Initramfs, module_name
from validate.initramfs import read as read_initramfs
from validate.registry import Finding, proves, verdict
from validate.view import View

_MODPROBE = ("/usr/lib/modprobe.d", "/usr/local/lib/modprobe.d", "/etc/modprobe.d")
_INITRAMFS = ("/boot/initramfs-{}.img", "/boot/initrd.img-{}")
_CONFIG = ("/usr/lib/modules/{}/config", "/boot/config-{}")
_INITRAMFS_BYTES_MAX = 512 << 20
_INDEX_BYTES_MAX = 8 << 20
_KERNELS_MAX = 16


def kernels(view: View) -> list[str]:
    """Return the versions of the kernels that have modules."""
    folder = view.tree.resolve("/lib/modules") or view.tree.resolve("/usr/lib/modules")
    found = view.tree.children(folder.path) if folder and folder.is_folder else []
    versions = [posixpath.basename(one.path) for one in found if one.is_folder]
    if len(versions) > _KERNELS_MAX:
        raise InputError(f"there are more than {_KERNELS_MAX} kernels")
    return versions


def _index(view: View, version: str, name: str) -> set[str]:
    """Return the modules that an index of a kernel lists."""
    text = view.text(f"/usr/lib/modules/{version}/modules.{name}", _INDEX_BYTES_MAX) or ""
    return {module_name(line.partition(":")[0]) for line in text.splitlines() if line}


def _initramfs(view: View) -> Iterator[tuple[str, str, Initramfs]]:
    for version in kernels(view):
        for form in _INITRAMFS:
            entry = view.tree.resolve(form.format(version))
            if entry is not None and entry.is_file:
                if entry.size_bytes > _INITRAMFS_BYTES_MAX:
                    raise InputError(f"{entry.path} is larger than any initramfs")
                key = f"initramfs {entry.path}"
                if key not in view.remembered:
                    view.remembered[key] = read_initramfs(view.read(entry.path, entry.size_bytes))
                yield version, entry.path, view.remembered[key]
                break


@proves(InitramfsContains)
def initramfs_contains(check: InitramfsContains, view: View) -> Finding:
    """Open each initramfs."""
    wrong, seen = [], []
    for version, path, inside in _initramfs(view):
        seen.append(path)
        there = inside.modules | _index(view, version, "builtin")
        wrong += [f"{path} has no {name}" for name in check.modules
                  if not {each.replace("-", "_") for each in name.split("|")} & there]
        wrong += [f"{path} has {name}" for name in inside.modes
                  if any(compiled(glob).match(name) for glob in check.absent)]
        if check.compression:
            wrong += [f"{path} is packed by {one}" for one in inside.packed
                      if one not in check.compression]
    if not seen:
        wrong.append("there is no initramfs")
    expected = "; ".join([*check.modules, *(f"no {one}" for one in check.absent),
                          *check.compression])
    return verdict(wrong, ", ".join(seen), expected)


def _blocked(view: View) -> dict[str, str]:
    """Return the modules that modprobe.d keeps out, with the file that does."""
    files: dict[str, str] = {}
    for folder in _MODPROBE:
        for entry in view.tree.find(f"{folder}/*.conf"):
            files[posixpath.basename(entry.path)] = entry.path
    found = {}
    for name in sorted(files):
        for line in (view.text(files[name]) or "").splitlines():
            words = line.split("#")[0].split()
            if (len(words) >= 2 and words[0] == "blacklist") or (
                    len(words) >= 3 and words[0] == "install"
                    and posixpath.basename(words[2]) in ("true", "false")):
                found[words[1].replace("-", "_")] = files[name]
    return found


@proves(ModuleAvailable)
def module_available(check: ModuleAvailable, view: View) -> Finding:
    """Look into the indexes of each kernel, and into modprobe.d."""
    blocked = _blocked(view)
    wrong = []
    for version in kernels(view):
        there = _index(view, version, "dep") | _index(view, version, "builtin")
        for names in check.names:
            each = {name.replace("-", "_") for name in names.split("|")}
            if not each & there:
                wrong.append(f"{version} has no {names}")
            elif each & there <= set(blocked):
                wrong.append("blocked: " + ", ".join(
                    f"{name} ({blocked[name]})" for name in sorted(each & there)))
    if not kernels(view):
        wrong.append("there is no kernel")
    return verdict(wrong, "all there", ", ".join(check.names))


@proves(ModuleBlocked)
def module_blocked(check: ModuleBlocked, view: View) -> Finding:
    """Look into modprobe.d."""
    blocked = _blocked(view)
    wrong = [f"{name} is not blocked" for name in check.names
             if name.replace("-", "_") not in blocked]
    return verdict(wrong, "all blocked", "blocked: " + ", ".join(check.names))


@proves(KernelConfig)
def kernel_config(check: KernelConfig, view: View) -> Finding:
    """Read each kernel's configuration."""
    wrong = []
    for version in kernels(view):
        text = next((text for form in _CONFIG
                     if (text := view.text(form.format(version))) is not None), None)
        if text is None:
            wrong.append(f"{version}: no configuration")
            continue
        there = {match[1] for line in text.splitlines()
                 if (match := pattern(r"^CONFIG_(\w+)=[ym]$").match(line))}
        wrong += [f"{version}: no {one}" for one in check.options
                  if not set(one.split("|")) & there]
    return verdict(wrong, "all set", ", ".join(check.options))
