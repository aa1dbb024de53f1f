"""Repositories that a kickstart names: each one's own key is for its own packages, and no other."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

import companions
from builder.choosing import resolve
from builder.kickstart.read import read
from builder.packages.install import install
from builder.packages.origins import Origins, origins
from builder.packages.repositories import own_keys, snapshots, trusted_key
from builder.packages.selection import Selection
from builder.store.store import Store
from host.errors import CcisError, InputError, RemoteError
from host.openpgp import only_key
from host.progress import Silent
from images import catalogue
from images.release import Release, Repository, SigningKey
from images.repository import NamedRepository, Offer

SIG, EXTERNAL = "rehearsal-sig", "rehearsal-external"
ASKS_FOR_ONE = "repo --name=tools\n%packages --nocore\nsig-tool\n%end\n"


@pytest.fixture(scope="session")
def home() -> Path:
    return companions.create()


def key_of(home: Path, name: str) -> SigningKey:
    file = home / name / f"RPM-GPG-KEY-{name}"
    return SigningKey(url=file.as_uri(),
                      fingerprint=only_key(file.read_bytes(), str(file)).fingerprint)


def release_of(home: Path) -> Release:
    """Its own repository is the external one; kernel and the like there are none."""
    return Release(
        name="small", title="Small", distribution="Small", version="10", dialect="RHEL10",
        public_path="small", rpm_database="/usr/lib/sysimage/rpm", architectures=["x86_64"],
        key=key_of(home, EXTERNAL),
        repositories=[Repository(id="own", mirrors=[(home / EXTERNAL / "x86_64").as_uri()])])


def tools(home: Path, key: SigningKey, folder: Path | None = None) -> NamedRepository:
    return NamedRepository(
        name="tools", title="Tools", upstream="not-accepted", licences="MIT", key=key,
        offers=[Offer(releases=["small"], architectures=["x86_64"], signed_metadata=folder is None,
                      mirrors=[(folder or home / SIG / "x86_64").as_uri()])])


def selection_of(
    tmp_path: Path, store: Store, home: Path, text: str, named: NamedRepository,
    unsigned: Sequence[str] = (),
) -> Selection:
    path = tmp_path / "test.ks"
    path.write_text(text)
    kickstart, release = read(path, "RHEL10"), release_of(home)
    found = origins(kickstart, release, "x86_64", {}, {named.name: named}, unsigned)
    folder = store.root / "keys"
    return Selection(kickstart, release, "x86_64", snapshots(found.sources),
                     trusted_key(release, {}, folder),
                     keys=own_keys(found.sources, release, {}, folder))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", 1 << 30)


def installed(selection: Selection, store: Store, tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    install(selection, resolve(selection, store).choices, root, store, 1, Silent())
    return root


def test_a_repository_s_own_key_is_for_its_packages_and_the_release_s_for_the_others(
    tmp_path: Path, store: Store, home: Path,
) -> None:
    selection = selection_of(
        tmp_path, store, home, ASKS_FOR_ONE.replace("sig-tool", "sig-tool\nexternal-tool"),
        tools(home, key_of(home, SIG)))
    root = installed(selection, store, tmp_path)
    assert (root / "usr/bin/sig-tool").exists() and (root / "usr/bin/external-tool").exists()


def test_the_release_s_key_is_not_taken_for_a_repository_with_its_own(
    tmp_path: Path, store: Store, home: Path,
) -> None:
    selection = selection_of(tmp_path, store, home, f"text\n{ASKS_FOR_ONE}",
                             tools(home, key_of(home, EXTERNAL)))
    with pytest.raises(RemoteError) as caught:  # its metadata are signed, too
        installed(selection, store, tmp_path)
    assert "repository 'tools'" in caught.value.what
    assert caught.value.where == f"{tmp_path}/test.ks:2"
    assert "its own key" in str(caught.value.remedy)


@pytest.fixture
def copy(home: Path, tmp_path: Path) -> Path:
    """The SIG's repository, which the test may spoil; nobody looks whether its index is signed."""
    shutil.copytree(home / SIG / "x86_64", tmp_path / "copy")
    return tmp_path / "copy"


def test_a_package_of_another_key_is_refused_with_the_line_and_the_way_out(
    tmp_path: Path, store: Store, home: Path, copy: Path,
) -> None:
    selection = selection_of(tmp_path, store, home, ASKS_FOR_ONE,
                             tools(home, key_of(home, EXTERNAL), copy))
    with pytest.raises(RemoteError) as caught:
        installed(selection, store, tmp_path)
    assert caught.value.what == "a package of repository 'tools' can't be trusted"
    assert caught.value.where == f"{tmp_path}/test.ks:1"
    assert "sig-tool-1.0-1.noarch.rpm: is signed by another key" in str(caught.value.why)
    assert "the key in the repository's definition" in str(caught.value.remedy)
    assert not [path for path in (tmp_path / "root").rglob("*") if not path.is_dir()]


def test_a_line_with_a_url_alone_is_checked_with_the_release_s_key_and_says_what_would_help(
    tmp_path: Path, store: Store, home: Path, copy: Path,
) -> None:
    text = ASKS_FOR_ONE.replace("tools", f"mine --baseurl={copy.as_uri()}")
    selection = selection_of(tmp_path, store, home, text, tools(home, key_of(home, SIG)))
    with pytest.raises(RemoteError, match="repository 'mine' can't be trusted") as caught:
        installed(selection, store, tmp_path)
    assert caught.value.where == f"{tmp_path}/test.ks:1"
    assert "--repository FILE" in str(caught.value.remedy)
    assert "--allow-unsigned mine" in str(caught.value.remedy)


def test_another_place_of_a_repository_with_a_name_has_the_same_key(
    tmp_path: Path, store: Store, home: Path, copy: Path,
) -> None:
    text = ASKS_FOR_ONE.replace("tools", f"tools --baseurl={copy.as_uri()}")
    selection = selection_of(tmp_path, store, home, text, tools(home, key_of(home, SIG)))
    assert [(one.id, one.upstream) for one in selection.snapshots] == [
        ("own", "accepted"), ("tools", "not-accepted")]
    assert (installed(selection, store, tmp_path) / "usr/bin/sig-tool").exists()


def test_what_nobody_signed_is_taken_if_somebody_says_so(
    tmp_path: Path, store: Store, home: Path, copy: Path,
) -> None:
    text = ASKS_FOR_ONE.replace("tools", f"mine --baseurl={copy.as_uri()}")
    selection = selection_of(tmp_path, store, home, text, tools(home, key_of(home, SIG)), ["mine"])
    assert [(one.id, one.unsigned, one.upstream) for one in selection.snapshots] == [
        ("own", False, "accepted"), ("mine", True, "external")]
    assert selection.wishes() and selection.key_of("mine") is None
    assert (installed(selection, store, tmp_path) / "usr/bin/sig-tool").exists()


def test_what_nobody_signed_is_still_what_its_index_says(
    tmp_path: Path, store: Store, home: Path, copy: Path,
) -> None:
    text = ASKS_FOR_ONE.replace("tools", f"mine --baseurl={copy.as_uri()}")
    selection = selection_of(tmp_path, store, home, text, tools(home, key_of(home, SIG)), ["mine"])
    file = next(copy.glob("Packages/sig-tool-*.rpm"))
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(RemoteError, match="not the one that its index names") as caught:
        installed(selection, store, tmp_path)
    assert caught.value.where == f"{tmp_path}/test.ks:1"


def test_store_and_repository_may_be_anywhere(
    tmp_path: Path, home: Path, copy: Path,
) -> None:
    """Of any characters: in URLs, in options of mounts, in arguments."""
    odd = tmp_path / "o: d,d\\e ü%41#?"
    odd.mkdir()
    copy.rename(odd / "copy")
    store = Store(odd / "store", 1 << 30)
    text = ASKS_FOR_ONE.replace("tools", f"tools --baseurl={(odd / 'copy').as_uri()}")
    selection = selection_of(tmp_path, store, home, text,
                             tools(home, key_of(home, SIG), odd / "copy"))
    assert (installed(selection, store, odd) / "usr/bin/sig-tool").exists()


@pytest.mark.parametrize("key", [
    SigningKey(url="file:///not/there", fingerprint="A" * 40),
    "another fingerprint",
    "no fingerprint",
])
def test_a_key_that_can_t_be_had_or_is_another_is_refused_with_the_line(
    tmp_path: Path, store: Store, home: Path, key: SigningKey | str,
) -> None:
    if isinstance(key, str):
        fingerprint = "A" * 40 if key.startswith("another") else None
        key = key_of(home, SIG).model_copy(update={"fingerprint": fingerprint})
    with pytest.raises(CcisError) as caught:
        selection_of(tmp_path, store, home, ASKS_FOR_ONE, tools(home, key))
    assert caught.value.where == f"{tmp_path}/test.ks:1"
    assert key.url.removeprefix("file://") in str(caught.value.why)


def origins_of(tmp_path: Path, lines: str, release: str) -> Origins:
    path = tmp_path / "test.ks"
    path.write_text(f"{lines}\n")
    known = catalogue.release(release)
    words = {"arch": "x86_64", "rehearsal": "/r/rehearsal-10", "rehearsals": "/r"}
    return origins(read(path, known.dialect), known, "x86_64", words, catalogue.repositories())


@pytest.mark.parametrize(("line", "release", "url", "upstream"), [
    ("repo --name=epel", "centos-stream-9",
     "https://dl.fedoraproject.org/pub/epel/9/Everything/x86_64/", "external"),
    ("repo --name=EPEL", "centos-stream-10",
     "https://dl.fedoraproject.org/pub/epel/10/Everything/x86_64/", "external"),
    ("repo --name=crb", "centos-stream-10",
     "https://mirror.stream.centos.org/10-stream/CRB/x86_64/os/", "accepted"),
    ("repo --name=cloud", "centos-stream-9",
     "https://mirror.stream.centos.org/SIGs/9-stream/cloud/x86_64/openstack-epoxy/",
     "not-accepted"),
    ("repo --name=virt-xen --baseurl=https://near.example/xen/", "centos-stream-9",
     "https://near.example/xen/", "not-accepted"),
    ("repo --name=rehearsal-sig", "rehearsal-10",
     "file:///r/companions/rehearsal-sig/x86_64/", "not-accepted"),
])
def test_lines_and_what_they_name(
    tmp_path: Path, line: str, release: str, url: str, upstream: str,
) -> None:
    *_, source = origins_of(tmp_path, line, release).sources
    assert (source.urls[0], source.upstream) == (url, upstream)
    assert source.key is not None and source.where == f"{tmp_path}/test.ks:1"


def test_a_rehearsal_stands_in_for_what_it_does_not_have(tmp_path: Path) -> None:
    found = origins_of(tmp_path, "repo --name=epel", "rehearsal-10")
    assert [source.id for source in found.sources] == ["baseos", "appstream"]
    ((where, note),) = found.notes
    assert where.endswith("test.ks:1") and "stands in for Extra Packages" in note


def test_what_a_repository_does_not_have_is_refused_with_the_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has nothing for centos-stream-10") as caught:
        origins_of(tmp_path, "repo --name=rehearsal-sig", "centos-stream-10")
    assert caught.value.where == f"{tmp_path}/test.ks:1"
    assert "rehearsal-9, rehearsal-10 (x86_64)" in str(caught.value.why)
    with pytest.raises(InputError, match="no repository 'epl'") as caught:
        origins_of(tmp_path, "repo --name=epl", "centos-stream-10")
    assert "epel" in str(caught.value.why) and "--repository FILE" in str(caught.value.remedy)


def test_install_leaves_file_and_key_in_the_image(tmp_path: Path) -> None:
    found = origins_of(tmp_path, "repo --name=epel --install", "centos-stream-10")
    key = "/etc/pki/rpm-gpg/RPM-GPG-KEY-epel"
    assert found.files == {"/etc/yum.repos.d/epel.repo": (
        "[epel]\nname=Extra Packages for Enterprise Linux\nenabled=1\n"
        "baseurl=https://dl.fedoraproject.org/pub/epel/10/Everything/x86_64/\n"
        f"gpgcheck=1\nrepo_gpgcheck=0\ngpgkey=file://{key}\n")}
    assert found.keys == {key: "epel"}
    assert origins_of(tmp_path, "repo --name=rehearsal-sig --install", "rehearsal-10").files == {}
