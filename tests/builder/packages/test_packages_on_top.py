"""A target's packages on top of a tree that others share: what is added, and what is refused."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.choosing import resolve, resolve_on_top
from builder.kickstart.read import read
from builder.packages.choice import Choice
from builder.packages.install import install
from builder.packages.on_top import install_on_top, selection_on_top
from builder.packages.repositories import Source, snapshots, trusted_key
from builder.packages.selection import Selection
from builder.store.store import Store
from host.errors import InputError, RemoteError
from host.mounts import overlay, private_mounts
from host.progress import Silent
from images.release import Release, Repository, SigningKey
from tests import small_repository
from tests.small_repository import SmallRepository

EPOCH = 1_700_000_000
DATABASE = "usr/lib/sysimage/rpm"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallRepository]:
    made = small_repository.make(tmp_path_factory.mktemp("on-top"))
    made.add("agent", "Requires: beta, (plug-b or plug-a)\nRecommends: nicety")
    for name in ("plug-a", "plug-b", "nicety"):
        made.add(name)
    made.add("rival", "Conflicts: alpha")
    made.add("unsigned", sign=False)
    made.index()
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", 1 << 30)


@pytest.fixture
def selection_below(repository: SmallRepository, store: Store, tmp_path: Path) -> Selection:
    path = tmp_path / "test.ks"
    path.write_text("%packages --exclude-weakdeps\nalpha\nplug-a\n-nicety\n%end\n")
    release = Release(
        name="small", title="Small", distribution="Small", version="10", dialect="RHEL10",
        public_path="small", rpm_database=f"/{DATABASE}", architectures=["x86_64"],  # type: ignore[arg-type]
        key=SigningKey(url=f"file://{repository.key}", fingerprint=repository.fingerprint),
        repositories=[Repository(id="small", mirrors=[repository.url])],
    )
    found = snapshots([Source("small", (repository.url,))])
    key = trusted_key(release, {}, store.root / "keys")
    return Selection(read(path, "RHEL10"), release, "x86_64", found, key)


@pytest.fixture
def below(selection_below: Selection, store: Store, tmp_path: Path) -> Path:
    """The shared tree, with alpha and plug-a."""
    root = tmp_path / "below"
    root.mkdir()
    install(selection_below, resolve(selection_below, store).choices, root, store, EPOCH, Silent())
    return root


def names(choices: list[Choice]) -> str:
    return " ".join(choice.record.name for choice in choices)


def on_top(selection: Selection, store: Store, *packages: str) -> tuple[Selection, list[Choice]]:
    chosen = resolve(selection, store).choices
    more = selection_on_top(selection, chosen, packages, "azure.yaml")
    return more, resolve_on_top(more, chosen, store)


def listed(root: Path) -> list[str]:
    said = subprocess.run(
        ["rpm", "--dbpath", str(root / DATABASE), "-qa", "--qf", "%{name} %{installtime}\n"],
        capture_output=True, text=True, check=True)
    return sorted(said.stdout.splitlines())


def test_only_what_is_missing_is_added(
    selection_below: Selection, below: Path, store: Store, tmp_path: Path,
) -> None:
    more, extra = on_top(selection_below, store, "agent")
    # alpha and plug-a are there; either plug will do, so nothing pulls in the other one.
    assert names(extra) == "agent beta"
    folders = {name: tmp_path / name for name in ("upper", "work", "view")}
    for folder in folders.values():
        folder.mkdir()
    private_mounts()
    with overlay([below], folders["upper"], folders["work"], folders["view"]) as view:
        assert install_on_top(more, extra, view, store, EPOCH, Silent()) == []
        assert (view / "usr/share/agent/file").read_text() == "agent\n"
        assert not list(view.glob("**/*-wal")), "all of the database is in its one file"
        assert [line.split()[0] for line in listed(view)] == ["agent", "alpha", "beta", "plug-a"]
        assert {line.split()[1] for line in listed(view)} == {str(EPOCH), str(EPOCH + 1)}
    assert not (below / "usr/share/agent").exists(), "the shared tree stays as it is"
    assert not list(folders["upper"].glob("**/alpha"))


def test_what_is_there_already_adds_nothing(selection_below: Selection, store: Store) -> None:
    assert on_top(selection_below, store, "alpha")[1] == []


@pytest.mark.parametrize(("package", "says", "where"), [
    ("agnet", "no repository has agnet", "azure.yaml"),
    ("nicety", "no repository has nicety", "azure.yaml"),       # %packages excludes it
    ("rival", "can't be installed together", "test.ks"),
])
def test_what_cannot_be_added_is_an_error_with_its_place(
    selection_below: Selection, store: Store, package: str, says: str, where: str,
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        on_top(selection_below, store, package)
    assert str(caught.value.where).endswith(where)


def test_an_unsigned_package_is_refused(
    selection_below: Selection, below: Path, store: Store,
) -> None:
    more, extra = on_top(selection_below, store, "unsigned")
    with pytest.raises(RemoteError, match="signature"):
        install_on_top(more, extra, below, store, EPOCH, Silent())
    assert not (below / "usr/share/unsigned").exists()


def test_a_tree_that_a_script_took_something_from_is_not_completed_in_silence(
    selection_below: Selection, below: Path, store: Store,
) -> None:
    more, extra = on_top(selection_below, store, "agent")
    subprocess.run(["rpm", "--dbpath", str(below / DATABASE), "--define", "_db_backend sqlite",
                    "-e", "--justdb", "plug-a"], check=True)
    with pytest.raises(InputError, match="can't go on top") as caught:
        install_on_top(more, extra, below, store, EPOCH, Silent())
    assert "plug-" in str(caught.value.why)
    assert not (below / "usr/share/agent").exists()
