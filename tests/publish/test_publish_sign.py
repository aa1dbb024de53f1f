"""Keys: a user's own, a rehearsal's, and the errors on the way to them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from host.errors import HostError, InputError
from publish import armour
from publish.gpg import Gpg
from publish.sign import Signer, rehearsal_signer, user_signer
from publish.trust import SignatureError, keyring


def test_the_rehearsal_key_is_made_once_and_for_its_owner_alone(signer: Signer) -> None:
    assert rehearsal_signer() == signer
    assert signer.gpg.home.stat().st_mode & 0o777 == 0o700


def test_a_user_s_key_is_found_by_address(other_signer: Signer) -> None:
    home, phrase = other_signer.gpg.home, other_signer.passphrase_file
    assert user_signer("other@localhost.invalid", home, phrase) == other_signer


def test_a_passphrase_is_used_and_never_logged(
    other_signer: Signer, caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "ccis"):
        signed = other_signer.clear_sign("text\n")
    with keyring(other_signer.public_key().encode()) as trusted:
        assert trusted.clear_signed(signed.encode()) == "text\n"
    assert "correct horse" not in caplog.text
    assert "gpg" in caplog.text


def test_a_wrong_passphrase_says_what_to_do(other_signer: Signer, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("battery staple\n")
    with pytest.raises(HostError, match="--passphrase-file"):
        Signer(other_signer.gpg, other_signer.fingerprint, wrong).clear_sign("text\n")


def test_a_home_whose_agent_has_no_room_for_its_socket_is_said(tmp_path: Path) -> None:
    home = tmp_path / ("long-" * 20)
    home.mkdir(mode=0o700)
    with pytest.raises(InputError, match="too long for the socket") as caught:
        user_signer("nobody@localhost.invalid", home)
    assert "ln -s" in str(caught.value.remedy)


def test_an_unknown_key_is_bad_input(other_signer: Signer) -> None:
    with pytest.raises(InputError, match="no secret key nobody@localhost"):
        user_signer("nobody@localhost.invalid", other_signer.gpg.home)


def test_a_home_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a GnuPG home"):
        user_signer("x", tmp_path / "nothing")


def test_a_key_id_of_two_keys_is_bad_input(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("h")
    home.chmod(0o700)
    for name in ("one", "two"):
        Gpg(home).secret(["--quiet", "--pinentry-mode", "loopback", "--passphrase", "",
                          "--quick-generate-key", f"{name} <same@localhost.invalid>", "ed25519"])
    with pytest.raises(InputError, match="names 2 secret keys"):
        user_signer("same@localhost.invalid", home)


def test_an_expired_key_proves_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("e")
    home.chmod(0o700)
    Gpg(home).secret(["--quiet", "--pinentry-mode", "loopback", "--passphrase", "",
                      "--faked-system-time", "20200101T000000", "--quick-generate-key",
                      "old@localhost.invalid", "ed25519", "sign", "20200201T000000"])
    signed, content = home / "signed", home / "content"
    content.write_text("text\n")
    Gpg(home).secret(["--faked-system-time", "20200102T000000", "--armor", "--digest-algo",
                      "SHA512", "--output", signed, "--clear-sign", content])
    text = armour.canonical_clear(signed.read_text())
    assert text is not None
    key = Signer(Gpg(home), Gpg(home).fingerprints()[0]).public_key()
    with keyring(key.encode()) as trusted, pytest.raises(SignatureError, match="expired"):
        trusted.clear_signed(text.encode())


@pytest.mark.parametrize("change", [
    lambda text: "\n" + text,
    lambda text: text + "\n",
    lambda text: text.replace("\n\n", "\nComment: trust me\n\n", 1),
    lambda text: text.replace("SIGNED MESSAGE-----\n", "SIGNED MESSAGE-----\nHash: MD5\n"),
    lambda text: text.replace("text\n", "text \n"),
    lambda text: text + text,
])
def test_only_one_spelling_of_a_signed_text_is_taken(
    signer: Signer, change: object,
) -> None:
    signed = signer.clear_sign("text\n")
    assert armour.is_canonical_clear(signed)
    assert callable(change)
    assert not armour.is_canonical_clear(change(signed))
