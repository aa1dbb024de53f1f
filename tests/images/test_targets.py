"""Destinations: what we ship loads and fits together, and a wrong file says where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.formats import registry as formats
from builder.formats.registry import FORMATS
from host.errors import InputError
from host.yaml_files import load
from images import catalogue
from images.target import DiskRule, Layer, Target
from specs.kinds.settings import DataSources
from specs.model import load as load_spec

ALL = catalogue.target_names()
GOOD = """name: test
title: A test
formats: [qcow2]
accepts: [raw]
disk:
  multiple: 1 GiB
layer:
  data_sources: [Ec2, None]
drivers: [nvme]
properties:
  version: "{version}"
by_architecture:
  x86_64: {boot: bios}
documents:
  txt: "{{ name }}"
"""


def test_every_destination_of_the_project_is_there() -> None:
    assert {
        "openstack", "cloudstack", "opennebula", "eucalyptus", "ovirt", "docker", "oci", "vagrant",
        "aws", "hp-cloud", "gce", "brightbox", "azure", "hyper-v", "vmware", "virtualbox", "incus",
        "incus-vm", "lxc", "openvz", "xen", "wsl", "kvm", "live", "install",
    } == set(ALL)


def test_every_flavour_of_the_project_is_there() -> None:
    assert {
        "GenericCloud", "ec2", "Vagrant", "Container-Base", "Container-Minimal", "Azure", "GCE",
        "CloudStack", "OpenNebula", "oVirt", "Eucalyptus", "OpenVZ", "LXC", "Xen", "Live", "WSL",
    } == {catalogue.image(name).flavour for name in catalogue.image_names()}


def test_all_targets_together_make_every_format() -> None:
    own = {name for target in map(catalogue.target, ALL) for name in target.formats}
    made_on_the_way = {formats.get(name).source for name in own}
    assert set(FORMATS) <= own | made_on_the_way


@pytest.mark.parametrize("name", ALL)
def test_a_target_has_formats_that_exist_each_once(name: str) -> None:
    target = catalogue.target(name)
    taken = [*target.formats, *target.accepts]
    assert set(taken) <= set(FORMATS)
    assert len(taken) == len(set(taken))


@pytest.mark.parametrize("name", ALL)
def test_an_image_is_made_for_every_target_and_fits_it(name: str) -> None:
    target = catalogue.target(name)
    images = [image for image in map(catalogue.image, catalogue.image_names())
              if name in image.targets]
    assert images, "no image has this target"
    for image in images:
        assert target in catalogue.targets_of(image)
        made_of = {formats.origin(formats.get(each)) for each in target.formats}
        if image.shape == "container":
            assert made_of == {"tree"}
            assert not target.drivers and not target.layer.kernel_arguments
        if "disk" in made_of:
            assert target.disk.objection(image.disk_size_bytes) is None


@pytest.mark.parametrize("name", [one for one in ALL if catalogue.target(one).layer.data_sources])
def test_the_spec_proves_the_list_of_data_sources(name: str) -> None:
    layer = catalogue.target(name).layer
    checks = [rule.check for rule in load_spec(f"targets/{name}").rules]
    assert any(isinstance(check, DataSources) and list(check.sources) == layer.data_sources
               for check in checks)
    # cloud-init's own last resort, and a seed disk for who tries the image at home, and for us.
    assert layer.data_sources[-1] == "None" and "NoCloud" in layer.data_sources


@pytest.mark.parametrize("name", catalogue.image_names())
def test_an_image_has_the_spec_of_its_targets(name: str) -> None:
    image = catalogue.image(name)
    assert load_spec(image.spec).rules


def test_properties_of_an_architecture_lie_over_those_for_all() -> None:
    aws = catalogue.target("aws")
    assert aws.properties_for("x86_64")["BootMode"] == "uefi-preferred"
    assert aws.properties_for("aarch64")["Architecture"] == "arm64"
    assert aws.properties_for("s390x")["EnaSupport"] is True


def target_of(tmp_path: Path, text: str) -> Target:
    path = tmp_path / "test.yaml"
    path.write_text(text)
    return load(path, Target)


@pytest.mark.parametrize(("old", "new", "line", "says"), [
    ("drivers: [nvme]", "drivers: nvme", 9, "drivers"),
    ("1 GiB", "1 GB", 6, "not a size"),
    ("  multiple", "  multipel", 6, "multipel"),
    ("formats: [qcow2]", "formats: []", 3, "formats"),
    ("[Ec2, None]", "Ec2", 8, "data_sources"),
    ("  data_sources: [Ec2, None]", "  data_source_settings: {GCE: {}}", 7, "GCE is not one of"),
    ("  data_sources: [Ec2, None]", "  default_user: root", 7, "no data_sources"),
    ("x86_64: {boot", "amd64: {boot", 13, "x86_64"),
    ("  version:", "  version: {a: b}\n  more:", 11, "properties"),
    ("title: A test\n", "", 1, "title: field required"),
])
def test_a_wrong_key_or_value_names_file_and_line(
    tmp_path: Path, old: str, new: str, line: int, says: str,
) -> None:
    assert target_of(tmp_path, GOOD).name == "test"
    with pytest.raises(InputError) as caught:
        target_of(tmp_path, GOOD.replace(old, new))
    assert says in str(caught.value)
    assert caught.value.where == f"{tmp_path / 'test.yaml'}:{line}"


@pytest.mark.parametrize(("rule", "size", "says"), [
    ({"multiple": "1 GiB"}, 3 << 29, "whole number of 1 GiB"),
    ({"minimum": "1 GiB"}, 1 << 29, "at least 1 GiB"),
    ({"maximum": "1 GiB"}, 2 << 30, "at most 1 GiB"),
    ({"multiple": "1 GiB", "minimum": "1 GiB", "maximum": "4 GiB"}, 4 << 30, None),
])
def test_what_a_destination_says_of_a_disk(
    rule: dict[str, str], size: int, says: str | None,
) -> None:
    objection = DiskRule.model_validate(rule).objection(size)
    assert objection is None if says is None else says in str(objection)


def test_targets_of_one_image_want_the_same_of_the_tree() -> None:
    image = catalogue.image("generic-cloud").model_copy(update={"targets": ["kvm", "aws"]})
    with pytest.raises(InputError, match="kvm and aws have different layers") as caught:
        catalogue.targets_of(image)
    assert str(caught.value.where).endswith("generic-cloud.yaml")


def test_an_unknown_target_suggests_one_that_is() -> None:
    with pytest.raises(InputError, match="did you mean openstack"):
        catalogue.target("openstak")


def test_a_layer_that_says_nothing_is_empty() -> None:
    assert Layer().is_empty
    assert not Layer(services=["waagent.service"]).is_empty
