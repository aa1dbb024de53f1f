"""From the words of the command line to what is built: images, targets, formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.request import Request
from ccis.selection import Order
from host.errors import InputError
from host.progress import Silent
from images import catalogue


def chosen(
    *images: str, target: str | None = None, image_format: str | None = None,
    kickstart: Path | None = None,
) -> list[Request]:
    return Order(
        images=list(images), kickstart=str(kickstart) if kickstart else None, arch="x86_64",
        formats=[image_format] if image_format else None,
        targets=[target] if target else None).requests(Silent())


def names(requests: list[Request]) -> dict[str, list[str]]:
    return {each.flavour: each.wanted_formats for each in requests}


def test_an_image_alone_has_its_own_formats() -> None:
    assert names(chosen("generic-cloud")) == {"GenericCloud": ["qcow2", "raw"]}
    assert names(chosen("ec2")) == {"ec2": ["raw-xz"]}


def test_a_target_alone_stands_for_the_images_that_are_its_own() -> None:
    assert names(chosen(target="aws")) == {"ec2": ["raw-xz"]}
    assert set(names(chosen(target="docker"))) == {"Container-Base", "Container-Minimal"}


def test_targets_that_want_the_same_tree_are_one_image_with_the_formats_of_both() -> None:
    (one,) = chosen("generic-cloud", target="openstack,vmware")
    assert one.flavour == "GenericCloud"
    assert one.wanted_formats == ["qcow2", "raw", "ova", "vmdk", "vmdk-sparse"]


def test_a_target_that_wants_another_tree_gives_the_image_another_name() -> None:
    first, second = chosen("generic-cloud", target="openstack,azure")
    assert (first.flavour, second.flavour) == ("GenericCloud", "GenericCloud-azure")
    assert second.wanted_formats == ["vhd"]
    assert second.layer.data_sources[0] == "Azure"


def test_all_makes_every_image_that_has_a_target() -> None:
    everything = chosen(target="all")
    assert {each.image.name for each in everything} == {
        name for name in catalogue.image_names() if catalogue.image(name).targets}
    served = {target.name for each in everything for target in each.targets}
    assert served == set(catalogue.target_names())


def test_a_format_beside_a_target_is_made_if_the_target_takes_it() -> None:
    assert names(chosen("ec2", target="aws", image_format="raw,vmdk")) == {"ec2": ["raw", "vmdk"]}
    with pytest.raises(InputError, match="Google Compute Engine does not take vhdx") as caught:
        chosen(target="gce", image_format="vhdx")
    assert str(caught.value.where).endswith("images/targets/gce.yaml")
    assert caught.value.remedy == "it takes: gce"


def test_a_kickstart_takes_the_place_of_the_image_s_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.ks"
    (one,) = chosen("ec2", kickstart=file)
    assert (one.kickstart, one.flavour) == (file, "ec2")
    (one,) = chosen(kickstart=file, target="openstack")
    assert (one.flavour, one.wanted_formats) == ("Mine", ["qcow2", "raw"])


@pytest.mark.parametrize(("wish", "message"), [
    ({"target": "opnstack"}, "did you mean openstack"),
    ({"image_format": "qcow3", "target": "kvm"}, "unknown format qcow3"),
    ({}, "nothing to build"),
])
def test_what_is_not_known_is_an_error_that_helps(wish: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        chosen(**wish)  # type: ignore[arg-type]


def test_a_container_has_no_disk_formats() -> None:
    (one,) = chosen("container-base", image_format="qcow2")
    with pytest.raises(InputError, match="container-base has no disk to make qcow2 of"):
        one.check()


def test_a_disk_size_that_a_target_forbids() -> None:
    (one,) = chosen("gce")
    odd = one.image.model_copy(update={"disk_size": "4097 MiB"})
    wrong = Request(odd, one.kickstart, one.release, one.arch, targets=one.targets)
    with pytest.raises(InputError, match="does not take a disk of 4097 MiB") as caught:
        wrong.check()
    assert caught.value.why == "it must be a whole number of 1 GiB"
    assert caught.value.exit_status == 2
