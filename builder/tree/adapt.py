"""A target's layer in the root tree: where cloud-init looks, kernel arguments, services."""

from __future__ import annotations

import re
import shlex
from typing import Any

import yaml

from builder.tree.kernels import kernels
from builder.tree.shell_values import double_quoted
from builder.tree.tree import Tree
from host.errors import InputError, ProgramError
from images.target import Layer

CLOUD_CONFIG = "/etc/cloud/cloud.cfg"
_ENTRIES = "/boot/loader/entries"
_MENU = "/boot/grub2/grub.cfg"


def adapt(tree: Tree, layer: Layer, where: str) -> None:
    """Apply what a target changes in files: all of its layer but the packages.

    where: the target's file, for errors. Packages come first (builder.packages.on_top),
    because a service may be theirs.
    Raises InputError when the tree lacks what the layer is about: cloud-init, a kernel, a unit.
    """
    if layer.data_sources:
        _set_data_sources(tree, layer, where)
    if layer.kernel_arguments:
        _add_kernel_arguments(tree, layer.kernel_arguments, where)
    for unit in layer.services:
        try:
            tree.run("systemctl", "enable", unit)
        except ProgramError as error:
            raise InputError(
                f"the image has no {unit} that could be enabled", where=where, why=error.why,
                remedy="add its package to `layer: packages:` of the target",
            ) from error


def data_sources_file(layer: Layer) -> str:
    """Return the path of the file for a layer's data sources, such as 91-ec2_datasource.cfg.

    91: read after what the package brings (05_logging.cfg, Debian's 90_dpkg.cfg). The name of the
    first source must be in it: ds-identify looks for Ec2's strict_id in *[Ee][Cc]2*.cfg alone.
    """
    return f"/etc/cloud/cloud.cfg.d/91-{layer.data_sources[0].lower()}_datasource.cfg"


def _set_data_sources(tree: Tree, layer: Layer, where: str) -> None:
    """Write cloud-init's list in the only form that all of its parts read.

    ds-identify, which decides before cloud-init starts whether and where it looks, is a shell
    script that understands a list on one line and nothing else (tools/ds-identify,
    read_datasource_list and parse_yaml_array).
    """
    if not tree.exists(CLOUD_CONFIG):
        raise InputError("the target lists data sources and the image has no cloud-init",
                         where=where, remedy="add cloud-init to %packages")
    text = f"datasource_list: [ {', '.join(layer.data_sources)} ]\n"
    more: dict[str, Any] = {}
    if layer.data_source_settings:
        more["datasource"] = layer.data_source_settings
    if layer.default_user:  # laid over what cloud.cfg says of it (cloud-init: merging)
        more["system_info"] = {"default_user": {"name": layer.default_user}}
    if more:
        text += yaml.safe_dump(more, sort_keys=True)
    tree.write(data_sources_file(layer), text, mode=0o644)


def _add_kernel_arguments(tree: Tree, arguments: list[str], where: str) -> None:
    """Add arguments wherever a kernel's command line is kept, as grubby(8) does for all kernels.

    /etc/default/grub and /etc/kernel/cmdline are for kernels to come (grub2-mkconfig(8),
    kernel-install(8)), the entries and the menu for those that are there. The menu is changed in
    place: made anew it would lose what a script did to it. What is there already stays where it is.
    """
    if not kernels(tree):
        raise InputError("the target has kernel arguments and the image no kernel", where=where)
    if tree.exists("/etc/default/grub"):
        text = tree.read("/etc/default/grub")
        old = re.search(r"(?m)^GRUB_CMDLINE_LINUX=(.*)$", text)
        words = " ".join(_shell_words(old[1])) if old else ""
        tree.set_shell_value("/etc/default/grub", "GRUB_CMDLINE_LINUX",
                             double_quoted(_with(words, arguments)))
    if tree.exists("/etc/kernel/cmdline"):
        tree.write("/etc/kernel/cmdline",
                   _with(tree.read("/etc/kernel/cmdline").strip(), arguments) + "\n")
    for entry in tree.names(_ENTRIES, "*.conf"):
        _edit_lines(tree, f"{_ENTRIES}/{entry}", r"options ", arguments)
    _edit_lines(tree, _MENU, r"[ \t]*linux(?:16|efi)?[ \t]+\S+", arguments)


def _shell_words(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError as error:
        raise InputError("/etc/default/grub is no list of settings", where="/etc/default/grub",
                         why=f"GRUB_CMDLINE_LINUX: {error}",
                         remedy="correct the script that wrote it") from error


def _edit_lines(tree: Tree, path: str, beginning: str, arguments: list[str]) -> None:
    """Add the arguments to each line that begins so; a file that is not there is left out."""
    if not tree.exists(path):
        return
    text = tree.read(path)
    changed = re.sub(rf"(?m)^{beginning}.*$", lambda found: _with(found[0], arguments), text)
    if changed != text:
        tree.write(path, changed)


def _with(line: str, arguments: list[str]) -> str:
    """Return a command line with each argument that it does not have yet."""
    there = line.split()
    more = [one for one in arguments if one not in there]
    return " ".join([line.rstrip(), *more] if there else more)
