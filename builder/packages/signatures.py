"""Digests and signatures of RPM files, checked with one key and no other (rpmkeys(8)).

rpm is told everything that decides: its keys come from a folder with that one key in it, not from
a database (_keyring fs), its macros from rpm's own file alone, not from /etc/rpm or a home. It
sees the packages by names of ours, so that none can be called like a line of its answer.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from host.errors import HostError, RemoteError, from_os_error
from host.files import read_regular
from host.openpgp import PublicKey, only_key
from host.run import run

_KEY_BYTES_MAX = 1 << 20
_MACROS = "/usr/lib/rpm/macros"
# _pkgverify_level all: a signature and digests over header and payload, or it is no good;
# the flags say what not to look at, so 0 leaves nothing out (macros.in of rpm).
_SETTINGS = {
    "_keyring": "fs", "_pkgverify_level": "all", "_pkgverify_flags": "0x0", "__vsflags": "0x0",
    "_vsflags_verify": "0x0",
}
_LINE = re.compile(r"(?P<what>[A-Z][^:]*?)(?:, key ID (?P<key>[0-9a-f]+))?: (?P<says>[A-Z]+)")
_SIGNATURE = re.compile(r"(?:Header )?V\d (?P<method>\w+/\w+) Signature")
_WEAK = ("SHA1", "MD5", "RIPEMD160")
_PAYLOAD = re.compile(r"Payload SHA(?:256|384|512) (?:ALT )?digest")


def verify_signatures(files: Sequence[Path], key: Path) -> None:
    """Check digest and signature of RPM files with one key and no other.

    Raises RemoteError that names the first bad file and what is wrong with it: unsigned, signed
    by another key or with a weak digest, changed, or no package at all. Raises HostError when
    this host can't check: that is no word about the packages.
    """
    if not files:
        return
    try:
        public = only_key(read_regular(key, _KEY_BYTES_MAX), str(key))
        with tempfile.TemporaryDirectory(prefix="ccis-rpmkeys-") as folder:
            said = _asked(files, public, Path(folder))
    except OSError as error:
        raise from_os_error(error, "checking the packages' signatures") from error
    for number, file in enumerate(files):
        lines = said.get(number, [])
        if not lines:
            raise _bad(file, "is no package that rpm can read")
        _judge(file, lines, public)


def _asked(files: Sequence[Path], public: PublicKey, folder: Path) -> dict[int, list[str]]:
    """Return what rpmkeys says of each file, by its number."""
    (folder / "keys").mkdir()
    (folder / "keys/trusted.key").write_text(public.armoured, encoding="ascii")
    for number, file in enumerate(files):
        (folder / f"{number}.rpm").symlink_to(file.absolute())
    settings = {**_SETTINGS, "_keyringpath": folder / "keys", "_dbpath": folder / "none"}
    defined = [word for name, value in settings.items()
               for word in ("--define", f"{name} {value}")]
    answer = run(
        ["rpmkeys", "--macros", _MACROS, *defined, "--checksig", "--verbose",
         *(f"{number}.rpm" for number in range(len(files)))],
        cwd=folder, check=False, log_stdout=False,
        env={"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "RPM_CONFIGDIR": "/usr/lib/rpm"})
    return dict(_by_file(answer.stdout))


def _by_file(text: str) -> Iterator[tuple[int, list[str]]]:
    number, lines = -1, list[str]()
    for line in text.splitlines():
        if found := re.fullmatch(r"(\d+)\.rpm:", line):
            if number >= 0:
                yield number, lines
            number, lines = int(found[1]), []
        elif line.startswith(" "):
            lines.append(line.strip())
    if number >= 0:
        yield number, lines


def _judge(file: Path, lines: Sequence[str], public: PublicKey) -> None:
    """Raise RemoteError unless a good signature by the key covers header and payload."""
    signed = whole = covered = False
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            raise _bad(file, line)
        what, says, key = found["what"], found["says"], found["key"] or ""
        signature = _SIGNATURE.fullmatch(what)
        if says == "NOTFOUND":
            continue
        if signature and says == "NOKEY":
            if any(known.lower().endswith(key) for known in public.key_ids):
                raise HostError("rpm does not take the key", where=str(file),
                                why=public.fingerprint,
                                remedy="see the log; the packages may be good")
            raise _bad(file, f"is signed by another key, {key.upper()}, not {public.fingerprint}")
        if says != "OK":
            raise _bad(file, f"its {what[0].lower()}{what[1:]} is wrong: it was changed or damaged")
        if signature:
            if signature["method"].rpartition("/")[2] in _WEAK:
                raise _bad(file, f"its signature rests on a weak digest, {signature['method']}")
            signed = True
            whole = whole or not what.startswith("Header")
        covered = covered or bool(_PAYLOAD.fullmatch(what))
    if not signed:
        raise _bad(file, "has no signature")
    if not (whole or covered):
        raise _bad(file, "its signature does not cover its content")


def _bad(file: Path, why: str) -> RemoteError:
    return RemoteError("the package's signature or digest is bad", where=str(file), why=why,
                       remedy="do not install it; check the mirror and the key")
