"""Verifies a release tree as a reader would who trusts a key and nothing else.

By default the key is the one that the tree itself publishes: that proves that the tree is whole
and of one hand, not whose hand it is (trust on first use). A key or fingerprint pins the hand.

A tree with a chain of trust (publish/chain) is followed from its first root, which pins everything
below it, and says of each folder how new it is: an older state that was signed once is found.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from host.errors import InputError
from host.progress import Progress, Silent
from publish import check_folder, indexes
from publish.chain.client import Chain, ChainError, first_root, follow, state_folder
from publish.chain.files import check_files
from publish.chain.names import FOLDER as CHAIN
from publish.check_folder import FolderCheck
from publish.folder import Layout, UnusableError, release_folders
from publish.model import CHECKSUM, INDEX, KEYS, Index, IndexProblem, names_of, parse_index
from publish.report import Finding, Verification
from publish.sign import MAX_KEY_BYTES
from publish.source import HttpTree, LocalTree
from publish.trust import Keyring, SignatureError, keyring, keyring_of_file
from publish.verify_one import verify_artefact
from publish.views import check_views

_TRIES = 6
_PAUSE_S = 0.1


@dataclass(frozen=True)
class Wish:
    """How a tree is verified.

    key: a file with the public keys to trust. fingerprint: trust this key alone; without `key` it
    is looked for in the tree. root_key: the first root's metadata, or the public key of one of its
    keys: begin the chain of trust with it. state: where is remembered what was seen of the tree;
    None: where this host keeps such things. payload: read the artefacts, too. artefact: nothing but
    this one, by its name; that takes a chain of trust.
    """

    key: Path | None = None
    fingerprint: str | None = None
    root_key: Path | None = None
    state: Path | None = None
    payload: bool = True
    artefact: str | None = None


def verify(
    root: Path | str, key: Path | None = None, fingerprint: str | None = None,
    progress: Progress | None = None, *, wish: Wish | None = None,
) -> Verification:
    """Check every signature, size and checksum of a release tree, and that nothing is odd in it.

    root: its folder, or its URL. key, fingerprint: short for those of a wish.
    Raises InputError when it is no release tree, or a key no key.
    """
    wish = wish or Wish(key, fingerprint)
    text = str(root)
    tree = (HttpTree(text.rstrip("/")) if text.startswith(("http://", "https://"))
            else LocalTree(Path(text)))
    if isinstance(tree, LocalTree) and not tree.root.is_dir():
        raise InputError("is not a folder", where=text,
                         remedy="give the root of a release tree, as in `ccis verify public`")
    pinned = wish.fingerprint.replace(" ", "").upper() if wish.fingerprint else None
    known = wish.key or pinned or wish.root_key
    report = Verification(Path(text), "pinned" if known else "first-use")
    layout = (release_folders(tree.root, (CHECKSUM, INDEX)) if isinstance(tree, LocalTree)
              else Layout())
    chained = f"{CHAIN}/timestamp.json" in layout.strays or isinstance(tree, HttpTree)
    chain, bootstrap = None, b""
    if chained or wish.root_key or any(path.startswith(f"{CHAIN}/") for path in layout.strays):
        chain, bootstrap = _chain(tree, wish, report)
    if wish.artefact is not None:
        if chain is not None:
            verify_artefact(tree, chain, wish.artefact, report, progress or Silent())
        elif not report.findings:
            raise InputError("has no chain of trust, without which one file can't be verified",
                             where=text, remedy="verify the whole tree, without --artefact")
        return report
    if isinstance(tree, LocalTree):
        _look_at_layout(tree, layout, report)
        _check_chain_files(tree, wish, chain, bootstrap, report)
    paths = sorted({*layout.folders, *(chain.indexes if chain else ())})
    if not paths and not report.findings:
        raise InputError("is not a release tree", where=text,
                         why=f"no folder in it has a {CHECKSUM} or {INDEX}")
    used: set[str] = set()
    with ExitStack() as stack:
        own = stack.enter_context(keyring_of_file(wish.key, pinned)) if wish.key else None
        for path in paths:
            task = _Task(tree, path, own, pinned, chain, wish.payload, progress or Silent())
            used |= task.run(report)
    _check_indexes(tree, wish, paths, chain, bootstrap, report)
    report.folders = paths
    report.fingerprints = sorted(used)
    _check_keys(tree, used, report)
    report.findings.sort()
    return report


def _chain(
    tree: LocalTree | HttpTree, wish: Wish, report: Verification,
) -> tuple[Chain | None, bytes]:
    """Return the chain and the root that it begins with, or None after a finding."""
    try:
        bootstrap = first_root(tree, wish.root_key)
        state = wish.state or state_folder(tree, bootstrap)
        try:
            chain = follow(tree, bootstrap, state)
        except ChainError:  # the root may have been changed between two of its files
            time.sleep(_PAUSE_S)
            chain = follow(tree, bootstrap, state)
    except ChainError as error:
        if isinstance(tree, HttpTree) and error.file == f"{CHAIN}/1.root.json" \
                and wish.root_key is None and "missing" in str(error):
            raise InputError(
                "has no chain of trust, without which a tree can't be verified from afar",
                where=tree.name, why=f"{error.file}: {error}",
                remedy="fetch it, and verify the copy with --fingerprint") from error
        report.findings.append(Finding(error.file, str(error)))
        return None, b""
    report.chain = {"root": chain.root.version, "timestamp": chain.timestamp.version,
                    "expires": chain.timestamp.expires.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return chain, bootstrap


def _look_at_layout(tree: LocalTree, layout: Layout, report: Verification) -> None:
    """Report what lies where nothing belongs; keys and the chain's files are looked at one by one.
    """
    for path, problem in (layout.odd | layout.strays).items():
        apart = Path(path).parts[0] in indexes.folders() and path in layout.strays
        is_key = Path(path).parent == Path(KEYS) or apart
        if not is_key and not (path in layout.strays and path.startswith(f"{CHAIN}/")):
            report.findings.append(Finding(path, problem))


def _check_chain_files(
    tree: LocalTree, wish: Wish, chain: Chain | None, bootstrap: bytes, report: Verification,
) -> None:
    """Look at each file of tuf/, once more should somebody publish meanwhile."""
    found: list[tuple[str, str]] = []
    for remaining in reversed(range(_TRIES)):
        mine = [path for path in release_folders(tree.root, (CHECKSUM, INDEX)).strays
                if path.startswith(f"{CHAIN}/")]
        before, found = found, list(check_files(tree, mine, chain, bootstrap))
        if not (found and remaining) or found == before:
            break
        time.sleep(_PAUSE_S)
        with suppress(ChainError):
            chain = follow(tree, bootstrap, wish.state or state_folder(tree, bootstrap))
    report.findings += [Finding(*each) for each in found]


def _check_indexes(
    tree: LocalTree | HttpTree, wish: Wish, paths: list[str], chain: Chain | None,
    bootstrap: bytes, report: Verification,
) -> None:
    """Make the indexes for other tools again and compare, once more should somebody publish."""
    outcomes: list[tuple[dict[str, Index], dict[str, str]]] = []
    for remaining in reversed(range(_TRIES)):
        served: dict[str, Index] = {}
        for path in paths:  # whoever checks the folder reports what can't be read
            with suppress(UnusableError, IndexProblem), tree.folder(path, set) as folder:
                served[path] = parse_index(folder.read(INDEX, check_folder.MAX_SIGNED_BYTES))
        wrong, late = check_views(tree, served, chain.indexes if chain else {})
        outcomes.append((served, wrong))
        # Three times the same: nobody is at work, it is wrong.
        if not (wrong and remaining) or outcomes[-3:] == [outcomes[-1]] * 3:
            break
        time.sleep(_PAUSE_S)
        if chain is not None:
            with suppress(ChainError):
                chain = follow(tree, bootstrap, wish.state or state_folder(tree, bootstrap))
    report.findings += [Finding(path, problem) for path, problem in wrong.items()]
    report.notes += late


@dataclass(frozen=True)
class _Task:
    """The verification of one folder."""

    tree: LocalTree | HttpTree
    path: str
    own: Keyring | None
    pinned: str | None
    chain: Chain | None
    payload: bool
    progress: Progress

    def run(self, report: Verification) -> set[str]:
        """Verify it, again should it be exchanged meanwhile; return the keys it is held to."""
        vouched = self.chain.indexes.get(self.path) if self.chain else None
        pinned = self.pinned
        if self.chain is not None and vouched is None:
            report.findings.append(Finding(self.path, "the chain of trust knows no such folder"))
        if vouched is not None and pinned is None and self.own is None:
            pinned = vouched.signing_key

        def names() -> set[str]:
            return names_of(vouched) if vouched else set()

        for remaining in reversed(range(_TRIES)):
            attempt = Verification(report.root, report.trust)
            used: set[str] = set()
            try:
                with self.tree.folder(self.path, names) as folder:
                    used = FolderCheck(self.tree, self.path, folder, attempt, self.progress,
                                       vouched, self.chain.signers if self.chain else (),
                                       self.payload).check(self.own, pinned)
                    with self.tree.folder(self.path, names) as again:
                        if again.inode != folder.inode and remaining:
                            continue
            except UnusableError as error:
                if remaining:  # between the two halves of somebody's exchange, or truly gone
                    continue
                attempt.findings.append(Finding(self.path, str(error)))
            break
        report.findings += attempt.findings
        report.notes += attempt.notes
        report.files += attempt.files
        report.bytes_hashed += attempt.bytes_hashed
        return used


def _check_keys(tree: LocalTree | HttpTree, used: set[str], report: Verification) -> None:
    try:
        with tree.folder(KEYS, lambda: {f"{each}.asc" for each in used}) as keys:
            files, others = keys.entries()
    except UnusableError as error:
        if report.trust == "first-use":
            report.findings.append(Finding(KEYS, str(error)))
        return
    for name, problem in others.items():
        report.findings.append(Finding(f"{KEYS}/{name}", problem))
    known = {f"{fingerprint}.asc": fingerprint for fingerprint in used}
    named = {finding.file for finding in report.findings}
    for name in sorted(files):
        path = f"{KEYS}/{name}"
        if path in named:
            continue
        if name not in known:
            report.findings.append(Finding(path, "no folder is signed with it"))
            continue
        try:
            with tree.folder(KEYS, lambda: {f"{each}.asc" for each in used}) as keys:
                content = keys.read(name, MAX_KEY_BYTES)
            with keyring(content, known[name]):
                pass
        except (UnusableError, SignatureError) as error:
            report.findings.append(Finding(path, str(error)))
