"""Keys that expire and keys that are revoked: the tree's own past is judged by its own time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from host.errors import HostError, InputError
from publish.gpg import Gpg
from publish.sign import Signer
from publish.trust import SignatureError, keyring
from publish.verify import verify
from tests.publish.conftest import MakeBuild, Publish

NewKey = Callable[[str], Signer]


@pytest.fixture
def new_key(tmp_path_factory: pytest.TempPathFactory, signing_cache: Path) -> NewKey:
    """Return a function that makes a key, valid for some time as gpg writes it."""
    def make(validity: str) -> Signer:
        home = tmp_path_factory.mktemp("k")
        home.chmod(0o700)
        Gpg(home).secret(["--quiet", "--pinentry-mode", "loopback", "--passphrase", "",
                          "--quick-generate-key", "a@localhost.invalid", "ed25519", "sign",
                          validity])
        return Signer(Gpg(home), Gpg(home).fingerprints()[0])

    return make


@pytest.fixture
def expired(new_key: NewKey, make_build: MakeBuild, put: Publish) -> Signer:
    """Return a key that has expired since it signed the tree."""
    key = new_key("seconds=4")
    began = time.monotonic()
    put(make_build("20261120.0"), by=key)
    time.sleep(max(0.0, began + 5 - time.monotonic()))
    return key


def test_after_a_key_has_expired_another_one_goes_on(
    expired: Signer, root: Path, make_build: MakeBuild, put: Publish, signer: Signer,
) -> None:
    [*_, finding] = verify(root).findings  # a reader must not believe it: dates can be forged
    assert "expired" in finding.problem
    build = make_build("20261121.0")
    with pytest.raises(InputError, match="--replace-key"):
        put(build, by=signer)
    with pytest.raises(HostError, match="expired"):
        put(build, by=expired)
    put(build, by=signer, replace_key=True)
    assert verify(root, fingerprint=signer.fingerprint).findings == []


def test_after_a_key_was_extended_it_goes_on(
    expired: Signer, root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    Gpg(expired.gpg.home).secret(["--pinentry-mode", "loopback", "--passphrase", "",
                                  "--quick-set-expire", expired.fingerprint, "1y"])
    put(make_build("20261121.0"), by=expired)
    assert verify(root).findings == []


def revoked(key: Signer, root: Path) -> Signer:
    """Revoke a key with the certificate that gpg made for it, and tell the tree's readers."""
    home = key.gpg.home
    text = (home / f"openpgp-revocs.d/{key.fingerprint}.rev").read_text().replace(":-----", "-----")
    subprocess.run(["gpg", "--homedir", home, "--batch", "--quiet", "--import"], input=text,
                   text=True, check=True)
    (root / f"keys/{key.fingerprint}.asc").write_text(key.public_key())
    return key


def test_after_a_key_was_revoked_another_one_goes_on_if_told(
    root: Path, make_build: MakeBuild, put: Publish, signer: Signer, new_key: NewKey,
) -> None:
    key = new_key("1y")
    put(make_build("20261120.0"), by=key)
    revoked(key, root)
    assert any("revoked" in finding.problem for finding in verify(root).findings)
    with pytest.raises(InputError, match="signed by another key"):
        put(make_build("20261121.0"), by=signer)
    put(make_build("20261122.0"), by=signer, replace_key=True)
    assert verify(root).findings == []


def test_a_signature_that_is_younger_than_its_key_s_end_proves_nothing(
    new_key: NewKey,
) -> None:
    """Even to the publisher: what was signed after the end that he knows is not his past."""
    key = new_key("seconds=2")
    short = key.public_key().encode()
    time.sleep(3.5)  # whole seconds count, and the last one is still good
    key.gpg.secret(["--pinentry-mode", "loopback", "--passphrase", "", "--quick-set-expire",
                    key.fingerprint, "1y"])
    late = key.detached("text\n").encode()
    with keyring(key.public_key().encode()) as trusted:
        assert not trusted.own_past(b"text\n", late)
    with keyring(short) as trusted, pytest.raises(SignatureError, match="expired"):
        trusted.own_past(b"text\n", late)
