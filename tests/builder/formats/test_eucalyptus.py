"""The Eucalyptus bundle: for whom it is, what it holds, and what it must not give away."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
import os
import stat
import subprocess
import tarfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from builder.artefact import About
from builder.formats import eucalyptus
from builder.formats.bundles import eucarc
from host.errors import InputError
from host.progress import Silent

MIB = 1 << 20
ABOUT = About(
    title="CentOS Stream 10 Eucalyptus", image="eucalyptus", flavour="Eucalyptus",
    distribution="CentOS-Stream", version="10", arch="x86_64", epoch=1_700_000_000,
    disk_size_bytes=40 * MIB,
)
NAMES = ("EC2_CERT", "EC2_PRIVATE_KEY", "EUCALYPTUS_CERT", "EC2_USER_ID")


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No eucarc is set, and the cache is empty."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CCIS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and certificates of a user and of a cloud, made by openssl."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("user", "cloud"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt")
    return folder


def source_eucarc(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = (keys / "user.crt", keys / "user.key", keys / "cloud.crt", "0123-4567-8901")
    for name, value in zip(NAMES, values, strict=True):
        monkeypatch.setenv(name, str(value))


@pytest.fixture
def sourced(keys: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with a eucarc that names them sourced."""
    source_eucarc(keys, monkeypatch)
    return keys


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A small disk: one part."""
    path = tmp_path / "disk.raw"
    path.write_bytes(b"text " * MIB)
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk of two parts, with a hole at its end."""
    path = tmp_path_factory.mktemp("large") / "disk.raw"
    with path.open("wb") as stream:
        stream.write(os.urandom(10 * MIB) + b"text " * MIB)
        stream.truncate(40 * MIB)
    return path


@pytest.fixture(scope="module")
def files(large: Path, keys: Path) -> dict[str, bytes]:
    """What is in the bundle of the larger disk."""
    with pytest.MonkeyPatch.context() as patch:
        source_eucarc(keys, patch)
        return bundled(large)


@dataclass
class Saying(Silent):
    said: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)


def openssl(*words: str | Path, stdin: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *words], input=stdin, check=True, capture_output=True).stdout


def bundled(disk: Path, progress: Silent | None = None) -> dict[str, bytes]:
    folder = disk.parent / f"made-{time.monotonic_ns()}"
    folder.mkdir()
    eucalyptus.make(disk, folder, ABOUT.only(eucalyptus.uses), progress or Silent())
    assert [each.name for each in folder.iterdir()] == ["eucalyptus.tar"]
    with tarfile.open(folder / "eucalyptus.tar") as opened:
        return {each.name: opened.extractfile(each).read() for each in opened}  # type: ignore[union-attr]


def test_parts_of_10_mib_and_a_manifest(files: dict[str, bytes]) -> None:
    assert list(files) == ["image.part.00", "image.part.01", "image.manifest.xml"]
    assert len(files["image.part.00"]) == 10 * MIB
    root = ET.fromstring(files["image.manifest.xml"])
    parts = root.findall("image/parts/part")
    assert [(part.findtext("filename"), part.findtext("digest")) for part in parts] == [
        (name, hashlib.sha1(files[name]).hexdigest()) for name in list(files)[:-1]]
    assert root.find("image/parts").get("count") == "2"  # type: ignore[union-attr]
    assert root.findtext("image/size") == str(40 * MIB)
    assert root.findtext("image/bundled_size") == str(sum(len(files[n]) for n in list(files)[:-1]))
    assert root.findtext("image/user") == "012345678901"
    assert root.findtext("machine_configuration/architecture") == "x86_64"


@pytest.mark.parametrize(("reader", "prefix"), [("user", "user"), ("cloud", "ec2")])
def test_user_and_cloud_open_it(
    files: dict[str, bytes], large: Path, keys: Path, reader: str, prefix: str,
) -> None:
    image = ET.fromstring(files["image.manifest.xml"]).find("image")
    assert image is not None

    def secret(name: str) -> bytes:
        encrypted = bytes.fromhex(image.findtext(f"{prefix}_encrypted_{name}") or "")
        return bytes.fromhex(openssl("pkeyutl", "-decrypt", "-inkey", keys / f"{reader}.key",
                                     stdin=encrypted).decode())

    decryptor = Cipher(AES(secret("key")), CBC(secret("iv"))).decryptor()
    unpadder = PKCS7(128).unpadder()
    parts = b"".join(content for name, content in files.items() if ".part." in name)
    packed = unpadder.update(decryptor.update(parts)) + unpadder.finalize()
    whole = gzip.decompress(packed)
    assert image.findtext("digest") == hashlib.sha1(whole).hexdigest()
    with tarfile.open(fileobj=io.BytesIO(whole)) as opened:
        assert opened.getnames() == ["centos-stream-10-eucalyptus.raw"]
        reading = opened.extractfile("centos-stream-10-eucalyptus.raw")
        assert reading is not None
        assert reading.read() == large.read_bytes()


def test_the_manifest_is_signed_by_the_user(files: dict[str, bytes], sourced: Path) -> None:
    text = files["image.manifest.xml"].decode()
    signature = ET.fromstring(text).findtext("signature") or ""
    start, end = text.index("<machine_configuration>"), text.index("<signature>")
    key = eucarc.rsa_key(eucarc.bundler().certificate)
    key.verify(bytes.fromhex(signature), text[start:end].encode(), PKCS1v15(), hashes.SHA1())


def test_each_bundle_has_a_key_of_its_own(disk: Path, sourced: Path) -> None:
    assert bundled(disk)["image.part.00"] != bundled(disk)["image.part.00"]


def test_nothing_secret_in_logs_and_identity(
    disk: Path, sourced: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    bundled(disk)
    body = (sourced / "user.key").read_text().splitlines()[1]
    assert body not in caplog.text
    assert body not in str(eucalyptus.identity())


def test_the_identity_names_the_certificates(sourced: Path) -> None:
    def printed(name: str) -> str:
        said = openssl("x509", "-in", sourced / name, "-noout", "-fingerprint", "-sha256").decode()
        return said.split("=")[1].strip().replace(":", "").lower()

    identity = eucalyptus.identity()
    assert identity["certificate"] == printed("user.crt")
    assert identity["cloud certificate"] == printed("cloud.crt")
    assert identity["account"] == "012345678901"


def test_without_a_eucarc_it_is_for_practising_and_says_so(disk: Path, tmp_path: Path) -> None:
    progress = Saying()
    bundled(disk, progress)
    assert "practising only" in progress.said[0]
    home = tmp_path / "cache" / "eucalyptus"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "key.pem").stat().st_mode) == 0o600


def test_the_identity_for_practising_stays() -> None:
    assert eucalyptus.identity() == eucalyptus.identity()


@pytest.mark.parametrize("missing", NAMES)
def test_half_a_eucarc_is_bad_input(
    sourced: Path, monkeypatch: pytest.MonkeyPatch, missing: str,
) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(InputError, match=f"{missing} not set.*eucarc"):
        eucalyptus.identity()


@pytest.mark.parametrize(("variable", "content", "why"), [
    ("EC2_CERT", None, "cannot be read"),
    ("EC2_CERT", "no certificate", "no certificate in PEM"),
    ("EUCALYPTUS_CERT", "no certificate", "no certificate in PEM"),
    ("EC2_PRIVATE_KEY", "no key", "no private key in PEM"),
])
def test_a_wrong_file_is_named(
    disk: Path, sourced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    variable: str, content: str | None, why: str,
) -> None:
    wrong = tmp_path / "wrong.pem"
    if content is not None:
        wrong.write_text(content)
    monkeypatch.setenv(variable, str(wrong))
    with pytest.raises(InputError, match=f"wrong.pem: .*{why}"):
        bundled(disk)


def test_a_key_must_be_that_of_the_certificate(
    disk: Path, sourced: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EC2_PRIVATE_KEY", str(sourced / "cloud.key"))
    with pytest.raises(InputError, match="not the key of the certificate"):
        bundled(disk)


def test_a_key_with_a_passphrase_is_refused(
    disk: Path, sourced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    locked = tmp_path / "locked.key"
    openssl("rsa", "-in", sourced / "user.key", "-aes128", "-passout", "pass:secret",
            "-out", locked)
    monkeypatch.setenv("EC2_PRIVATE_KEY", str(locked))
    with pytest.raises(InputError, match="passphrase"):
        bundled(disk)


def test_a_key_that_is_not_rsa_is_refused(
    sourced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = tmp_path / "ec.crt"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=ec", "-keyout", tmp_path / "ec.key", "-out", certificate)
    monkeypatch.setenv("EC2_CERT", str(certificate))
    with pytest.raises(InputError, match="no certificate of an RSA key"):
        eucalyptus.identity()
