"""Verifies a release tree as a reader would who trusts a key and nothing else.

By default the key is the one that the tree itself publishes: that proves that the tree is whole
and of one hand, not whose hand it is (trust on first use). A key or fingerprint pins the hand.
An older state that was signed once is not told from the newest one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from host.errors import InputError
from host.progress import Progress, Silent
from publish import checksums
from publish.agree import compare
from publish.checksums import MAX_SUM_BYTES, Sum
from publish.folder import Entry, Folder, UnusableError, opened, release_folders
from publish.hashing import hash_all
from publish.model import (
    CHECKSUM,
    INDEX,
    INDEX_SIGNATURE,
    KEYS,
    SUM_SUFFIX,
    Index,
    IndexProblem,
    parse_index,
)
from publish.report import Finding, Report
from publish.sign import MAX_KEY_BYTES
from publish.trust import Keyring, SignatureError, keyring, keyring_of_file

MAX_SIGNED_BYTES = 64 << 20
_TRIES = 3


def verify(
    root: Path, key: Path | None = None, fingerprint: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check every signature, size and checksum of a release tree, and that nothing is odd in it.

    key: a file with the public keys to trust. fingerprint: trust this key alone; without `key` it
    is looked for in the tree. Raises InputError when `root` is no release tree, or `key` no key.
    """
    if not root.is_dir():
        raise InputError("is not a folder", where=str(root),
                         remedy="give the root of a release tree, as in `ccis verify public`")
    pinned = fingerprint.replace(" ", "").upper() if fingerprint else None
    report = Report(root, "pinned" if key or pinned else "first-use")
    layout = release_folders(root, (CHECKSUM, INDEX))
    paths = layout.folders
    report.findings += [Finding(path, problem)
                        for path, problem in (layout.odd | layout.strays).items()
                        if Path(path).parent != Path(KEYS)]  # these are looked at one by one
    if not paths:
        raise InputError("is not a release tree", where=str(root),
                         why=f"no folder in it has a {CHECKSUM} or {INDEX}")
    progress = progress or Silent()
    used: set[str] = set()
    with ExitStack() as stack:
        own = stack.enter_context(keyring_of_file(key, pinned)) if key else None
        for path in paths:
            used |= _verify_folder(root, path, own, pinned, report, progress)
    report.folders = paths
    report.fingerprints = sorted(used)
    _check_keys(root, used, report)
    report.findings.sort()
    return report


def _verify_folder(
    root: Path, path: str, own: Keyring | None, pinned: str | None, report: Report,
    progress: Progress,
) -> set[str]:
    """Verify one folder, again should it be exchanged meanwhile; return the keys it is held to."""
    for remaining in reversed(range(_TRIES)):
        attempt = Report(report.root, report.trust)
        used: set[str] = set()
        try:
            with opened(root, path) as folder:
                used = _Checker(root, path, folder, attempt, progress).check(own, pinned)
                with opened(root, path) as again:
                    if again.inode != folder.inode and remaining:
                        continue
        except UnusableError as error:
            if remaining:  # between the two halves of somebody's exchange, or truly gone
                continue
            attempt.findings.append(Finding(path, str(error)))
        break
    report.findings += attempt.findings
    report.files += attempt.files
    report.bytes_hashed += attempt.bytes_hashed
    return used


@dataclass
class _Checker:
    root: Path
    path: str
    folder: Folder
    report: Report
    progress: Progress
    others: dict[str, str] = field(default_factory=dict)

    def find(self, name: str, problem: str) -> None:
        self.report.findings.append(Finding(str(Path(self.path, name)), problem))

    def _find_missing(self, name: str) -> None:
        if name not in self.others:  # a link or folder of that name is reported as such
            self.find(name, "it is missing")

    def check(self, own: Keyring | None, pinned: str | None) -> set[str]:
        files, self.others = self.folder.entries()
        for name, problem in self.others.items():
            self.find(name, problem)
        index_text = self._read(INDEX, files, MAX_SIGNED_BYTES)
        index = self._parsed(index_text)
        with self._trusted(own, pinned, index) as trusted:
            if index_text is not None:
                self._check_index_signature(index_text, files, trusted)
            sums = self._checksums(files, trusted)
            used = set(trusted.fingerprints) if trusted else set()
        if index is not None and index.path != self.path:
            self.find(INDEX, f"it is the index of another folder, {index.path}")
        for name, problem in compare(index, sums):
            self.find(name, problem)
        self._check_files(files, sums, index)
        return used

    def _read(self, name: str, files: dict[str, Entry], limit_bytes: int) -> bytes | None:
        if name not in files:
            self._find_missing(name)
            return None
        try:
            return self.folder.read(name, limit_bytes)
        except UnusableError as error:
            self.find(name, str(error))
            return None

    def _parsed(self, text: bytes | None) -> Index | None:
        if text is None:
            return None
        try:
            return parse_index(text)
        except IndexProblem as error:
            self.find(INDEX, f"it is not a valid index: {error}")
            return None

    @contextmanager
    def _trusted(
        self, own: Keyring | None, pinned: str | None, index: Index | None,
    ) -> Iterator[Keyring | None]:
        """Yield the keyring for this folder, or None after a finding when there is none."""
        fingerprint = pinned or (index.signing_key if index else None)
        if own is not None or fingerprint is None:
            if own is None:
                self.find(CHECKSUM, f"no key is known to check it with: {INDEX} names none")
            yield own
            return
        name = f"{fingerprint}.asc"
        with ExitStack() as stack:
            found: Keyring | None = None
            try:
                with opened(self.root, KEYS) as keys:
                    content = keys.read(name, MAX_KEY_BYTES)
                found = stack.enter_context(keyring(content, fingerprint))
            except (UnusableError, SignatureError) as error:
                problem = f"the key that {self.path} should be signed with: {error}"
                self.report.findings.append(Finding(f"{KEYS}/{name}", problem))
            yield found

    def _check_index_signature(
        self, text: bytes, files: dict[str, Entry], trusted: Keyring | None,
    ) -> None:
        signature = self._read(INDEX_SIGNATURE, files, MAX_KEY_BYTES)
        if signature is None:
            return
        try:
            if trusted is not None:
                trusted.detached(text, signature)
        except SignatureError as error:
            self.find(INDEX_SIGNATURE, f"it does not prove {INDEX}: {error}")

    def _checksums(self, files: dict[str, Entry], trusted: Keyring | None) -> dict[str, Sum]:
        """Return the signed sums; where the signature fails, after a finding, what is claimed."""
        signed = self._read(CHECKSUM, files, MAX_SIGNED_BYTES)
        if signed is None:
            return {}
        try:
            text = trusted.clear_signed(signed) if trusted else _claimed(signed)
        except SignatureError as error:
            self.find(CHECKSUM, str(error))
            text = _claimed(signed)
        sums, problems = checksums.parse(text)
        for problem in problems[:20]:
            self.find(CHECKSUM, problem)
        return sums

    def _check_files(
        self, files: dict[str, Entry], sums: dict[str, Sum], index: Index | None,
    ) -> None:
        with_sum = {INDEX, CHECKSUM, INDEX_SIGNATURE}
        if index is not None:
            with_sum |= {build.record.file for build in index.builds}
        beside = {name + SUM_SUFFIX: name for name in sums if name not in with_sum}
        for name in sorted(set(files) - set(sums) - set(beside) - {CHECKSUM, INDEX_SIGNATURE}):
            self.find(name, "it is not part of the release")
        for name in sorted(set(sums) - set(files) - {INDEX}):
            self._find_missing(name)
        for name, about in beside.items():
            found = self._read(name, files, MAX_SUM_BYTES)
            if found is not None and found != checksums.render({about: sums[about]}).encode():
                self.find(name, f"it does not say what {CHECKSUM} says")
        whole: list[Entry] = []
        for name in sorted(set(sums) & set(files)):
            if files[name].size_bytes == sums[name].size_bytes:
                whole.append(files[name])
            else:
                self.find(name, f"it has {files[name].size_bytes} bytes, "
                                f"not {sums[name].size_bytes}")
        hashes = hash_all(self.folder, whole, f"verify {self.path}", self.progress)
        for name, outcome in hashes.items():
            if isinstance(outcome, UnusableError):
                self.find(name, str(outcome))
            elif outcome != sums[name].sha256:
                self.find(name, f"its content has changed: SHA-256 {outcome}, "
                                f"not {sums[name].sha256}")
        self.report.files += len(files)
        self.report.bytes_hashed += sum({entry.inode: entry.size_bytes for entry in whole}.values())


def _claimed(signed: bytes) -> str:
    """Return the lines of a text whose signature proves nothing, so that all else is checked."""
    text = signed.decode("utf-8", errors="replace")
    return "\n".join(line for line in text.partition("-----BEGIN PGP SIGNATURE-----")[0].split("\n")
                     if line.startswith(("# ", "SHA256 (")))


def _check_keys(root: Path, used: set[str], report: Report) -> None:
    try:
        with opened(root, KEYS) as keys:
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
            with opened(root, KEYS) as keys:
                content = keys.read(name, MAX_KEY_BYTES)
            with keyring(content, known[name]):
                pass
        except (UnusableError, SignatureError) as error:
            report.findings.append(Finding(path, str(error)))
