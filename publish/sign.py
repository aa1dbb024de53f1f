"""Signs release trees with a key of the user's, or with a throw-away one for rehearsals."""

from __future__ import annotations

import os
import shlex
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from host.beneath.remove import remove_tree
from host.beneath.root import Root
from host.errors import HostError, InputError, ProgramError
from host.files import write_atomically
from host.locks import locked
from host.places import cache_folder
from publish import armour
from publish.gpg import Gpg

MAX_KEY_BYTES = 1 << 20
REHEARSAL_USER = "ccis rehearsal (throw-away key, proves nothing) <rehearsal@localhost.invalid>"

_ENDED = {
    "e": ("has expired", "extend it (gpg --quick-set-expire), or go on with another key "
          "(--replace-key)"),
    "r": ("has been revoked", "go on with another key (--replace-key)"),
}
"""What gpg's letters for the validity of a key mean (doc/DETAILS), and what to do."""

_SOCKET_BYTES_MAX = 107


@dataclass(frozen=True)
class Signer:
    """A secret key that signs: in the GnuPG home `gpg.home`, known by its whole fingerprint.

    passphrase_file: a file whose first line opens the key; None: the agent of the home knows the
    passphrase, or the key has none.
    """

    gpg: Gpg
    fingerprint: str
    passphrase_file: Path | None = None

    def clear_sign(self, text: str) -> str:
        """Return a text with a signature below it, in the one spelling that verify takes."""
        signed = armour.canonical_clear(self._sign("--clear-sign", text))
        if signed is None:
            raise HostError("gpg made a signature in a form that ccis does not know",
                            remedy="report it, with the output of gpg --version")
        return signed

    def detached(self, text: str) -> str:
        """Return the armoured signature of a text, for a file beside it."""
        signature = armour.canonical(self._sign("--detach-sign", text))
        if signature is None:
            raise HostError("gpg made a signature in a form that ccis does not know",
                            remedy="report it, with the output of gpg --version")
        return signature

    def public_key(self) -> str:
        """Return the armoured public key, for keys/ in the tree."""
        exported = self.gpg.public(["--armor", "--export-options", "export-minimal",
                                    "--export", self.fingerprint]).stdout
        # --status-fd shares standard output; its lines are no part of the key.
        key = armour.canonical("".join(line for line in exported.splitlines(keepends=True)
                                       if not line.startswith("[GNUPG:]")))
        if key is None:
            raise HostError(f"gpg could not export the public key {self.fingerprint}",
                            where=str(self.gpg.home))
        return key

    def _sign(self, kind: str, text: str) -> str:
        with tempfile.TemporaryDirectory(prefix="ccis-sign-") as folder:
            content, signed = Path(folder, "content"), Path(folder, "signed")
            content.write_text(text, encoding="utf-8")
            opening: list[str | Path] = []
            if self.passphrase_file is not None:
                opening = ["--pinentry-mode", "loopback", "--passphrase-file", self.passphrase_file]
            try:
                self.gpg.secret([
                    *opening, "--armor", "--no-emit-version", "--no-comments", "--digest-algo",
                    "SHA512", "--local-user", self.fingerprint, "--output", signed, kind, content,
                ])
            except ProgramError as error:
                ended = _ENDED.get(self.gpg.validity(self.fingerprint))
                raise HostError(
                    f"gpg could not sign with {self.fingerprint}", where=str(self.gpg.home),
                    why=f"the key {ended[0]}" if ended else error.why,
                    remedy=ended[1] if ended else
                    "if the key has a passphrase, give --passphrase-file, or sign anything "
                    "with it once so that its agent remembers",
                ) from error
            return signed.read_text(encoding="utf-8")


def user_signer(key: str, home: Path | None, passphrase_file: Path | None = None) -> Signer:
    """Return the signer for a key that the user names.

    key: a key id, fingerprint or address, as gpg takes it. home: the GnuPG home that holds it;
    None: the user's own. Raises InputError where that names no secret key, or several.
    """
    own = os.environ.get("GNUPGHOME") or Path.home() / ".gnupg"
    folder = Path(own) if home is None else home
    if not folder.is_dir():
        raise InputError("is not a GnuPG home folder", where=str(folder),
                         remedy="give --gnupg-home the folder that holds the secret key")
    if passphrase_file is not None and not passphrase_file.is_file():
        raise InputError("is not a file", where=str(passphrase_file))
    gpg = Gpg(folder)
    found = gpg.fingerprints(secret=True, key=key)
    if not found:
        if len(os.fsencode(gpg.socket())) > _SOCKET_BYTES_MAX:
            raise InputError(
                "the path of the GnuPG home is too long for the socket of its agent",
                where=str(folder), why=f"sun_path of unix(7) holds {_SOCKET_BYTES_MAX} bytes",
                remedy=f"name it by a short link: ln -s {shlex.quote(str(folder))} /run/my-keys")
        raise InputError(f"no secret key {key} is there", where=str(folder),
                         remedy=f"gpg --homedir {folder} --list-secret-keys shows what is")
    if len(found) > 1:
        raise InputError(f"{key} names {len(found)} secret keys", where=str(folder),
                         remedy="give a whole fingerprint: " + ", ".join(found))
    return Signer(gpg, found[0], passphrase_file)


def rehearsal_signer() -> Signer:
    """Return the signer for rehearsals: a key in the user's cache, made when first asked for.

    It has no passphrase: who can read the cache can sign with it. Trust nothing that it signed.
    """
    home = cache_folder() / "signing" / "rehearsal"
    with locked(home.with_suffix(".lock")):
        for leftover in home.parent.glob(f".{home.name}.*"):
            remove_tree(leftover)
        if not home.is_dir():
            _make_home(home)
    found = Gpg(home).fingerprints(secret=True)
    if len(found) != 1:
        raise HostError("the rehearsal key is damaged", where=str(home),
                        remedy=f"rm -r {home}, and publish with --replace-key")
    return Signer(Gpg(home), found[0])


def _make_home(home: Path) -> None:
    """Make the rehearsal key in a folder beside its own, which then appears whole."""
    staging = Path(tempfile.mkdtemp(prefix=f".{home.name}.", dir=home.parent))  # mode 0700
    try:
        Gpg(staging).secret(["--quiet", "--pinentry-mode", "loopback", "--passphrase", "",
                             "--quick-generate-key", REHEARSAL_USER, "ed25519", "sign", "never"])
        staging.rename(home)
    finally:
        remove_tree(staging)


def publish_key(signer: Signer, root: Path, folder: str) -> Path:
    """Put the signer's public key into a folder of a tree, unless it is there; return its file."""
    name = f"{folder}/{signer.fingerprint}.asc"
    key = signer.public_key()
    place = Root(root)
    there = place.stat(f"/{name}")
    is_whole = there is not None and stat.S_ISREG(there.st_mode) and there.st_size == len(key)
    if not is_whole or place.read(f"/{name}", len(key)) != key.encode():
        write_atomically(root / name, key)
    elif there is not None and there.st_mode & 0o444 != 0o444:  # made under another umask
        (root / name).chmod(0o644)
    return root / name
