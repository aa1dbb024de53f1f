"""What can't be made of an image is refused before anything is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builder.kickstart.read import read
from builder.outlook import check_formats
from builder.packages.choice import Choice
from builder.request import Request
from host.errors import InputError
from images import catalogue
from images.record import Package

PLAIN = "part / --size=1000\n"
EMPTIES = PLAIN + "%post\n> /etc/fstab\n%end\n"


def choices(names: str) -> list[Choice]:
    return [Choice(Package(name=name, epoch=0, version="1", release="1", arch="noarch",
                           repository="baseos", sha256=""), 1, name, 1) for name in names.split()]


def check(folder: Path, image: str, wanted: str, packages: str, text: str = PLAIN,
          targets: str = "") -> None:
    path = folder / "test.ks"
    path.write_text(text)
    request = Request(
        image=catalogue.image(image), kickstart=path, release=catalogue.release("rehearsal-10"),
        arch="x86_64", formats=tuple(wanted.split()),
        targets=tuple(map(catalogue.target, targets.split())))
    check_formats(request, read(path, "RHEL10"), choices(packages))


@pytest.mark.parametrize(("image", "wanted", "packages", "text", "why"), [
    ("generic-cloud", "qcow2 live-iso", "kernel-core dracut", PLAIN, "fstab names to mount at /"),
    ("generic-cloud", "live-iso", "kernel-core dracut", EMPTIES, None),
    ("generic-cloud", "install-iso", "kernel-core dracut", PLAIN, None),
    ("generic-cloud", "install-iso", "kernel-rt-core dracut", PLAIN, None),
    ("container-base", "install-iso", "bash dracut kernel-headers", PLAIN, "no kernel to start"),
    ("container-base", "live-iso", "bash", PLAIN, "no kernel to start"),
    ("live", "live-iso", "kernel-core dracut", PLAIN, None),
    ("live", "live-iso", "kernel-core", PLAIN, "no dracut"),
    ("container-base", "oci docker tar-xz", "bash", PLAIN, None),
])
def test_images_and_what_can_t_be_made_of_them(
    tmp_path: Path, image: str, wanted: str, packages: str, text: str, why: str | None,
) -> None:
    if why is None:
        check(tmp_path, image, wanted, packages, text)
        return
    with pytest.raises(InputError, match=f"can't be made of {image}") as caught:
        check(tmp_path, image, wanted, packages, text)
    assert why in str(caught.value.why)


def test_the_target_that_asks_for_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        check(tmp_path, "generic-cloud", "", "kernel-core dracut", targets="kvm live")
    assert caught.value.where == "--target live"
    assert "leave the target live out" in str(caught.value.remedy)


def test_scripts_with_a_network_may_bring_what_packages_do_not(tmp_path: Path) -> None:
    path = tmp_path / "test.ks"
    path.write_text(PLAIN)
    image = catalogue.image("live")
    request = Request(image=image, kickstart=path, release=catalogue.release("rehearsal-10"),
                      arch="x86_64", formats=("live-iso",))
    with pytest.raises(InputError):
        check_formats(request, read(path, "RHEL10"), [])
    online = image.model_copy(update={"network_in_post": True})
    check_formats(replace(request, image=online), read(path, "RHEL10"), [])
