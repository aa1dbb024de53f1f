"""Images and releases: what we ship loads, and a wrong file says where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.errors import InputError
from host.yaml_files import load
from images import catalogue
from images.image import Image
from images.release import Release
from images.sizes import parse_size

GOOD = """name: test
flavour: Test
summary: A test
kickstart: test.ks
disk_size: 4 GiB
formats: [raw]
"""


def test_everything_that_we_ship_loads() -> None:
    for name in catalogue.image_names():
        image = catalogue.image(name)
        assert catalogue.kickstart_of(image).is_file()
    releases = [catalogue.release(name) for name in catalogue.release_names()]
    assert {"centos-stream-9", "centos-stream-10", "rehearsal-9", "rehearsal-10"} <= {
        release.name for release in releases}
    for release in releases:
        assert release.rehearsal or release.key.fingerprint, "a fetched key needs a fingerprint"
        assert release.rehearsal or len(release.architectures) == 4


@pytest.mark.parametrize(("text", "line", "says"), [
    (GOOD + "colour: blue\n", 7, "colour"),
    (GOOD.replace("4 GiB", "four"), 5, "not a size"),
    (GOOD.replace("[raw]", "raw"), 6, "formats"),
    (GOOD.replace("name: test", "name: Test Image"), 1, "name"),
    ("name: [unclosed\n", 2, "not valid YAML"),
])
def test_a_wrong_key_or_value_names_file_and_line(
    tmp_path: Path, text: str, line: int, says: str,
) -> None:
    path = tmp_path / "test.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load(path, Image)
    assert says in str(caught.value)
    assert caught.value.where == f"{path}:{line}"


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    path.write_text(GOOD.replace("flavour: Test\n", ""))
    with pytest.raises(InputError, match="flavour"):
        load(path, Image)


def test_a_key_deep_inside_is_found(tmp_path: Path) -> None:
    path = tmp_path / "release.yaml"
    original = (catalogue.HERE / "releases/centos-stream-9.yaml").read_text()
    path.write_text(original.replace("  - id: appstream", "  - id: appstream\n    sign: yes"))
    with pytest.raises(InputError) as caught:
        load(path, Release)
    line = path.read_text().splitlines().index("    sign: yes") + 1
    assert caught.value.where == f"{path}:{line}"


def test_a_name_that_is_not_there_suggests_one_that_is() -> None:
    with pytest.raises(InputError, match="did you mean generic-cloud"):
        catalogue.image("generic-clod")
    with pytest.raises(InputError, match="did you mean rehearsal-10"):
        catalogue.release("rehearsal-1")


@pytest.mark.parametrize(("text", "size"), [("4 GiB", 4 << 30), ("512 MiB", 512 << 20)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "4", "4GiB", "0 GiB", "-1 GiB", "4 GB", "1.5 GiB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)
