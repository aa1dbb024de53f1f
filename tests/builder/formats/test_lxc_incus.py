"""Images for LXC and Incus: metadata that their tools can read, a root that holds the tree."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from builder.formats import registry as formats
from host.progress import Silent
from tests.builder.formats.container_tree import EPOCH, about, described, make_tree, unpack


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree")


def make(name: str, source: Path, folder: Path) -> Path:
    folder.mkdir()
    formats.get(name).make(source, folder, about(), Silent())
    return folder


def texts(archive: Path) -> dict[str, str]:
    found = {}
    with tarfile.open(archive) as opened:
        for member in opened:
            assert (member.uid, member.gid, member.mtime) == (0, 0, EPOCH)
            stream = opened.extractfile(member) if member.isfile() else None
            if stream is not None:
                found[member.name] = stream.read().decode()
    return found


def render(template: str, config: dict[str, str], kind: str = "container") -> str:
    """As Incus renders it; its pongo2 and Jinja2 agree on all that the templates use."""
    return jinja2.Template(template).render(
        instance={"name": "c1", "type": kind}, config_get=config.get)


def test_lxc_metadata_is_what_the_templates_look_for(tree: Path, tmp_path: Path) -> None:
    tar_xz = make("tar-xz", tree, tmp_path / "tar-xz")
    lxc = make("lxc", tar_xz, tmp_path / "lxc")
    assert (lxc / "lxc.rootfs.tar.xz").samefile(tar_xz / "tar.xz")
    found = texts(lxc / "lxc.meta.tar.xz")
    assert "lxc.include = LXC_TEMPLATE_CONFIG/common.conf\n" in found["config"]
    assert "lxc.arch = x86_64\n" in found["config"]
    assert "lxc.include = LXC_TEMPLATE_CONFIG/userns.conf\n" in found["config-user"]
    assert int(found["expiry"]) > EPOCH
    assert found["excludes-user"] == "./dev/*\n"
    assert "CentOS Stream 10" in found["create-message"]
    assert "/etc/hostname" in found["templates"].splitlines()


def test_lxc_create_makes_a_container_of_it(tree: Path, tmp_path: Path) -> None:
    lxc = make("lxc", make("tar-xz", tree, tmp_path / "tar-xz"), tmp_path / "lxc")
    (tmp_path / "containers").mkdir()
    subprocess.run(
        ["lxc-create", "--lxcpath", tmp_path / "containers", "--name", "c1", "--config",
         "/dev/null", "--template", "local", "--", "--metadata", lxc / "lxc.meta.tar.xz",
         "--fstree", lxc / "lxc.rootfs.tar.xz"],
        check=True, capture_output=True)
    config = (tmp_path / "containers/c1/config").read_text()
    assert "lxc.uts.name = c1" in config
    assert "LXC_" not in config
    assert (tmp_path / "containers/c1/rootfs/etc/hosts").read_text() == "127.0.0.1 localhost\n"


def test_lxc_directory_is_a_container_in_place(tree: Path, tmp_path: Path) -> None:
    made = make("lxc-directory", tree, tmp_path / "out")
    back = unpack(made / "lxc.tar", tmp_path / "back")
    (container,) = back.iterdir()
    assert container.name == "centos-stream-10-container-base"
    config = (container / "config").read_text()
    assert f"lxc.rootfs.path = dir:/var/lib/lxc/{container.name}/rootfs\n" in config
    assert described(container / "rootfs") == described(tree, without=("dev", "proc", "run", "sys"))
    size_bytes = sum(path.lstat().st_size for path in tree.rglob("*") if path.is_file())
    assert (made / "lxc.tar").stat().st_size < size_bytes + 60_000


def test_incus_split(tree: Path, tmp_path: Path) -> None:
    made = make("incus", tree, tmp_path / "out")
    assert sorted(path.name for path in made.iterdir()) == ["incus.tar.xz", "squashfs"]
    found = texts(made / "incus.tar.xz")
    metadata = yaml.safe_load(found["metadata.yaml"])
    assert (metadata["architecture"], metadata["creation_date"]) == ("x86_64", EPOCH)
    assert metadata["properties"]["os"] == "CentOS-Stream"
    assert metadata["properties"]["release"] == "10"
    assert set(metadata["templates"]) == {"/etc/hostname", "/etc/hosts"}  # no cloud-init there
    for template in metadata["templates"].values():
        assert f"templates/{template['template']}" in found

    back = tmp_path / "back"
    subprocess.run(["unsquashfs", "-quiet", "-no-progress", "-d", back, made / "squashfs"],
                   check=True, capture_output=True)
    there, expected = described(back), described(tree, without=("dev", "proc", "run", "sys"))
    there.pop(".")  # mksquashfs has no time for the root of an archive but that of the file system
    expected.pop(".")
    assert there == without_acl(expected)  # squashfs has no ACLs
    assert os.listxattr(back / "etc/hosts") == []


def without_acl(found: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    return {
        name: (*rest, {key: value for key, value in attributes.items()
                       if not key.startswith("system.")})
        for name, (*rest, attributes) in found.items()
    }


def test_incus_unified(tree: Path, tmp_path: Path) -> None:
    made = make("incus-unified", tree, tmp_path / "out")
    with tarfile.open(made / "incus-unified.tar.xz") as archive:
        assert archive.getnames()[:2] == ["metadata.yaml", "templates"]
    back = unpack(made / "incus-unified.tar.xz", tmp_path / "back")
    assert sorted(path.name for path in back.iterdir()) == ["metadata.yaml", "rootfs", "templates"]
    assert described(back / "rootfs") == described(tree, without=("dev", "proc", "run", "sys"))
    assert yaml.safe_load((back / "metadata.yaml").read_text())["architecture"] == "x86_64"


def test_incus_machine_shares_the_disk(tmp_path: Path) -> None:
    (tmp_path / "qcow2").mkdir()
    (tmp_path / "qcow2/qcow2").write_bytes(b"QFI\xfb")
    made = make("incus-vm", tmp_path / "qcow2", tmp_path / "out")
    assert (made / "incus.qcow2").samefile(tmp_path / "qcow2/qcow2")
    metadata = yaml.safe_load(texts(made / "incus-vm.tar.xz")["metadata.yaml"])
    assert metadata["properties"]["type"] == "disk-kvm.img"
    assert "/var/lib/cloud/seed/nocloud-net/user-data" in metadata["templates"]


def test_templates_hand_the_instance_its_name_and_its_data(tree: Path, tmp_path: Path) -> None:
    (tree / "usr/bin/cloud-init").touch()
    found = texts(make("incus", tree, tmp_path / "out") / "incus.tar.xz")
    assert render(found["templates/hostname.tpl"], {}).strip() == "c1"
    assert render(found["templates/hosts.tpl"], {}) == "127.0.1.1\tc1\n127.0.0.1 localhost"
    meta = yaml.safe_load(render(found["templates/cloud-init-meta-data.tpl"], {}))
    assert meta == {"instance-id": "c1", "local-hostname": "c1"}

    user = found["templates/cloud-init-user-data.tpl"]
    assert render(user, {}) == "#cloud-config\n{}"
    assert render(user, {"user.user-data": "#!/bin/sh"}) == "#!/bin/sh"
    assert render(user, {"user.user-data": "old", "cloud-init.user-data": "new"}) == "new"

    network = found["templates/cloud-init-network-config.tpl"]
    assert yaml.safe_load(render(network, {}))["config"][0]["name"] == "eth0"
    machine = yaml.safe_load(render(network, {}, "virtual-machine"))
    assert machine["config"][0]["name"] == "enp5s0"
    assert render(network, {"cloud-init.network-config": "version: 2"}) == "version: 2"


def test_a_link_for_hosts_does_not_lead_out_of_the_tree(tree: Path, tmp_path: Path) -> None:
    (tree / "etc/hosts").unlink()
    (tree / "etc/hosts").symlink_to("/etc/hosts")
    found = texts(make("incus", tree, tmp_path / "out") / "incus.tar.xz")
    assert found["templates/hosts.tpl"].splitlines()[1].startswith("127.0.0.1   localhost ")
