"""Runs %pre-install, %post and %onerror as Anaconda does: in order, in the tree or beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builder.booting.bootloader import bios_script
from builder.booting.grub_probe import answering_programs, device_links
from builder.disk.layout import Layout
from builder.kickstart.model import Script
from builder.sandbox.sandbox import Sandbox
from builder.scripting import installer
from builder.scripting.disk import save_changes, script_disk
from builder.scripting.installer import DISK_NAMES, SYSIMAGE
from builder.scripting.layout_shims import kernel_tables, layout_shims
from builder.scripting.one_script import progress_say, run_onerror, run_script
from builder.scripting.pre import ROOT
from builder.scripting.tree_shims import CHCON_RECORD, FOLDER, shims
from builder.tree import labels
from builder.tree.bounds import check_depth
from builder.tree.tree import Tree
from host.beneath.copy import copy_tree
from host.beneath.root import Root
from host.errors import CcisError
from host.progress import Progress
from images.bounds import DEFAULTS, Bounds

# Without it, systemctl would look for a running systemd (systemctl(1), "SYSTEMD_OFFLINE").
ENVIRONMENT = {"SYSTEMD_OFFLINE": "1"}
_HAS_RUN = "has_run_onerror"
_RECORD, _RECORD_BYTES = "chcon", 64 << 20


@dataclass(frozen=True)
class Setting:
    """What scripts run with.

    scripts: those to run. on_error: the %onerror scripts, for when one ends the build.
    before: the installer's folders as %pre left them, None without %pre. arguments: the image's
    installer_arguments. scratch: an empty folder that is thrown away. results: the folder of the
    step's result. bounds: what each script may use. counted: where what they write to the tree
    lands, if that is not the tree's own folder.
    """

    scripts: Sequence[Script]
    on_error: Sequence[Script]
    layout: Layout
    before: Path | None
    arguments: str
    scratch: Path
    results: Path
    progress: Progress | None = None
    bounds: Bounds = DEFAULTS
    counted: Sequence[Path] = ()


def run_post(tree: Tree, setting: Setting) -> None:
    """Run every %post script; when one ends the build, the %onerror scripts first.

    In the tree, a script finds /dev/vda with the layout's table, an empty /run with nothing
    mounted below it, /proc/cmdline as in the installer. With --nochroot it finds the installer as
    %pre left it, and the tree at /mnt/sysimage and /mnt/sysroot.
    Raises InputError with the script's file and line, HostError for one that takes too long.
    """
    scripts = setting.scripts
    if not scripts:
        return
    with script_disk(setting.layout, setting.scratch) as (disk, device):
        beside = _installer(setting, device, tree.root)
        inside = _inside(tree, setting, device)

        def start(script: Script) -> None:
            _say_start(setting, script)
            run_script(inside.sandbox if script.in_chroot else beside, script, _say(setting))

        _all(scripts, start, setting, beside)
        paths = Root(setting.scratch).read(f"/{_RECORD}", _RECORD_BYTES).split(b"\0")
        labels.save_set_by_hand(inside, paths, setting.results)
    save_changes(disk, setting.results, scripts[-1].where)


def run_pre_install(root: Path, setting: Setting) -> None:
    """Run every %pre-install script with an empty tree at /mnt/sysimage.

    What they write there lies below what the packages install, as it would in an installation.
    The installer's folders are kept with it, for later --nochroot scripts.
    """
    with script_disk(setting.layout, setting.scratch) as (disk, device):
        found = _installer(setting, device, root, setting.results / ROOT)

        def start(script: Script) -> None:
            _say_start(setting, script)
            run_script(found, script, _say(setting))

        scripts = setting.scripts
        _all(scripts, start, setting, found)
    check_depth(Root(setting.results / ROOT), "%pre-install")
    save_changes(disk, setting.results, scripts[-1].where)


def run_after_failure(setting: Setting) -> None:
    """Run the %onerror scripts because another step failed: there is no tree to show them."""
    scripts = setting.on_error
    if not scripts:
        return
    with script_disk(setting.layout, setting.scratch) as (_, device):
        beside = _installer(setting, device, None)
        run_onerror(beside, scripts, _say(setting))


def _all(
    scripts: Sequence[Script], start: Callable[[Script], None], setting: Setting, beside: Sandbox,
) -> None:
    try:
        for script in scripts:
            start(script)
    except CcisError as error:
        vars(error)[_HAS_RUN] = True
        run_onerror(beside, setting.on_error, _say(setting))
        raise


def has_run_onerror(error: CcisError) -> bool:
    """Say whether the %onerror scripts have been run because of an error."""
    return _HAS_RUN in vars(error) or (
        isinstance(error.__cause__, CcisError) and has_run_onerror(error.__cause__))


def _installer(
    setting: Setting, device: Path, tree: Path | None, root: Path | None = None,
) -> Sandbox:
    """Make the installer's environment from what %pre left; the store's copy stays as it is."""
    own = root or setting.scratch / "installer"
    if setting.before:
        copy_tree(Root(setting.before), own)
    else:
        own.mkdir()
        installer.prepare(own)
    found = installer.environment(
        own, device, setting.layout.disk_size_bytes, setting.arguments, tree,
        bounds=setting.bounds, counted=_counted(setting, tree))
    if tree is None:
        return found
    return replace(found, files=_kernel_files(setting), programs={
        **found.programs, **installer.programs(layout_shims(setting.layout, SYSIMAGE))})


def _counted(setting: Setting, tree: Path | None) -> Sequence[Path]:
    return setting.counted or ((tree,) if tree else ())


def _inside(tree: Tree, setting: Setting, device: Path) -> Tree:
    """Return the tree with everything in sight that a script in it finds."""
    layout = setting.layout
    record = setting.scratch / _RECORD
    record.touch()
    programs = shims(tree, bios_script(layout),
                     {**answering_programs(layout), **layout_shims(layout)})
    return replace(tree, sandbox=replace(
        tree.sandbox, programs={**tree.sandbox.programs, **programs}, path=FOLDER,
        links={**tree.sandbox.links, **device_links(layout)}, terminals=True,
        writable={CHCON_RECORD: record}, devices=dict.fromkeys(DISK_NAMES, device),
        environment=ENVIRONMENT, largest_file_bytes=layout.disk_size_bytes,
        files=_kernel_files(setting), bounds=setting.bounds,
        counted=_counted(setting, tree.root),
    ))


def _kernel_files(setting: Setting) -> dict[str, str]:
    own = installer.kernel_files(setting.layout.disk_size_bytes, setting.arguments)
    return {**own, **kernel_tables(setting.layout)}


def _say(setting: Setting) -> Callable[[str], None]:
    return progress_say(setting.progress)


def _say_start(setting: Setting, script: Script) -> None:
    if setting.progress:
        step = "pre-install" if script.kind == "%pre-install" else "scripts"
        setting.progress.advance(step, 0, f"{script.kind} at {script.where}")
