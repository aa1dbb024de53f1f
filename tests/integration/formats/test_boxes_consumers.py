"""Vagrant's own programs take our boxes: added from the file and from a catalogue, with checksum.

No provider's hypervisor runs here, so `vagrant up` is not shown; what a provider's plugin reads in
the box is checked in tests/builder/formats/test_boxes.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCHEMA = Path(__file__).parents[2] / "builder" / "formats" / "ovf" / "envelope.xsd"
BOXES = [
    ("vagrant-libvirt", "libvirt", "box.img", "qcow2"),
    ("vagrant-virtualbox", "virtualbox", "box-disk001.vmdk", "vmdk"),
    ("vagrant-vmware", "vmware_desktop", "disk.vmdk", "vmdk"),
    ("vagrant-hyperv", "hyperv", "Virtual Hard Disks/disk.vhdx", "vhdx"),
]
Vagrant = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def vagrant(home: Path, tmp_path: Path) -> Vagrant:
    """Runs Debian's vagrant with a home of its own and no network."""

    def run(*words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["unshare", "--net", "vagrant", *words], cwd=tmp_path, capture_output=True, text=True,
            timeout=300, env={**os.environ, "VAGRANT_HOME": str(home),
                              "VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_NO_COLOR": "1"})
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    return run


def image_with(everything: Any, image_format: str) -> str:
    return next(name for name in sorted(everything.folders)
                if any(artefact.format == image_format
                       for artefact in everything.record(name).artefacts))


@pytest.mark.parametrize(("image_format", "provider", "disk", "disk_format"), BOXES)
def test_vagrant_adds_the_box_and_the_disk_in_it_is_the_raw(
    everything: Any, vagrant: Vagrant, home: Path,
    image_format: str, provider: str, disk: str, disk_format: str,
) -> None:
    box = everything.file(image_format)
    vagrant("box", "add", "--name", "ccis/box", box)
    assert vagrant("box", "list").stdout.split() == ["ccis/box", f"({provider},", "0)"]
    folder = home / "boxes" / "ccis-VAGRANTSLASH-box" / "0" / provider
    subprocess.run(["ruby", "-c", folder / "Vagrantfile"], check=True, capture_output=True)
    raw = everything.raw_of(image_with(everything, image_format))
    subprocess.run(["qemu-img", "compare", "-f", disk_format, "-F", "raw", folder / disk, raw],
                   check=True, capture_output=True)
    if provider == "libvirt":
        said = json.loads((folder / "metadata.json").read_text())
        assert said["virtual_size"] * 2**30 >= raw.stat().st_size > (
            said["virtual_size"] - 1) * 2**30
    if provider == "virtualbox":
        subprocess.run(["xmllint", "--noout", "--nonet", "--schema", SCHEMA, folder / "box.ovf"],
                       check=True, capture_output=True)


@pytest.fixture
def catalogue(everything: Any, tmp_path: Path) -> Path:
    """A catalogue as a server would give it, with one version and a box for each provider."""
    providers = []
    for image_format, provider, _, _ in BOXES:
        box = everything.file(image_format)
        with box.open("rb") as stream:
            checksum = hashlib.file_digest(stream, "sha256").hexdigest()
        providers.append({"name": provider, "url": f"file://{box}", "checksum_type": "sha256",
                          "checksum": checksum})
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps({
        "name": "ccis/catalogued", "versions": [{"version": "20251121.0", "providers": providers}],
    }))
    return path


def test_vagrant_adds_each_provider_s_box_from_a_catalogue(
    vagrant: Vagrant, catalogue: Path,
) -> None:
    for _, provider, _, _ in BOXES:
        vagrant("box", "add", catalogue, "--provider", provider)
    listed = vagrant("box", "list").stdout
    for _, provider, _, _ in BOXES:
        assert f"ccis/catalogued ({provider}, 20251121.0)" in " ".join(listed.split())


def test_vagrant_refuses_a_box_that_is_not_the_one_of_the_catalogue(
    vagrant: Vagrant, catalogue: Path,
) -> None:
    content = json.loads(catalogue.read_text())
    content["versions"][0]["providers"][0]["checksum"] = "0" * 64
    catalogue.write_text(json.dumps(content))
    done = vagrant("box", "add", catalogue, "--provider", "libvirt", check=False)
    assert done.returncode != 0
    assert "checksum" in done.stderr
    assert "libvirt" not in vagrant("box", "list").stdout
