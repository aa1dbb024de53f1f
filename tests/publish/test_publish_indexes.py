"""Indexes for the tools that people have, read by these tools: Vagrant, LXD's client, aria2."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from publish.indexes import folders, make_all
from publish.model import Index
from publish.verify import verify
from tests.publish.conftest import IMAGES, MakeBuild, Publish
from tests.publish.servers import free_port, nginx, nginx_tls

STEM = "CentOS-Stream-GenericCloud-10"


def tar(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def box(text: bytes) -> bytes:
    return tar({"metadata.json": b'{"provider":"libvirt","format":"qcow2","virtual_size":1}',
                "Vagrantfile": b"", "box.img": text})


def policy(tmp_path: Path, url: str) -> str:
    """Return the rehearsal's policy for a tree that is served somewhere."""
    path = tmp_path / "served.yaml"
    path.write_text(Path("publish/policy/rehearsal.yaml").read_text() + f"url: {url}\n")
    return str(path)


def indexes(root: Path) -> dict[str, Index]:
    return {IMAGES: Index.model_validate_json((root / IMAGES / "index.json").read_text())}


def test_the_same_folders_give_the_same_bytes_and_every_byte_is_verified(
    root: Path, make_build: MakeBuild, put: Publish, tmp_path: Path,
) -> None:
    put(make_build(files={"vagrant-libvirt": box(b"x"), "incus-unified": b"y", "qcow2": b"z"}),
        policy=policy(tmp_path, "http://127.0.0.1:8080"))
    made = make_all(indexes(root))
    assert sorted(f"{folder}/{name}" for folder, files in made.items() for name in files) == sorted(
        str(path.relative_to(root)) for folder in folders() for path in (root / folder).rglob("*")
        if path.is_file())
    for folder, files in made.items():
        for name, content in files.items():
            path = root / folder / name
            assert path.read_bytes() == content
            path.write_bytes(content.replace(b"1", b"2"))
            assert [finding.file for finding in verify(root).findings] == [f"{folder}/{name}"]
            path.write_bytes(content)
    (root / "indexes/evil.json").write_text("{}")
    assert [finding.file for finding in verify(root).findings] == ["indexes/evil.json"]


def test_a_damaged_index_is_made_anew_by_the_next_run(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    build = make_build()
    put(build)
    (root / "indexes/status.json").write_text("{}")
    put(build)
    assert verify(root).findings == []


def test_status_json_says_what_there_is(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    put(make_build("20261120.0"), make_build("20261121.0"))
    said = json.loads((root / "indexes/status.json").read_text())
    assert [(each["channel"], each["build"]) for each in said["series"]] == [
        ("production", f"{STEM}-20261121.0.x86_64")]
    assert said["revisions"] == {IMAGES: 1}


@pytest.mark.integration
def test_vagrant_adds_a_box_by_its_catalogue_and_updates_it(
    root: Path, make_build: MakeBuild, put: Publish, tmp_path: Path,
) -> None:
    port = free_port()
    its = policy(tmp_path, f"http://127.0.0.1:{port}")
    environment = {**os.environ, "VAGRANT_HOME": str(tmp_path / "v"), "VAGRANT_CHECKPOINT_DISABLE":
                   "1", "VAGRANT_NO_COLOR": "1"}

    def vagrant(*words: str) -> str:
        done = subprocess.run(["vagrant", "box", *words], env=environment, capture_output=True,
                              text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    put(make_build("20261120.0", {"vagrant-libvirt": box(b"one")}), policy=its)
    with nginx(root, tmp_path / "n", port) as url:
        vagrant("add", f"{url}/indexes/vagrant/{STEM}.json", "--provider", "libvirt")
        put(make_build("20261121.0", {"vagrant-libvirt": box(b"two")}), policy=its)
        vagrant("update", "--box", STEM, "--provider", "libvirt")
    listed = vagrant("list")
    assert f"{STEM} (libvirt, 20261120.0" in listed and f"{STEM} (libvirt, 20261121.0" in listed
    images = sorted(path.read_bytes() for path in (tmp_path / "v/boxes").rglob("box.img"))
    assert images == [b"one", b"two"]


def test_aria2_fetches_by_metalink_and_refuses_another_content(
    root: Path, make_build: MakeBuild, put: Publish, tmp_path: Path,
) -> None:
    port = free_port()
    put(make_build(files={"qcow2": b"content" * 500}), policy=policy(
        tmp_path, f"http://127.0.0.1:{port}"))
    name = f"{STEM}-20261121.0.x86_64.qcow2"
    words = ["aria2c", "-q", "--check-integrity=true", "--allow-overwrite=true",
             "-d", str(tmp_path / "got"), "-M", str(root / f"indexes/metalink/{name}.meta4")]
    with nginx(root, tmp_path / "n", port):
        subprocess.run(words, check=True, timeout=60)
        assert (tmp_path / "got" / name).read_bytes() == b"content" * 500
        (tmp_path / "got" / name).unlink()
        (root / IMAGES / name).write_bytes(b"CONTENT" * 500)
        assert subprocess.run(words, check=False, timeout=60).returncode != 0


@contextmanager
def lxd_client(tmp_path: Path, root: Path) -> Iterator[list[str]]:
    """Yield the start of a command line of LXD's client that knows the tree as `ccis:`."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
                   check=True, capture_output=True)
    (tmp_path / "lxd").mkdir()
    with nginx_tls(root, tmp_path / "tls", tmp_path / "cert.pem", tmp_path / "key.pem") as url:
        lxc = ["env", f"SSL_CERT_FILE={tmp_path}/cert.pem", f"LXD_CONF={tmp_path}/lxd",
               f"HOME={tmp_path}", "lxc"]
        subprocess.run([*lxc, "remote", "add", "ccis", url, "--protocol", "simplestreams"],
                       check=True, capture_output=True, timeout=60)
        yield lxc


@pytest.mark.integration
def test_lxd_s_client_lists_and_fetches_a_container(
    root: Path, make_build: MakeBuild, put: Publish, tmp_path: Path,
) -> None:
    content = tar({"metadata.yaml": b"architecture: x86_64\ncreation_date: 1\n",
                   "rootfs/etc/os-release": b"NAME=CentOS\n"})
    put(make_build("20261120.0", {"incus-unified": b"older"}),
        make_build("20261121.0", {"incus-unified": content}))
    with lxd_client(tmp_path, root) as lxc:
        listed = json.loads(subprocess.run([*lxc, "image", "list", "ccis:", "--format", "json"],
                                           check=True, capture_output=True, timeout=60).stdout)
        newest = max(listed, key=lambda each: each["created_at"])
        assert newest["properties"]["os"] == "CentOS"
        assert newest["properties"]["release"] == "10-Stream"
        subprocess.run([*lxc, "image", "export", "ccis:centos/10-Stream/genericcloud",
                        str(tmp_path / "got")], check=True, capture_output=True, timeout=60)
        fetched = list(tmp_path.glob("got*"))
        assert [path.read_bytes() for path in fetched] == [content]
        name = f"{STEM}-20261121.0.x86_64.incus-unified"
        (root / IMAGES / name).write_bytes(content[:-1] + b"!")
        done = subprocess.run([*lxc, "image", "export", "ccis:centos/10-Stream/genericcloud",
                               str(tmp_path / "again")], check=False, capture_output=True,
                              timeout=60)
        assert done.returncode != 0
