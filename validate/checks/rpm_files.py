"""Proofs that files are as their packages have them, and that there are no others."""

from __future__ import annotations

import stat
from collections.abc import Iterator

from specs.globs import compiled
from specs.kinds.rpm import FilesOwned, LicenceTexts, RpmConfig, RpmFiles, RpmSetuid
from validate.listing import Node
from validate.registry import Finding, proves, verdict
from validate.rpmdb import CONFIG, DOC, GHOST, LICENSE, SHA256, Installed, Packaged
from validate.view import View
from validate.xattrs import CAPABILITY, capabilities, parse_caps

_NORMAL = (0, -1)
"""States of files that were installed (RPMFILE_STATE_NORMAL; 2, 3: left out)."""
_NO_DIGEST, _NO_SIZE, _NO_LINK, _NO_USER, _NO_GROUP, _NO_MODE = 1, 2, 4, 8, 16, 64
"""Bits of the verify flags: set when the package wants that to be compared (rpmvf.h)."""


@proves(RpmFiles)
def rpm_files(check: RpmFiles, view: View) -> Finding:
    """Compare all files that are no configuration with their headers."""
    chosen = [(package, one) for package, one in _files(view)
              if not one.flags & (CONFIG | GHOST) and not _among(one.path, check.allow)
              and (not check.below or _among(one.path, check.below))]
    wrong = _differences(view, chosen, set(check.only))
    return verdict(wrong, f"{len(chosen)} files as packaged", "files as their packages have them")


@proves(RpmConfig)
def rpm_config(check: RpmConfig, view: View) -> Finding:
    """Compare configuration files, content and rights."""
    chosen = [(package, one) for package, one in _files(view)
              if one.flags & CONFIG and not one.flags & GHOST
              and not _among(one.path, check.allow)]
    wrong = _differences(view, chosen, set())
    return verdict(wrong, f"{len(chosen)} configuration files as packaged",
                   "configuration files as packaged")


@proves(RpmSetuid)
def rpm_setuid(check: RpmSetuid, view: View) -> Finding:
    """Look up each setuid or setgid file among the packaged ones."""
    owned = {_real(view, one.path): one for _, one in _files(view)}
    wrong, seen = [], 0
    for entry in view.tree:
        if not entry.is_file or not entry.mode & (stat.S_ISUID | stat.S_ISGID):
            continue
        seen += 1
        packaged = owned.get(entry.path)
        if packaged is None:
            wrong.append(f"{entry.path} ({entry.permissions}) is of no package")
        elif stat.S_IMODE(packaged.mode) != stat.S_IMODE(entry.mode):
            wrong.append(f"{entry.path} ({entry.permissions}) is packaged as "
                         f"{stat.S_IMODE(packaged.mode):04o}")
    return verdict(wrong, f"{seen}, as packaged", "rights that a package gives")


@proves(LicenceTexts)
def licence_texts(check: LicenceTexts, view: View) -> Finding:
    """Look for the files that packages mark as licences."""
    texts = [one for _, one in _files(view, left_out=True) if one.flags & LICENSE]
    wrong = [one.path for one in texts if view.tree.get(_real(view, one.path)) is None]
    return verdict([f"{path} is not there" for path in wrong], f"{len(texts)} texts",
                   "the licence texts of all packages")


@proves(FilesOwned)
def files_owned(check: FilesOwned, view: View) -> Finding:
    """Look for files that no package knows; folders count only where they are links or empty."""
    owned = {_real(view, one.path) for _, one in _files(view, left_out=True)}
    patterns = [compiled(pattern) for pattern in check.below]
    allowed = [compiled(pattern) for pattern in check.allow]
    wrong = [
        entry.path for entry in view.tree
        if not entry.is_folder and entry.path not in owned
        and any(pattern.match(entry.path) for pattern in patterns)
        and not any(pattern.match(entry.path) for pattern in allowed)
    ]
    return verdict(wrong, "every file is of a package or listed", "files of packages only")


def _files(view: View, *, left_out: bool = False) -> Iterator[tuple[Installed, Packaged]]:
    """Yield each packaged file; left_out: also those that were not installed on purpose."""
    for package in view.packages:
        for one in package.files:
            if left_out or one.state in _NORMAL:
                yield package, one


def _among(path: str, patterns: tuple[str, ...]) -> bool:
    return any(compiled(pattern).match(path) for pattern in patterns)


def _real(view: View, path: str) -> str:
    """Return a packaged path with the links on its way followed, not the last part (usr-merge)."""
    if view.tree.get(path) is not None:
        return path
    above, _, name = path.rpartition("/")
    folder = view.tree.resolve(above or "/")
    return f"{folder.path.rstrip('/')}/{name}" if folder is not None else path


def _differences(
    view: View, chosen: list[tuple[Installed, Packaged]], only: set[str],
) -> list[str]:
    every = not only
    wrong: list[str] = []
    compared: dict[str, str] = {}
    for package, one in chosen:
        entry = view.tree.get(_real(view, one.path))
        if entry is None:
            if (every or "missing" in only) and not one.flags & DOC:
                wrong.append(f"{one.path} is not there")
            continue
        if fault := _fault(entry, one, only):
            wrong.append(f"{one.path}: {fault}")
        elif (every or "content" in only) and entry.is_file and one.digest \
                and package.digest_algorithm == SHA256 and one.verify & _NO_DIGEST:
            compared[entry.path] = one.digest
    if compared:
        found = view.sha256(compared)
        wrong += [f"{path}: its content is another" for path, digest in compared.items()
                  if found.get(path, digest) != digest]
    if every and view.list_xattrs is not None:
        wrong += _capabilities(view, chosen)
    return sorted(wrong)


def _fault(entry: Node, one: Packaged, only: set[str]) -> str | None:
    every = not only
    if stat.S_IFMT(entry.mode) != stat.S_IFMT(one.mode):
        return "it is of another kind"
    if (every or "link" in only) and entry.is_link and one.verify & _NO_LINK \
            and entry.target != one.target:
        return f"a link to {entry.target}, not {one.target}"
    if entry.is_link:
        return None
    mode = stat.S_IMODE(one.mode)
    if (every or "mode" in only) and one.verify & _NO_MODE \
            and stat.S_IMODE(entry.mode) != mode:
        return f"mode {entry.permissions}, not {mode:04o}"
    if (every or "content" in only) and entry.is_file and one.verify & _NO_SIZE \
            and entry.size_bytes != one.size_bytes:
        return f"{entry.size_bytes} bytes, not {one.size_bytes}"
    if every or "owner" in only:
        for name, number in ((one.user, entry.uid), (one.group, entry.gid)):
            if name == "root" and number != 0:
                return f"owner {entry.uid}:{entry.gid}, not {one.user}:{one.group}"
    return None


def _capabilities(view: View, chosen: list[tuple[Installed, Packaged]]) -> list[str]:
    wrong = []
    for _, one in chosen:
        if not stat.S_ISREG(one.mode):
            continue
        path = _real(view, one.path)
        value = view.xattrs.get(path, {}).get(CAPABILITY)
        found = capabilities(value) if value is not None else None
        wanted = parse_caps(one.caps)
        if found != wanted and view.tree.get(path) is not None:
            wrong.append(f"{path}: its capabilities are not {one.caps or 'none'}")
    return wrong
