"""Verifies one artefact of a tree, from a first root to its last byte, and reads nothing else."""

from __future__ import annotations

import hashlib

from tuf.api.metadata import TargetFile

from host.errors import InputError
from host.progress import Progress
from publish.chain.client import Chain
from publish.folder import UnusableError
from publish.report import Finding, Verification
from publish.source import HttpTree, LocalTree

_STEP = "verify"


def verify_artefact(
    tree: LocalTree | HttpTree, chain: Chain, name: str, report: Verification, progress: Progress,
) -> None:
    """Read one file and compare it with what the chain of trust says of it.

    name: of the file, or one of its names in a channel; with its folder where several have it.
    Raises InputError when the chain knows no such file, or several.
    """
    path, target = _found(chain, name)
    asked = path if path.endswith(name) else f"{path.rpartition('/')[0]}/{name.rpartition('/')[2]}"
    progress.start(_STEP, target.length, "bytes")
    digest, done_bytes = hashlib.sha256(), 0
    try:
        for piece in tree.stream(asked):
            digest.update(piece)
            done_bytes += len(piece)
            progress.advance(_STEP, done_bytes, asked)
            if done_bytes > target.length:
                break
    except UnusableError as error:
        report.findings.append(Finding(asked, str(error)))
        return
    finally:
        progress.finish(_STEP)
    report.files, report.bytes_hashed = 1, done_bytes
    if done_bytes != target.length:
        more = " or more" if done_bytes > target.length else ""
        report.findings.append(
            Finding(asked, f"it has {done_bytes}{more} bytes, not {target.length}"))
    elif digest.hexdigest() != target.hashes["sha256"]:
        report.findings.append(Finding(
            asked, f"its content has changed: SHA-256 {digest.hexdigest()}, not "
            f"{target.hashes['sha256']}"))


def _found(chain: Chain, name: str) -> tuple[str, TargetFile]:
    def has(path: str, target: TargetFile) -> bool:
        folder = path.rpartition("/")[0]
        about = target.unrecognized_fields.get("custom") or {}
        names = [path, *(f"{folder}/{alias}" for alias in about.get("aliases", []))]
        return any(each == name or each.endswith(f"/{name}") for each in names)

    found = [(path, target) for path, target in chain.targets.items() if has(path, target)]
    if len(found) != 1:
        raise InputError(f"the chain of trust knows {len(found)} files of that name",
                         where=f"--artefact {name}",
                         remedy="give its folder, too: " + ", ".join(path for path, _ in found[:5])
                         if found else "index.json lists what there is")
    return found[0]
