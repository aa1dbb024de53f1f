"""The key that signs the repository, made once and kept in the cache, and signing with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from host.run import run

USER = "CCIS rehearsal (not CentOS) <rehearsal@localhost>"


@contextmanager
def key_ring(folder: Path) -> Iterator[Path]:
    """Yield a GnuPG home that holds the key, made on the first use; its agent ends afterwards."""
    home = folder / "key"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    try:
        if not (home / "public.asc").exists():
            # A half-made ring of an earlier, killed run is of no use to anyone.
            for path in [*home.glob("*.kbx*"), *home.glob("private-keys-v1.d/*")]:
                path.unlink()
            run([*_gpg(home), "--passphrase", "", "--quick-generate-key", USER, "rsa3072",
                 "sign", "never"])
            text = run([*_gpg(home), "--armor", "--export"]).stdout
            (home / "public.asc.new").write_text(text)
            (home / "public.asc.new").rename(home / "public.asc")
        yield home
    finally:
        run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)


def public_key(home: Path) -> str:
    """Return the public key as armoured text."""
    return (home / "public.asc").read_text()


def sign_detached(home: Path, path: Path, *, armor: bool = False) -> bytes:
    """Return the detached signature of a file.

    Raises ProgramError when gpg fails.
    """
    target = path.with_name(f".{path.name}.{os.getpid()}.sig")
    run([*_gpg(home), *(["--armor"] if armor else []), "--digest-algo", "SHA256",
         "--output", target, "--detach-sign", path])
    signature = target.read_bytes()
    target.unlink()
    return signature


def _gpg(home: Path) -> list[str | Path]:
    return ["gpg", "--homedir", home, "--batch", "--yes", "--quiet", "--no-tty", "--no-options",
            "--pinentry-mode", "loopback"]
