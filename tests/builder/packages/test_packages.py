"""Packages from a small real repository: what is installed, and what goes wrong with mirrors."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.choosing import resolve
from builder.kickstart.read import read
from builder.packages.install import install
from builder.packages.near import bring_metadata, near_folder, rpm_files
from builder.packages.repositories import Source, snapshots, trusted_key
from builder.packages.selection import Selection
from builder.packages.signatures import verify_signatures
from builder.store.store import Store
from host.errors import InputError, RemoteError
from host.progress import Silent
from images.release import Release, Repository, SigningKey
from tests import small_repository
from tests.small_repository import SmallRepository
from tests.stumbling import stumbling

EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallRepository]:
    repository = small_repository.make(tmp_path_factory.mktemp("small"))
    yield repository
    repository.close()


@pytest.fixture
def repository(made: SmallRepository, tmp_path: Path) -> SmallRepository:
    """A copy that the test may spoil."""
    folder = tmp_path / "mirror" / "repository"
    shutil.copytree(made.folder, folder)
    shutil.copy(made.folder.parent / "comps.xml", folder.parent)
    return SmallRepository(folder, made.key, made.home)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", 1 << 30)


def release_of(repository: SmallRepository, *urls: str) -> Release:
    return Release(
        name="small", title="Small", distribution="Small", version="10", dialect="RHEL10",
        public_path="small", rpm_database="/usr/lib/sysimage/rpm", architectures=["x86_64"],
        key=SigningKey(url=f"file://{repository.key}", fingerprint=repository.fingerprint),
        repositories=[Repository(id="small", mirrors=list(urls) or [repository.url],
                                 signed_metadata=True)],
    )


def selection_for(
    repository: SmallRepository, store: Store, packages: str, *urls: str,
) -> Selection:
    path = store.root.parent / "test.ks"
    path.write_text(f"%packages\n{packages}\n%end\n")
    release = release_of(repository, *urls)
    found = snapshots([Source(one.id, tuple(one.mirrors), signed_metadata=one.signed_metadata)
                       for one in release.repositories])
    key = trusted_key(release, {}, store.root / "keys")
    return Selection(read(path, "RHEL10"), release, "x86_64", found, key)


def test_packages_land_with_their_database_where_the_target_looks(
    repository: SmallRepository, store: Store, tmp_path: Path,
) -> None:
    selection = selection_for(repository, store, "beta")
    choices = resolve(selection, store).choices
    assert [choice.record.nevra for choice in choices] == ["alpha-1-1.noarch", "beta-1-1.noarch"]
    root = tmp_path / "root"
    root.mkdir()
    assert install(selection, choices, root, store, EPOCH, Silent()) == []
    assert (root / "usr/share/beta/file").read_text() == "beta\n"
    database = root / "usr/lib/sysimage/rpm"
    assert not list(database.glob("*-wal")) and not (root / "root").exists()
    listed = subprocess.run(
        ["rpm", "--dbpath", str(database), "-qa", "--qf", "%{nevra} %{installtime}\n"],
        capture_output=True, text=True, check=True).stdout.splitlines()
    # rpm takes SOURCE_DATE_EPOCH for the first package and one second more for each that follows.
    assert sorted(listed) == [f"alpha-1-1.noarch {EPOCH}", f"beta-1-1.noarch {EPOCH + 1}"]


@pytest.mark.parametrize(("wish", "line", "says"), [
    ("alpha\nbetta", 3, "no repository has betta"),
    ("@nothing", 2, "no repository has @nothing"),
])
def test_an_unknown_name_is_an_error_with_its_line(
    repository: SmallRepository, store: Store, wish: str, line: int, says: str,
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        resolve(selection_for(repository, store, wish), store)
    assert str(caught.value.where).endswith(f"test.ks:{line}")
    if wish.endswith("betta"):
        assert "did you mean beta?" in str(caught.value.remedy)


def test_ignoremissing_lets_an_unknown_name_pass(repository: SmallRepository, store: Store) -> None:
    path = store.root.parent / "test.ks"
    selection = selection_for(repository, store, "alpha")
    path.write_text("%packages --ignoremissing\nalpha\nbetta\n%end\n")
    lenient = Selection(read(path, "RHEL10"), selection.release, "x86_64", selection.snapshots,
                      selection.key)
    assert [choice.record.name for choice in resolve(lenient, store).choices] == ["alpha"]


def test_packages_that_cannot_go_together_are_an_input_error(
    repository: SmallRepository, store: Store,
) -> None:
    with pytest.raises(InputError, match="can't be installed together"):
        resolve(selection_for(repository, store, "beta\n-alpha"), store)


def test_a_package_changed_on_the_mirror_is_refused(
    repository: SmallRepository, store: Store,
) -> None:
    package = next(repository.folder.glob("beta-*.rpm"))
    content = bytearray(package.read_bytes())
    content[-10] ^= 1
    package.write_bytes(content)
    with pytest.raises(RemoteError) as caught:
        verify_signatures([package], repository.key)
    assert str(package) in str(caught.value)


def test_an_unsigned_package_is_refused(
    repository: SmallRepository, store: Store, tmp_path: Path,
) -> None:
    repository.add("gamma", sign=False)
    repository.index()
    selection = selection_for(repository, store, "gamma")
    choices = resolve(selection, store).choices
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(RemoteError, match="signature") as caught:
        install(selection, choices, root, store, EPOCH, Silent())
    assert "gamma-1-1.noarch.rpm" in str(caught.value.where)
    assert not [path for path in root.rglob("*") if not path.is_dir()], \
        "nothing may run or land before every signature was checked"


def test_unsigned_metadata_is_refused(repository: SmallRepository, store: Store) -> None:
    (repository.folder / "repodata/repomd.xml.asc").unlink()
    with pytest.raises(RemoteError) as caught:
        resolve(selection_for(repository, store, "alpha"), store)
    assert repository.url in str(caught.value.where)


def test_an_unreachable_mirror_is_passed_over_for_the_next(
    repository: SmallRepository, store: Store,
) -> None:
    dead = "http://127.0.0.1:9/none/"
    selection = selection_for(repository, store, "alpha", dead, repository.url)
    assert selection.snapshots[0].urls[0] == repository.url
    assert [choice.record.name for choice in resolve(selection, store).choices] == ["alpha"]


def test_when_no_mirror_answers_every_url_is_named(
    repository: SmallRepository, store: Store,
) -> None:
    urls = ["http://127.0.0.1:9/one/", "http://127.0.0.1:9/two/"]
    with pytest.raises(RemoteError) as caught:
        selection_for(repository, store, "alpha", *urls)
    assert all(url in f"{caught.value.where} {caught.value.why}" for url in urls)


def test_the_wrong_key_is_refused(repository: SmallRepository, tmp_path: Path) -> None:
    release = release_of(repository).model_copy(
        update={"key": SigningKey(url=f"file://{repository.key}", fingerprint="A" * 40)})
    with pytest.raises(InputError, match="not the one that the release trusts"):
        trusted_key(release, {}, tmp_path / "keys")


@pytest.mark.parametrize("every", [0, 3])
def test_packages_come_over_http_too(
    repository: SmallRepository, store: Store, tmp_path: Path, every: int,
) -> None:
    """every: of so many answers one is 503, whatever was asked for."""
    with stumbling(repository.folder, every) as server:
        selection = selection_for(repository, store, "beta", server.mirror("ok"))
        choices = resolve(selection, store).choices
        root = tmp_path / "root"
        root.mkdir()
        install(selection, choices, root, store, EPOCH, Silent())
        assert (root / "usr/share/alpha/file").read_text() == "alpha\n"
        # What was fetched is kept, by its checksum; what was damaged there is fetched again.
        answers = server.answers
        kept = {store.packages / f"sha256-{choice.record.sha256}.rpm" for choice in choices}
        assert set(store.packages.iterdir()) == kept
        rpm_files(selection, choices, store, Silent())
        assert server.answers == answers
        if every:
            return
        damaged = min(kept)
        damaged.write_bytes(b"x" + damaged.read_bytes()[1:])
        verify_signatures(rpm_files(selection, choices, store, Silent()), selection.key)
        assert server.answers == answers + 1


@pytest.mark.parametrize(("broken", "lines", "says"), [
    ("beta-1-1.noarch.rpm", "beta", "packages of repository 'small' can't be fetched"),
    ("repodata/*-primary.xml.gz", "alpha", "the metadata of repository 'small' can't be fetched"),
])
def test_a_mirror_whose_files_are_not_those_of_its_index_is_named(
    repository: SmallRepository, store: Store, broken: str, lines: str, says: str,
) -> None:
    with stumbling(repository.folder) as server:
        selection = selection_for(repository, store, lines, server.mirror("ok"))
        path = next(repository.folder.glob(broken))
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(RemoteError) as caught:
            rpm_files(selection, resolve(selection, store).choices, store, Silent())
        text = str(caught.value)
        assert says in text
        url = f"{server.mirror('ok')}{path.relative_to(repository.folder)}"
        assert text.count("repository 'small'") == 1 and f"{url} has another checksum" in text
        assert not store.packages.exists() or not [
            each for each in store.packages.iterdir() if each.read_bytes() == path.read_bytes()]
        path.write_bytes(content)  # the mirror has caught up: the same build goes on
        verify_signatures(rpm_files(selection, resolve(selection, store).choices, store, Silent()),
                          selection.key)


def test_an_index_leads_to_no_file_outside_of_its_repository(
    repository: SmallRepository, store: Store,
) -> None:
    index = repository.folder / "repodata/repomd.xml"
    text = index.read_text()
    place = next(word for word in text.split('"') if word.endswith("-primary.xml.gz"))
    index.write_text(text.replace(place, f"../../../../../..{store.root}/staging/x"))
    repository.gpg("--detach-sign", "--armor", str(index))
    with stumbling(repository.folder) as server:
        selection = selection_for(repository, store, "alpha", server.mirror("ok"))
        with pytest.raises(RemoteError, match="leads elsewhere"):
            resolve(selection, store)


def test_a_near_repository_of_another_signature_is_another(
    repository: SmallRepository, store: Store,
) -> None:
    with stumbling(repository.folder) as server:
        url = server.mirror("ok")
        good = selection_for(repository, store, "alpha", url)
        (repository.folder / "repodata/repomd.xml.asc").write_text("no signature")
        bad = selection_for(repository, store, "beta", url)
        assert good.snapshots[0].repomd_sha256 == bad.snapshots[0].repomd_sha256
        assert near_folder(good.snapshots[0], store) != near_folder(bad.snapshots[0], store)
        with pytest.raises(RemoteError, match="GPG"):
            resolve(bad, store)
        assert resolve(good, store).choices


def test_metadata_that_were_damaged_here_are_fetched_anew(
    repository: SmallRepository, store: Store,
) -> None:
    with stumbling(repository.folder) as server:
        selection = selection_for(repository, store, "alpha", server.mirror("ok"))
        bring_metadata(selection, store)
        folder = near_folder(selection.snapshots[0], store)
        damaged = next(folder.glob("repodata/*-primary.xml.*"))
        damaged.write_bytes(b"x" + damaged.read_bytes()[1:])
        with pytest.raises(RemoteError, match="repository 'small' can't be used"):
            resolve(selection, store)
        assert [choice.record.name for choice in resolve(selection, store).choices] == ["alpha"]
