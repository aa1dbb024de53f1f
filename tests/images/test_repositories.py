"""images/repositories: what each file says, and labels for what upstream has not accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.errors import InputError
from images import catalogue
from images.record import Label, Package, RepositoryRecord, labels_of

HERE = catalogue.HERE / "repositories"


@pytest.mark.parametrize("name", catalogue.repository_names())
def test_each_offer_is_of_known_releases_by_https_with_a_fingerprint(name: str) -> None:
    one = catalogue.repositories()[name]
    for offer in one.offers:
        key = one.key_of(offer)
        for release in map(catalogue.release, offer.releases):
            assert set(offer.architectures) <= set(release.architectures)
            urls = [*offer.mirrors, key.url]
            if release.rehearsal:
                assert all(url.startswith("file://{rehearsals}/") for url in urls)
            else:
                assert key.fingerprint and all(url.startswith("https://") for url in urls)


def test_crb_has_the_release_s_own_key() -> None:
    crb = catalogue.repositories()["crb"]
    for name in ("centos-stream-9", "centos-stream-10"):
        assert crb.key == catalogue.release(name).key


def test_a_file_of_one_s_own_is_added_and_takes_no_name_that_there_is(tmp_path: Path) -> None:
    text = (HERE / "crb.yaml").read_text()
    mine = tmp_path / "any name.yaml"
    mine.write_text(text.replace("name: crb", "name: mine"))
    assert "mine" in catalogue.repositories([mine])
    mine.write_text(text)
    with pytest.raises(InputError, match="'crb' already") as caught:
        catalogue.repositories([mine])
    assert caught.value.where == str(mine)


def test_a_file_without_a_key_is_refused_with_its_place(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\ntitle: Mine\nupstream: external\nlicences: MIT\noffers:\n"
                    "  - {releases: [rehearsal-10], architectures: [x86_64], mirrors: [file:///]}\n")
    with pytest.raises(InputError, match="key is missing") as caught:
        catalogue.repositories([mine])
    assert str(caught.value.where).startswith(str(mine))


def package(repository: str) -> Package:
    return Package(name="a", epoch=0, version="1", release="1", arch="noarch",
                   repository=repository, sha256="")


@pytest.mark.parametrize(("upstream", "unsigned", "says"), [
    ("accepted", False, None),
    ("accepted", True, "x: 1 package accepted upstream, not signed by anybody"),
    ("not-accepted", False, "x: 1 package not accepted upstream"),
    ("external", False, "x: 1 package from outside of CentOS"),
])
def test_content_and_its_label(upstream: str, unsigned: bool, says: str | None) -> None:
    one = RepositoryRecord.model_validate({
        "id": "x", "url": "u", "repomd_sha256": "", "upstream": upstream, "unsigned": unsigned})
    found = labels_of([one], [package("x"), package("baseos")])
    assert [label.text for label in found] == ([says] if says else [])
    assert labels_of([one], [package("baseos")]) == [], "nothing of the image is from there"


def test_counts_are_in_the_label() -> None:
    one = RepositoryRecord(id="x", url="u", repomd_sha256="", upstream="external")
    assert labels_of([one], [package("x")] * 3) == [
        Label(repository="x", upstream="external", packages=3)]
