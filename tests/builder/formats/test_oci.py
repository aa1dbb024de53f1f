"""The container image: what its documents say, and what they must agree with."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from builder.formats import registry as formats
from builder.formats.containers.oci_merge import merge
from host.errors import InputError
from host.progress import Silent
from tests.builder.formats.container_tree import EPOCH, about, make_tree


def build(tree: Path, folder: Path, arch: str = "x86_64") -> Path:
    folder.mkdir()
    formats.get("oci").make(tree, folder, about(arch), Silent())
    return folder / "oci.tar"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("oci") / "tree")


@pytest.fixture(scope="module")
def image(tree: Path) -> Path:
    return build(tree, tree.parent / "image")


def read(archive: Path, name: str) -> bytes:
    with tarfile.open(archive, "r:") as opened:
        stream = opened.extractfile(name)
        assert stream is not None
        return stream.read()


def document(archive: Path, name: str) -> Any:
    return json.loads(read(archive, name))


def blob(archive: Path, descriptor: dict[str, Any]) -> bytes:
    content = read(archive, "blobs/" + descriptor["digest"].replace(":", "/"))
    assert len(content) == descriptor["size"]
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == descriptor["digest"]
    return content


def inspect(where: str, *words: str) -> Any:
    done = subprocess.run(
        ["skopeo", *words, "inspect", where], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_every_descriptor_fits_its_blob(image: Path) -> None:
    (entry,) = document(image, "index.json")["manifests"]
    manifest = json.loads(blob(image, entry))
    config = json.loads(blob(image, manifest["config"]))
    (layer,) = manifest["layers"]
    plain = gzip.decompress(blob(image, layer))
    assert config["rootfs"] == {
        "type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(plain).hexdigest()}"]}
    assert document(image, "oci-layout") == {"imageLayoutVersion": "1.0.0"}
    assert entry["platform"] == {"architecture": "amd64", "os": "linux"}


def test_the_configuration_says_what_it_is(image: Path) -> None:
    (entry,) = document(image, "index.json")["manifests"]
    config = json.loads(blob(image, json.loads(blob(image, entry))["config"]))
    assert (config["architecture"], config["os"]) == ("amd64", "linux")
    assert config["created"] == "2023-11-14T22:13:20Z"
    assert config["config"]["Cmd"] == ["/bin/bash"]
    assert config["config"]["Labels"]["org.opencontainers.image.version"] == "10"
    assert config["config"]["Labels"]["org.opencontainers.image.title"] == (
        "centos-stream-container-base")


def test_skopeo_reads_it_as_oci_and_as_docker(image: Path, tmp_path: Path) -> None:
    formats.get("docker").make(image.parent, tmp_path, about(), Silent())
    docker = tmp_path / "docker.tar"
    assert docker.samefile(image)
    for where in (f"oci-archive:{image}", f"docker-archive:{docker}"):
        said = inspect(where)
        assert (said["Architecture"], said["Created"]) == ("amd64", "2023-11-14T22:13:20Z")
        copy = tmp_path / where.partition(":")[0]
        subprocess.run(["skopeo", "copy", "--quiet", where, f"dir:{copy}"], check=True)
    assert document(docker, "manifest.json")[0]["RepoTags"] == ["centos-stream-container-base:10"]


def test_a_tree_without_bash_starts_sh(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    (tree / "usr/bin/bash").unlink()
    image = build(tree, tmp_path / "out")
    assert inspect(f"oci-archive:{image}", "--override-arch=amd64")["Os"] == "linux"
    (entry,) = document(image, "index.json")["manifests"]
    config = json.loads(blob(image, json.loads(blob(image, entry))["config"]))
    assert config["config"]["Cmd"] == ["/bin/sh"]


def test_architectures_are_chosen_from_one_index(image: Path, tree: Path, tmp_path: Path) -> None:
    arm = build(tree, tmp_path / "arm", "aarch64")
    power = build(tree, tmp_path / "power", "ppc64le")
    both = tmp_path / "both.tar"
    merge([arm, image, power], both, EPOCH)

    (entry,) = document(both, "index.json")["manifests"]
    platforms = [each["platform"] for each in json.loads(blob(both, entry))["manifests"]]
    assert platforms == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux", "variant": "v8"},
        {"architecture": "ppc64le", "os": "linux"},
    ]
    for chosen in ("amd64", "arm64", "ppc64le"):
        where = f"oci-archive:{both}"
        assert inspect(where, f"--override-arch={chosen}")["Architecture"] == chosen
    subprocess.run(
        ["skopeo", "copy", "--quiet", "--all", f"oci-archive:{both}", f"dir:{tmp_path / 'all'}"],
        check=True)
    assert len(json.loads((tmp_path / "all/manifest.json").read_text())["manifests"]) == 3
    # The layer is the same for all here, and lies there once.
    assert both.stat().st_size < image.stat().st_size + 20_000


def test_two_images_of_one_platform_are_refused(image: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two images are for"):
        merge([image, image], tmp_path / "both.tar", EPOCH)


def test_what_is_no_oci_archive_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.tar"
    subprocess.run(["tar", "-cf", other, "-C", "/etc", "hostname"], check=True)
    with pytest.raises(InputError, match=r"other\.tar: not an OCI archive of one image"):
        merge([other], tmp_path / "both.tar", EPOCH)


def test_a_damaged_blob_is_refused(image: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tar"
    content = bytearray(image.read_bytes())
    content[4 * 512] ^= 1  # in the layer, behind two folders and the blob's header
    damaged.write_bytes(content)
    with pytest.raises(InputError, match="has the content of"):
        merge([damaged], tmp_path / "both.tar", EPOCH)
