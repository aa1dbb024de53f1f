"""Checks one release folder: its signatures, its two lists, each file in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from securesystemslib.signer import Key

from host.progress import Progress
from publish import checksums, provenance
from publish.agree import compare
from publish.checksums import MAX_SUM_BYTES, Sum
from publish.folder import FolderFile, UnusableError
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
from publish.report import Finding, Verification
from publish.sign import MAX_KEY_BYTES
from publish.source import ReadFolder, Source
from publish.trust import Keyring, SignatureError, keyring

MAX_SIGNED_BYTES = 64 << 20


@dataclass
class FolderCheck:
    """The check of a folder. vouched: its index, as the chain of trust has it; None: no chain.

    keys: those of the chain that sign provenance. payload: read the artefacts, too.
    """

    source: Source
    path: str
    folder: ReadFolder
    report: Verification
    progress: Progress
    vouched: Index | None = None
    keys: Sequence[Key] = ()
    payload: bool = True
    others: dict[str, str] = field(default_factory=dict)

    def find(self, name: str, problem: str) -> None:
        """Report what is not as it must be."""
        self.report.findings.append(Finding(str(Path(self.path, name)), problem))

    def _find_missing(self, name: str) -> None:
        if name not in self.others:  # a link or folder of that name is reported as such
            self.find(name, "it is missing")

    def check(self, own: Keyring | None, pinned: str | None) -> set[str]:
        """Check everything; return the fingerprints of the keys that the folder is held to.

        own, pinned: the keys, or the one key, that its reader trusts.
        """
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
        if self.vouched is not None and index is not None:
            self._compare_with_chain(index, self.vouched)
        if index is not None and index.path != self.path:
            self.find(INDEX, f"it is the index of another folder, {index.path}")
        for name, problem in compare(index, sums):
            self.find(name, problem)
        self._check_files(files, sums, index)
        if index is not None and self.vouched is not None:
            self._check_provenance(index, files)
        return used

    def _read(self, name: str, files: dict[str, FolderFile], limit_bytes: int) -> bytes | None:
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
                with self.source.folder(KEYS, lambda: {name}) as keys:
                    content = keys.read(name, MAX_KEY_BYTES)
                found = stack.enter_context(keyring(content, fingerprint))
            except (UnusableError, SignatureError) as error:
                problem = f"the key that {self.path} should be signed with: {error}"
                self.report.findings.append(Finding(f"{KEYS}/{name}", problem))
            yield found

    def _compare_with_chain(self, index: Index, vouched: Index) -> None:
        """See that the folder's index is the one that TUF vouches for, or a newer signed one.

        A publisher that was killed leaves a newer one: its next run brings the chain after it.
        """
        if index == vouched:
            return
        signed = not any(finding.file.endswith((f"/{INDEX}", f"/{INDEX_SIGNATURE}"))
                         for finding in self.report.findings)
        if index.revision > vouched.revision and signed:
            self.report.notes.append(f"{self.path}: revision {index.revision} is signed, and not "
                                     f"yet in the chain of trust, which has {vouched.revision}")
        else:
            self.find(INDEX, f"it is not what the chain of trust vouches for: revision "
                             f"{index.revision}, not {vouched.revision}")

    def _check_index_signature(
        self, text: bytes, files: dict[str, FolderFile], trusted: Keyring | None,
    ) -> None:
        signature = self._read(INDEX_SIGNATURE, files, MAX_KEY_BYTES)
        if signature is None:
            return
        try:
            if trusted is not None:
                trusted.detached(text, signature)
        except SignatureError as error:
            self.find(INDEX_SIGNATURE, f"it does not prove {INDEX}: {error}")

    def _checksums(self, files: dict[str, FolderFile], trusted: Keyring | None) -> dict[str, Sum]:
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

    def _check_provenance(self, index: Index, files: dict[str, FolderFile]) -> None:
        for build in index.builds:
            about = build.provenance
            if about is None or about.file not in files:
                continue  # a missing one is reported as such
            content = self._read(about.file, files, MAX_SIGNED_BYTES)
            try:
                if content is not None:
                    provenance.check(content, build, self.keys)
            except ValueError as error:
                self.find(about.file, str(error))

    def _check_files(
        self, files: dict[str, FolderFile], sums: dict[str, Sum], index: Index | None,
    ) -> None:
        with_sum = {INDEX, CHECKSUM, INDEX_SIGNATURE}
        if index is not None:
            with_sum |= {document.file for build in index.builds for document in build.documents}
        beside = {name + SUM_SUFFIX: name for name in sums if name not in with_sum}
        for name in sorted(set(files) - set(sums) - set(beside) - {CHECKSUM, INDEX_SIGNATURE}):
            self.find(name, "it is not part of the release")
        for name in sorted(set(sums) - set(files) - {INDEX}):
            self._find_missing(name)
        for name, about in beside.items():
            found = self._read(name, files, MAX_SUM_BYTES)
            if found is not None and found != checksums.render({about: sums[about]}).encode():
                self.find(name, f"it does not say what {CHECKSUM} says")
        whole: list[FolderFile] = []
        for name in sorted(set(sums) & set(files)):
            if files[name].size_bytes == sums[name].size_bytes:
                whole.append(files[name])
            else:
                self.find(name, f"it has {files[name].size_bytes} bytes, "
                                f"not {sums[name].size_bytes}")
        if not self.payload:
            whole = [entry for entry in whole if entry.name in with_sum]
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
