"""`ccis build --target all`: every artefact in one run, and build.json says what it cost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from builder.formats.registry import FORMATS
from host.files import sha256_file
from images import catalogue
from tests.integration.formats.conftest import Everything


def test_every_image_and_every_format_is_there(everything: Everything) -> None:
    assert set(everything.folders) == {
        name for name in catalogue.image_names() if catalogue.image(name).targets}
    made = {artefact.format for image in everything.folders
            for artefact in everything.record(image).artefacts}
    on_the_way = {step.name for image in everything.folders
                  for step in everything.record(image).steps}
    assert set(FORMATS) <= made | on_the_way
    assert {name for each in map(catalogue.target, catalogue.target_names())
            for name in each.formats} <= made


def test_the_files_are_what_build_json_says(everything: Everything) -> None:
    for image, folder in everything.folders.items():
        artefacts = everything.record(image).artefacts
        assert {path.name for path in folder.iterdir()} == {
            "build.json", *(artefact.file for artefact in artefacts)}
        for artefact in artefacts:
            assert (folder / artefact.file).stat().st_size == artefact.size_bytes
    for artefact in everything.record("container-minimal").artefacts:
        file = everything.folders["container-minimal"] / artefact.file
        assert sha256_file(file) == artefact.sha256


def test_each_step_says_what_it_started_from_and_whom_it_was_made_for(
    everything: Everything,
) -> None:
    steps = {step.name: step for step in everything.record("ec2").steps}
    assert steps["raw-xz"].after == "disk"
    assert steps["disk"].after == "seal"
    assert "GenericCloud" in steps["packages"].shared_with  # the same kickstart
    assert steps["target"].shared_with == []  # only EC2 has EC2's data source
    for step in (steps["raw-xz"], steps["disk"]):  # cached: it was made before this run
        assert (step.cpu_s > 0) is (step.duration_s > 0) is not step.cached


def test_what_two_images_have_in_common_is_one_file(everything: Everything) -> None:
    inodes: dict[str, set[int]] = {}
    for image, folder in everything.folders.items():
        for artefact in everything.record(image).artefacts:
            status = (folder / artefact.file).stat()
            inodes.setdefault(artefact.sha256, set()).add(status.st_ino)
    assert all(len(found) == 1 for found in inodes.values())
    lxc, tar = everything.record("lxc"), everything.files("lxc", "lxc")
    assert any(artefact.file.endswith("lxc.rootfs.tar.xz") for artefact in lxc.artefacts)
    assert len(tar) == 2


def test_targets_get_their_files_documents_and_metadata(everything: Everything) -> None:
    (openstack,) = [target for target in everything.record("generic-cloud").targets
                    if target.name == "openstack"]
    assert any(file.endswith(".qcow2") for file in openstack.files)
    assert openstack.properties["os_distro"] == "centos"
    assert openstack.properties["architecture"] == "x86_64"
    (xen,) = everything.record("xen").targets
    texts = {name: (everything.folders["xen"] / name).read_text() for name in xen.documents}
    assert not [name for name, text in texts.items() if "{{" in text]
    raw = everything.file("raw", "xen").name
    for kind in ("pv", "pvh", "hvm"):
        (text,) = [text for name, text in texts.items() if name.endswith(f".{kind}.cfg")]
        assert raw in text, "the configuration names the disk's file"


@pytest.mark.alone
def test_a_second_run_costs_next_to_nothing(
    everything: Everything, ccis: Any, tmp_path: Path,
) -> None:
    began_s = time.monotonic()
    report = ccis.json("build", "--release", "rehearsal-10", "--target", "all", "--out", tmp_path)
    assert time.monotonic() - began_s < 60
    assert all(step["cached"] for built in report for step in built["steps"])
