"""A key file holds exactly the trusted key, and what it did not sign is refused by its name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from builder.choosing import resolve
from builder.kickstart.read import read
from builder.packages.repositories import Source, snapshots, trusted_key
from builder.packages.selection import Selection
from builder.packages.signatures import verify_signatures
from builder.store.store import Store
from host.errors import CcisError, InputError, RemoteError
from host.openpgp import only_key
from images.release import Release, Repository, SigningKey
from publish.armour import canonical_clear
from publish.trust import keyring_of_file
from tests import small_repository
from tests.small_repository import SmallRepository

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Home:
    """A GnuPG home with some keys, by their addresses."""

    path: Path

    def gpg(self, *words: str, stdin: bytes = b"") -> bytes:
        return subprocess.run(
            ["gpg", "--homedir", str(self.path), "--batch", "--yes", "--quiet",
             "--pinentry-mode", "loopback", "--passphrase", "", *words],
            input=stdin, check=True, capture_output=True).stdout

    def make(self, address: str, kind: str = "ed25519", expires: str = "never") -> None:
        self.gpg("--quick-generate-key", address, kind, "sign", expires)

    def fingerprint(self, address: str) -> str:
        lines = self.gpg("--with-colons", "--list-keys", address).decode().splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))

    def export(self, *addresses: str, armour: bool = True) -> bytes:
        return self.gpg(*(["--armor"] if armour else []), "--export", *addresses)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("keys")
    folder.chmod(0o700)
    home = Home(folder)
    for address in ("good@x", "evil@x", "revoked@x", "sub@x"):
        home.make(address)
    home.gpg("--faked-system-time", "20200101T000000", "--quick-generate-key", "old@x", "ed25519",
             "sign", "20200201T000000")
    home.gpg("--quick-add-key", home.fingerprint("sub@x"), "ed25519", "sign", "never")
    revocation = (folder / "openpgp-revocs.d" / f"{home.fingerprint('revoked@x')}.rev").read_text()
    home.gpg("--import", stdin=revocation.replace(":-----BEGIN", "-----BEGIN").encode())
    yield home
    subprocess.run(["gpgconf", "--homedir", str(folder), "--kill", "all"], check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallRepository]:
    repository = small_repository.make(tmp_path_factory.mktemp("small"))
    repository.add("unsigned", sign=False)
    yield repository
    repository.close()


def release(key: Path, fingerprint: str | None, *, rehearsal: bool = False) -> Release:
    return Release(
        name="small", title="Small", distribution="Small", version="10", dialect="RHEL10",
        public_path="small", rpm_database="/usr/lib/sysimage/rpm", architectures=["x86_64"],
        key=SigningKey(url=f"file://{key}", fingerprint=fingerprint), rehearsal=rehearsal,
        repositories=[Repository(id="small", mirrors=["file:///none"], signed_metadata=True)],
    )


def test_a_file_of_one_key_is_taken_whatever_its_form(keys: Home, tmp_path: Path) -> None:
    for address in ("good@x", "sub@x"):
        for armour in (True, False):
            path = tmp_path / f"{address}{armour}"
            path.write_bytes(keys.export(address, armour=armour))
            fingerprint = keys.fingerprint(address)
            found = trusted_key(release(path, fingerprint), {}, tmp_path / "kept")
            assert only_key(found.read_bytes(), "x").fingerprint == fingerprint


@pytest.mark.parametrize("armour", [True, False])
@pytest.mark.parametrize("order", [("good@x", "evil@x"), ("evil@x", "good@x")])
@pytest.mark.parametrize("together", [True, False])
def test_a_second_key_in_the_file_is_refused(
    keys: Home, tmp_path: Path, armour: bool, order: tuple[str, str], together: bool,
) -> None:
    path = tmp_path / "key"
    path.write_bytes(keys.export(*order, armour=armour) if together else
                     b"".join(keys.export(each, armour=armour) for each in order))
    fingerprint = keys.fingerprint("good@x")
    with pytest.raises(InputError, match=r"2 keys"):
        trusted_key(release(path, fingerprint), {}, tmp_path / "kept")
    with pytest.raises(InputError, match=r"2 keys"), keyring_of_file(path, fingerprint):
        pass


def test_what_one_reader_overlooks_another_does_not_get(keys: Home, tmp_path: Path) -> None:
    """gpg stops behind the first armour; rpm might not. What rpm gets is what gpg has read."""
    path = tmp_path / "key"
    path.write_bytes(keys.export("good@x") + keys.export("evil@x", armour=False)
                     + keys.export("evil@x").replace(b"\n\n", b"\nComment: x\n\n"))
    try:
        found = trusted_key(release(path, keys.fingerprint("good@x")), {}, tmp_path / "kept")
    except InputError:
        return
    assert found.read_bytes() != path.read_bytes()
    assert only_key(found.read_bytes(), "x").fingerprint == keys.fingerprint("good@x")


@pytest.mark.parametrize(("address", "says"), [
    ("revoked@x", "the key has been revoked"), ("old@x", "the key has expired"),
    ("evil@x", "not the one that the release trusts"),
])
def test_unfit_keys_are_refused_by_name(
    keys: Home, tmp_path: Path, address: str, says: str,
) -> None:
    path = tmp_path / "key"
    path.write_bytes(keys.export(address))
    wanted = keys.fingerprint("good@x" if address == "evil@x" else address)
    with pytest.raises(InputError, match=says):
        trusted_key(release(path, wanted), {}, tmp_path / "kept")


def test_a_secret_key_is_refused(keys: Home, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(keys.gpg("--armor", "--export-secret-keys", "good@x"))
    fingerprint = keys.fingerprint("good@x")
    with pytest.raises(InputError, match="secret key"):
        trusted_key(release(path, fingerprint), {}, tmp_path / "kept")
    with pytest.raises(InputError, match="secret key"), keyring_of_file(path, fingerprint):
        pass


def test_only_a_rehearsal_goes_without_a_fingerprint(keys: Home, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(keys.export("good@x"))
    assert trusted_key(release(path, None, rehearsal=True), {}, tmp_path / "kept").is_file()
    with pytest.raises(InputError, match="names no fingerprint"):
        trusted_key(release(path, None), {}, tmp_path / "kept")
    distant = release(path, None, rehearsal=True).model_copy(
        update={"key": SigningKey(url="http://127.0.0.1:9/key")})
    with pytest.raises(InputError, match="names no fingerprint"):
        trusted_key(distant, {}, tmp_path / "kept")


def packages(repository: SmallRepository, name: str) -> Path:
    return next(repository.folder.glob(f"{name}-*.rpm"))


def test_good_packages_pass(made: SmallRepository) -> None:
    verify_signatures([packages(made, "alpha"), packages(made, "beta")], made.key)


def test_an_unsigned_package_is_named(made: SmallRepository) -> None:
    with pytest.raises(RemoteError, match="has no signature") as caught:
        verify_signatures([packages(made, "alpha"), packages(made, "unsigned")], made.key)
    assert str(caught.value.where).endswith("unsigned-1-1.noarch.rpm")


def resigned(made: SmallRepository, home: Path, folder: Path, *more: str) -> Path:
    """Return alpha with a signature by another key, or with another digest."""
    copy = folder / "alpha.rpm"
    copy.write_bytes(packages(made, "alpha").read_bytes())
    name = "small@example.invalid" if home == made.home else "evil@x"
    subprocess.run(
        ["rpmsign", "--define", f"_gpg_path {home}", "--define", f"_gpg_name {name}",
         "--define", "__gpg /usr/bin/gpg", *more, "--resign", str(copy)],
        check=True, capture_output=True)
    return copy


def test_a_package_of_another_key_is_named(
    made: SmallRepository, keys: Home, tmp_path: Path,
) -> None:
    copy = resigned(made, keys.path, tmp_path)
    with pytest.raises(RemoteError, match="is signed by another key"):
        verify_signatures([copy], made.key)
    other = tmp_path / "evil.asc"
    other.write_bytes(keys.export("evil@x"))
    verify_signatures([copy], other)


def test_a_weak_signature_is_named(made: SmallRepository, tmp_path: Path) -> None:
    copy = resigned(made, made.home, tmp_path, "--define", "_gpg_digest_algo sha1")
    with pytest.raises(RemoteError, match=r"weak digest, RSA/SHA1|signature.* is wrong"):
        verify_signatures([copy], made.key)


@pytest.mark.parametrize("place", [0.75, 0.99])
def test_a_changed_package_is_named(made: SmallRepository, tmp_path: Path, place: float) -> None:
    content = bytearray(packages(made, "alpha").read_bytes())
    content[int(len(content) * place)] ^= 1
    copy = tmp_path / "alpha.rpm"
    copy.write_bytes(content)
    with pytest.raises(RemoteError, match=r"changed or damaged|no package that rpm can read"):
        verify_signatures([copy], made.key)


def test_a_name_is_no_answer_of_rpm(made: SmallRepository, tmp_path: Path) -> None:
    """Of two unsigned files one is called as rpmkeys would call the other a good one."""
    content = packages(made, "unsigned").read_bytes()
    plain = tmp_path / "x.rpm"
    plain.write_bytes(content)
    liar = tmp_path / f"x.rpm: digests signatures OK\n{str(tmp_path)[1:]}" / "y.rpm"
    liar.parent.mkdir(parents=True)
    liar.write_bytes(content)
    with pytest.raises(RemoteError, match="has no signature"):
        verify_signatures([liar, plain], made.key)


def test_macros_and_keys_of_the_caller_s_home_do_not_count(
    made: SmallRepository, keys: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = tmp_path / "home"
    (home / ".config/rpm").mkdir(parents=True)
    (home / "keys").mkdir()
    (home / "keys/evil.key").write_bytes(keys.export("evil@x"))
    lines = (f"%_pkgverify_level none\n%_pkgverify_flags 0xffffffff\n%__vsflags 0xffffffff\n"
             f"%_keyring fs\n%_keyringpath {home}/keys\n%_dbpath {home}/rpmdb\n")
    for name in (".rpmmacros", ".config/rpm/macros"):
        (home / name).write_text(lines)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    for bad in (packages(made, "unsigned"), resigned(made, keys.path, tmp_path)):
        with pytest.raises(RemoteError):
            verify_signatures([bad], made.key)
    verify_signatures([packages(made, "alpha")], made.key)


FULL = """
import sys, tempfile
from pathlib import Path
from builder.packages.signatures import verify_signatures
tempfile.tempdir = sys.argv[3]
try:
    verify_signatures([Path(sys.argv[1])], Path(sys.argv[2]))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("size", ["4k", "8k", "16k", "24k", "32k"])
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_is_no_bad_package(made: SmallRepository, tmp_path: Path, size: str) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c",
         f'mount -t tmpfs -o size={size} none "$4" && shift 0 && exec "$0" -c "$1" "$2" "$3" "$4"',
         sys.executable, FULL, str(packages(made, "alpha")), str(made.key), str(folder)],
        capture_output=True, text=True, check=True, cwd=PROJECT, timeout=60)
    assert "RemoteError" not in done.stdout and "do not install" not in done.stdout, done.stdout
    assert "do not use it" not in done.stdout, done.stdout


SIGNED = """
import sys, tempfile
from pathlib import Path
from publish.trust import keyring_of_file
tempfile.tempdir = sys.argv[3]
try:
    with keyring_of_file(Path(sys.argv[2])) as trusted:
        print(trusted.clear_signed(Path(sys.argv[1]).read_bytes()))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(("size", "says"), [
    ("1m", "text\n"), ("4k", "HostError"), ("8k", "HostError"), ("12k", "HostError"),
    ("16k", ""), ("24k", ""),
])
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_is_no_bad_signature(
    keys: Home, tmp_path: Path, size: str, says: str,
) -> None:
    """What can't be written is no word about who signed; the text is larger than the key."""
    text, key, folder = tmp_path / "text", tmp_path / "key.asc", tmp_path / "full"
    folder.mkdir()
    key.write_bytes(keys.export("good@x"))
    plain = ("0123456789" * 6 + "\n") * 200 + "text\n"
    signed = keys.gpg("--clear-sign", "--local-user", "good@x", "--digest-algo", "SHA512",
                      stdin=plain.encode()).decode()
    text.write_text(canonical_clear(signed) or "")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c",
         f'mount -t tmpfs -o size={size} none "$4" && exec "$0" -c "$1" "$2" "$3" "$4"',
         sys.executable, SIGNED, str(text), str(key), str(folder)],
        capture_output=True, text=True, check=True, cwd=PROJECT, timeout=60)
    assert says in done.stdout, done.stdout
    assert "SignatureError" not in done.stdout and "InputError" not in done.stdout, done.stdout


def test_metadata_of_a_key_that_was_trusted_once_is_refused(
    made: SmallRepository, keys: Home, tmp_path: Path,
) -> None:
    """librepo remembers keys beside the metadata: what one release trusts another must not."""
    store = Store(tmp_path / "store", 1 << 30)
    path = tmp_path / "test.ks"
    path.write_text("%packages\nalpha\n%end\n")
    made.index()
    other = tmp_path / "evil.asc"
    other.write_bytes(keys.export("evil@x"))
    own = release(made.key, made.fingerprint)
    found = snapshots([Source("small", (made.url,), signed_metadata=True)])
    selection = Selection(read(path, "RHEL10"), own, "x86_64", found,
                      trusted_key(own, {}, tmp_path / "kept"))
    assert [choice.record.name for choice in resolve(selection, store).choices] == ["alpha"]
    stranger = release(other, keys.fingerprint("evil@x"))
    with pytest.raises(CcisError) as caught:
        resolve(replace(selection, release=stranger,
                        key=trusted_key(stranger, {}, tmp_path / "kept")), store)
    assert isinstance(caught.value, RemoteError), caught.value
    assert "GPG" in str(caught.value) or "key" in str(caught.value)
