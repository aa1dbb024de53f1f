"""A target's packages: those that the shared tree lacks, installed on top of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from builder.packages.choice import Choice
from builder.packages.dnf_process import ask_dnf
from builder.packages.near import rpm_files
from builder.packages.requirement import Requirement
from builder.packages.selection import Selection
from builder.packages.vouching import verify_packages
from builder.sandbox.places import check_kernel_folders
from builder.store.store import Store
from host.progress import Progress
from images.bounds import Bounds


def selection_on_top(
    selection: Selection, choices: Sequence[Choice], names: Sequence[str], where: str,
) -> Selection:
    """Return the wish for a target's packages beside those that were chosen without it.

    What was chosen stays as it is, build for build, so that the tree below can be shared.
    names: of packages, as a layer lists them. where: the target's file, for errors.
    """
    remedy = "correct `layer: packages:` of the target, or build a release that has it"
    wanted = [Requirement((name,), "the target's layer asks for it", where=where, remedy=remedy)
              for name in names]
    pinned = [{key: getattr(choice.record, key)
               for key in ("name", "epoch", "version", "release", "arch")} for choice in choices]
    return replace(selection, requirements=(*selection.requirements, *wanted), pinned=pinned)


def install_on_top(
    selection: Selection, extra: Sequence[Choice], root: Path, store: Store, epoch: int,
    progress: Progress, bounds: Bounds | None = None, counted: Sequence[Path] = (),
) -> list[str]:
    """Install packages into a tree that has its own and return what scriptlets complained of.

    selection, extra: of selection_on_top() and builder.choosing.resolve_on_top(). root: a view that
    can be written. bounds, counted: of ask_dnf().
    Digest and signature of each RPM are checked first, with its repository's key, while dnf starts.
    Raises RemoteError for a bad one; InputError, before anything is changed, when the tree has
    no longer what the plan relies on, because a script removed a package that these need.
    """
    files = rpm_files(selection, extra, store, progress)
    answer = ask_dnf(
        "add", selection, store, progress=progress, root=root, epoch=epoch,
        expected=[choice.as_dnf_says() for choice in extra], bounds=bounds, counted=counted,
        check=lambda: verify_packages(selection, extra, files),
    )
    check_kernel_folders(root, "the targets' packages")
    return [str(problem) for problem in answer["problems"]]
