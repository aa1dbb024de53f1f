"""Container artefacts in the hands of those who take them: skopeo, umoci, podman, LXC."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.formats.conftest import Everything
from tests.integration.formats.containers import Podman, output, podman, started

NO_NETWORK = "lxc.net.0.type = empty\n"
_STATE = "%P|%y|%m|%U|%G|%s|%T@|%l\\n"


@pytest.fixture
def engine() -> Iterator[Podman]:
    with podman() as ready:
        yield ready


def unpack(archive: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    output("tar", "-xpf", archive, "-C", folder, "--numeric-owner", "--xattrs",
           "--xattrs-include=*")
    return folder


def state(folder: Path) -> list[str]:
    """Every path below a folder with type, mode, owners, size, time and target."""
    listed = output("find", folder, "-mindepth", "1", "(", "-type", "d", "-printf",
                    _STATE.replace("%s", "-"), "-o", "-printf", _STATE, ")")
    return sorted(listed.splitlines())


def capabilities(folder: Path) -> str:
    return output("getcap", "-r", folder).replace(str(folder), "")


# OCI and Docker -------------------------------------------------------------------------------


@pytest.mark.parametrize("image", ["container-base", "container-minimal"])
def test_skopeo_and_umoci_take_the_image_apart(
    everything: Everything, image: str, tmp_path: Path,
) -> None:
    archive = everything.file("oci", image)
    record = everything.record(image)
    said = json.loads(output("skopeo", "inspect", f"oci-archive:{archive}"))
    assert (said["Architecture"], said["Os"]) == ("amd64", "linux")
    assert said["Labels"]["org.opencontainers.image.version"] == record.version
    assert len(said["Layers"]) == 1

    layout = tmp_path / "layout"
    output("skopeo", "copy", "--quiet", f"oci-archive:{archive}", f"oci:{layout}:copy")
    output("umoci", "unpack", "--image", f"{layout}:copy", tmp_path / "bundle")
    rootfs = tmp_path / "bundle/rootfs"
    assert "ID=" in (rootfs / "usr/lib/os-release").read_text()
    assert list((rootfs / "dev").iterdir()) == []
    config = json.loads((tmp_path / "bundle/config.json").read_text())
    assert config["process"]["args"] == ["/bin/bash"]
    shutil.rmtree(tmp_path / "bundle")


@pytest.mark.parametrize(("image", "manager"), [
    ("container-base", "dnf"), ("container-minimal", "microdnf"),
])
def test_podman_loads_and_runs_the_image(
    everything: Everything, engine: Podman, image: str, manager: str,
) -> None:
    record = everything.record(image)
    engine("load", "--quiet", "--input", everything.file("docker", image))
    name = f"{record.distribution}-{record.flavour}:{record.version}".lower()
    assert f'VERSION_ID="{record.version}' in engine.run(name, "cat", "/etc/os-release")
    assert engine.run(name, manager, "--version").strip()
    installed = engine.run(name, "rpm", "-qa").split()
    assert len(installed) == len(record.packages)
    # Who names no command gets the shell.
    assert engine.run(name, feed="echo $0 $((6 * 7))\n").strip() == "/bin/bash 42"


def test_the_docker_archive_is_read_as_one(
    everything: Everything, engine: Podman, tmp_path: Path,
) -> None:
    """containers/image has a reader of its own for what `docker load` takes."""
    archive = everything.file("docker", "container-minimal")
    config = json.loads(output("skopeo", "inspect", "--config", f"docker-archive:{archive}"))
    output("skopeo", "copy", "--quiet", f"docker-archive:{archive}", f"dir:{tmp_path / 'dir'}")
    manifest = json.loads((tmp_path / "dir/manifest.json").read_text())
    # It unpacks the layer on the way, and names it by its diff_id: both must agree.
    assert [layer["digest"] for layer in manifest["layers"]] == config["rootfs"]["diff_ids"]


def test_the_plain_tree_is_imported_and_runs(everything: Everything, engine: Podman) -> None:
    engine("import", "--quiet", everything.file("tar-xz", "container-base"), "plain:1")
    assert "dnf" in engine.run("plain:1", "rpm", "-q", "dnf")


# LXC ------------------------------------------------------------------------------------------


def test_lxc_starts_it_to_its_default_target(everything: Everything, tmp_path: Path) -> None:
    meta, rootfs = (next(path for path in everything.files("lxc") if path.name.endswith(ending))
                    for ending in ("lxc.meta.tar.xz", "lxc.rootfs.tar.xz"))
    (tmp_path / "network").write_text(NO_NETWORK)
    said = output(
        "lxc-create", "--lxcpath", tmp_path, "--name", "ccis-lxc", "--config",
        tmp_path / "network", "--template", "local", "--", "--metadata", meta, "--fstree", rootfs)
    assert "You have made a container of" in said
    with started(tmp_path, "ccis-lxc") as container:
        check_system(container, "ccis-lxc")
    assert_nothing_runs(tmp_path)


def test_lxc_directory_starts_as_it_was_unpacked(everything: Everything, tmp_path: Path) -> None:
    archive = everything.file("lxc-directory", "lxc")
    unpack(archive, tmp_path / "lxc")
    (folder,) = (tmp_path / "lxc").iterdir()
    config = (folder / "config").read_text()
    assert f"lxc.rootfs.path = dir:/var/lib/lxc/{folder.name}/rootfs\n" in config
    # The test's host has no lxcbr0, and its /var/lib/lxc is not the test's.
    with started(tmp_path / "lxc", folder.name, "lxc.net.0.type=empty",
                 f"lxc.rootfs.path=dir:{folder}/rootfs") as container:
        check_system(container, folder.name)
    assert_nothing_runs(tmp_path / "lxc")


def check_system(container: Any, name: str) -> None:
    container.wait_for_target("multi-user.target")
    assert container.attach("cat", "/proc/1/comm").strip() == "systemd"
    assert container.attach("cat", "/proc/sys/kernel/hostname").strip() == name
    assert container.attach("systemctl", "get-default").strip() in (
        "multi-user.target", "graphical.target")
    assert container.attach("systemctl", "list-units", "--failed", "--no-legend", "--plain") == ""
    assert "systemd" in container.attach("rpm", "-q", "systemd")


def assert_nothing_runs(lxcpath: Path) -> None:
    assert output("lxc-ls", "--lxcpath", lxcpath, "--running").split() == []
    left = subprocess.run(["pgrep", "-af", f"lxc.*{lxcpath}"], capture_output=True, text=True,
                          check=False).stdout
    assert left == ""


# Incus ----------------------------------------------------------------------------------------


def test_incus_split_and_unified_hold_the_same_tree(
    everything: Everything, tmp_path: Path,
) -> None:
    meta, squashfs = (next(path for path in everything.files("incus") if path.name.endswith(end))
                      for end in (".incus.tar.xz", ".squashfs"))
    with tarfile.open(meta) as archive:
        stream = archive.extractfile("metadata.yaml")
        assert stream is not None
        metadata = yaml.safe_load(stream.read())
        for template in metadata["templates"].values():
            archive.getmember(f"templates/{template['template']}")
    assert metadata["architecture"] == "x86_64"
    assert metadata["creation_date"] == everything.record("lxc").source_date_epoch

    output("unsquashfs", "-quiet", "-no-progress", "-d", tmp_path / "split", squashfs)
    unified = unpack(everything.file("incus-unified"), tmp_path / "unified")
    assert state(tmp_path / "split") == state(unified / "rootfs")
    assert capabilities(tmp_path / "split") == capabilities(unified / "rootfs")
    output("diff", "-r", "--no-dereference", tmp_path / "split", unified / "rootfs")
    for folder in ("split", "unified"):
        shutil.rmtree(tmp_path / folder)


def test_incus_machine_is_the_disk_with_metadata(everything: Everything) -> None:
    disk, meta = (next(path for path in everything.files("incus-vm") if path.name.endswith(end))
                  for end in (".incus.qcow2", ".incus-vm.tar.xz"))
    assert json.loads(output("qemu-img", "info", "--output=json", disk))["format"] == "qcow2"
    with tarfile.open(meta) as archive:
        assert "metadata.yaml" in archive.getnames()


# OpenVZ and WSL -------------------------------------------------------------------------------


def test_openvz_has_init_and_no_kernel(everything: Everything) -> None:
    with tarfile.open(everything.file("openvz")) as archive:
        names = set(archive.getnames())
    assert "./usr/lib/systemd/systemd" in names
    assert "./sbin" in names
    assert not [name for name in names
                if name.startswith(("./boot/", "./usr/lib/modules/", "./dev/"))]


def test_wsl_makes_its_user_at_the_first_start(everything: Everything, engine: Podman) -> None:
    archive = everything.file("wsl")
    with tarfile.open(archive) as opened:
        names = opened.getnames()
    assert "./etc/resolv.conf" not in names
    assert names.count("./etc/wsl.conf") == names.count("./etc/wsl-distribution.conf") == 1
    assert not [name for name in names if name.startswith("./boot/")]

    engine("import", "--quiet", archive, "wsl:1")
    conf = engine.run("wsl:1", "cat", "/etc/wsl.conf", "/etc/wsl-distribution.conf")
    assert "systemd=true" in conf
    command = conf.split("command = ")[1].splitlines()[0]
    said = engine.run("wsl:1", "bash", "-c", f"{command} && id -u alice && id -nG alice",
                      feed="alice\nSeven-ducks-7\nSeven-ducks-7\n")
    # The script's prompt stands before the number, without an end of line.
    assert said.split()[-3:] == ["1000", "alice", "wheel"], said
