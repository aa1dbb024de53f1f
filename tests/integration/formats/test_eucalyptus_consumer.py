"""The Eucalyptus bundle, opened with the programs that euca-unbundle runs: openssl, pigz and tar.

No Eucalyptus cloud can be had here: that one registers the bundle is not shown.
"""

from __future__ import annotations

import hashlib
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from host.files import sha256_file
from host.places import cache_folder


@pytest.fixture(scope="module")
def bundle(everything: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle's files, by GNU tar."""
    folder = tmp_path_factory.mktemp("bundle")
    file = everything.file("eucalyptus")
    subprocess.run(["tar", "--extract", f"--file={file}"], cwd=folder, check=True)
    return folder


@pytest.fixture
def identity() -> Path:
    """The identity that bundles are made for when no eucarc is set."""
    return cache_folder() / "eucalyptus"


def openssl(*words: str | Path, stdin: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *words], input=stdin, check=True, capture_output=True).stdout


def test_openssl_pigz_and_tar_give_back_the_raw(
    everything: Any, bundle: Path, identity: Path,
) -> None:
    image = ET.parse(bundle / "image.manifest.xml").getroot().find("image")
    assert image is not None
    secrets = [
        openssl("pkeyutl", "-decrypt", "-inkey", identity / "key.pem",
                stdin=bytes.fromhex(image.findtext(f"user_encrypted_{name}") or "")).decode()
        for name in ("key", "iv")
    ]
    parts = []
    for part in image.findall("parts/part"):
        parts.append(bundle / (part.findtext("filename") or ""))
        with parts[-1].open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha1").hexdigest()
        assert digest == part.findtext("digest")
    assert len(parts) == int(image.find("parts").get("count") or 0) > 1  # type: ignore[union-attr]
    assert all(part.stat().st_size == 10 << 20 for part in parts[:-1])
    owner = next(name for name in sorted(everything.folders)
                 if any(each.format == "eucalyptus" for each in everything.record(name).artefacts))
    raw = everything.raw_of(owner)
    assert raw.stat().st_size == int(image.findtext("size") or 0)

    joined = subprocess.Popen(["cat", *parts], stdout=subprocess.PIPE)
    plain = subprocess.Popen(
        ["openssl", "enc", "-d", "-aes-128-cbc", "-K", secrets[0], "-iv", secrets[1]],
        stdin=joined.stdout, stdout=subprocess.PIPE)
    tarred = subprocess.Popen(["pigz", "-d"], stdin=plain.stdout, stdout=subprocess.PIPE,
                              pipesize=1 << 20)
    opened = subprocess.Popen(["tar", "--extract", "--to-stdout"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, pipesize=1 << 20)
    summed = subprocess.Popen(["sha256sum"], stdin=opened.stdout, stdout=subprocess.PIPE)
    sha1 = hashlib.sha1()
    assert tarred.stdout is not None and opened.stdin is not None
    while content := tarred.stdout.read(1 << 20):
        sha1.update(content)
        opened.stdin.write(content)
    opened.stdin.close()
    sha256 = summed.communicate()[0].split()[0].decode()
    assert [each.wait() for each in (joined, plain, tarred, opened, summed)] == [0] * 5
    assert sha256 == sha256_file(raw)  # which does not read 10 GiB of holes, as cmp would
    assert sha1.hexdigest() == image.findtext("digest")


def test_openssl_verifies_the_signature(bundle: Path, identity: Path, tmp_path: Path) -> None:
    text = (bundle / "image.manifest.xml").read_bytes()
    signed = text[text.index(b"<machine_configuration>"):text.index(b"<signature>")]
    signature, public = tmp_path / "signature", tmp_path / "public.pem"
    signature.write_bytes(bytes.fromhex(ET.fromstring(text).findtext("signature") or ""))
    public.write_bytes(openssl("x509", "-in", identity / "cert.pem", "-noout", "-pubkey"))
    words = ("dgst", "-sha1", "-verify", public, "-signature", signature)
    assert openssl(*words, stdin=signed) == b"Verified OK\n"
    with pytest.raises(subprocess.CalledProcessError):
        openssl(*words, stdin=signed.replace(b"x86_64", b"i386"))


def test_the_private_key_is_nowhere_in_the_bundle(bundle: Path, identity: Path) -> None:
    middle = (identity / "key.pem").read_bytes().splitlines()[5]
    assert not any(middle in file.read_bytes() for file in bundle.iterdir())
