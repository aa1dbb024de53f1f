"""Proofs on programs: EFI's signatures, and the libraries that Linux's need."""

from __future__ import annotations

import posixpath

from host.errors import InputError
from specs.globs import compiled
from specs.kinds.kernel import EfiProgram
from specs.kinds.walk import LibrariesFound
from validate import elf, pe
from validate.registry import Finding, proves, verdict
from validate.view import View

_PROGRAM_BYTES_MAX = 128 << 20
_FOLDERS = ("/usr/lib64", "/usr/lib", "/lib64", "/lib", "/usr/lib/x86_64-linux-gnu")
_ELF_BYTES_MAX = 64 << 20


@proves(EfiProgram)
def efi_program(check: EfiProgram, view: View) -> Finding:
    """Open each as PE."""
    wrong, good = [], []
    for glob in check.paths:
        found = [end for one in view.tree.find(glob) if (end := view.follow(one)) and end.is_file]
        if not found:
            wrong.append(f"{glob} is not there")
        for one in found:
            if one.size_bytes > _PROGRAM_BYTES_MAX:
                wrong.append(f"{one.path} has {one.size_bytes} bytes")
                continue
            try:
                program = pe.parse(view.read(one.path, one.size_bytes))
            except InputError as error:
                wrong.append(f"{one.path} {error.what}")
                continue
            wrong += [f"{one.path} {fault}" for fault in _faults(check, program, view.arch)]
            good.append(f"{one.path}: {', '.join(program.signers) or program.machine}")
    expected = "an EFI program" + (f", signed by {' or '.join(check.signers)}"
                                   if check.signers else "")
    return verdict(wrong, "; ".join(good), expected)


def _faults(check: EfiProgram, program: pe.Program, arch: str) -> list[str]:
    wrong = []
    if program.machine != arch:
        wrong.append(f"is for {program.machine}")
    if (check.signed or check.signers) and not program.signed:
        wrong.append("is not signed")
    elif check.signers and not any(name.startswith(signer) for name in program.signers
                                   for signer in check.signers):
        wrong.append(f"is signed by {', '.join(program.signers)}")
    for name, least in check.sbat.items():
        if program.sbat.get(name, 0) < least:
            wrong.append(f"has SBAT {name} {program.sbat.get(name, 0)}, not {least}")
    return wrong


@proves(LibrariesFound)
def libraries_found(check: LibrariesFound, view: View) -> Finding:
    """Look up every needed name in the folders that the dynamic linker searches, and beside it."""
    names = {posixpath.basename(one.path) for one in view.tree if ".so" in one.path
             and (one.is_file or (one.is_link and view.tree.resolve(one.path)))}
    wrong, seen = [], 0
    for one in view.tree:
        if not one.is_file or not any(compiled(glob).match(one.path) for glob in check.below) \
                or not elf.HEAD_BYTES < one.size_bytes <= _ELF_BYTES_MAX:
            continue
        if not one.mode & 0o111 and ".so" not in one.path:
            continue
        if view.read(one.path, 4) != b"\x7fELF":
            continue
        linked = elf.parse(view.read(one.path, one.size_bytes))
        if linked is None:
            continue
        seen += 1
        wrong += [f"{one.path} needs {name}" for name in linked.needed
                  if posixpath.basename(name) not in names and name not in check.allow]
        if linked.interpreter and view.tree.resolve(linked.interpreter) is None:
            wrong.append(f"{one.path} needs {linked.interpreter}")
    return verdict(wrong, f"{seen} programs and libraries", "every library that is needed")
