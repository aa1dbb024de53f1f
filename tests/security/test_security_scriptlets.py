"""A package's scriptlet: as little gets out of it as out of a kickstart's script."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.choosing import resolve
from builder.kickstart.read import read
from builder.packages.install import install
from builder.store.store import Store
from host.errors import HostError, InputError
from host.progress import Silent
from images.bounds import DEFAULTS, Bounds
from tests import small_repository
from tests.small_repository import SmallRepository

EPOCH = 1_700_000_000
BINARY = ("%global _binaries_in_noarch_packages_terminate_build 0\n"
          "%global __os_install_post %{nil}")
PROBE = Path(__file__).with_name("scriptlet_probe.c")


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("beside") / "secret"
    path.write_text("host")
    return path


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, secret: Path,
) -> Iterator[SmallRepository]:
    folder = tmp_path_factory.mktemp("scriptlets")
    probe = folder / "probe"
    subprocess.run(["gcc", "-static", "-O", "-w", "-o", probe, PROBE], check=True)
    made = small_repository.make(folder)
    outside = ("/etc/shadow /root/.bashrc /home /srv /var/lib/dpkg /etc/ssl/private /etc/hostname "
               f"{secret} {made.home}/pubring.kbx")
    for name, words in {
        "look": "environment", "leave": f"escape {outside}", "mounts": "mount escape mount",
        "kernel": "kernel escape kernel", "flood": "flood", "forks": "fork", "many": "files",
    }.items():
        made.add(name, BINARY, programs={f"/usr/bin/probe-{name}": probe},
                 scriptlets=f"%post -p /usr/bin/probe-{name}\n{words}\n")
    made.index()
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", 1 << 30)


def installed(
    repository: SmallRepository, store: Store, package: str, bounds: Bounds = DEFAULTS,
) -> str:
    """Install a package and return what its scriptlet says."""
    selection = small_repository.selection(repository, store, package)
    root = store.root.parent / "tree"
    root.mkdir()
    install(selection, resolve(selection, store).choices, root, store, EPOCH, Silent(), bounds)
    return (root / "said").read_text()


def test_a_scriptlet_sees_nothing_of_the_caller(
    repository: SmallRepository, store: Store, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2")
    monkeypatch.setenv("https_proxy", "http://user:hunter2@proxy.invalid")
    monkeypatch.setenv("TMPDIR", str(store.root.parent))
    said = installed(repository, store, "look")
    assert "first[]" in said and said.endswith("done\n")
    assert "hunter2" not in said and "TMPDIR" not in said and "_CCIS" not in said
    assert "uname localhost 6.12.0" in said
    assert "CapEff:\t00000002b82407fb" in said


def test_a_scriptlet_that_leaves_its_root_finds_nothing_worth_it(
    repository: SmallRepository, store: Store, secret: Path,
) -> None:
    said = installed(repository, store, "leave")
    assert said == "out\ndone\n"
    assert secret.read_text() == "host"


def test_a_scriptlet_mounts_nothing(repository: SmallRepository, store: Store) -> None:
    assert installed(repository, store, "mounts") == "out\ndone\n"


def test_a_scriptlet_reaches_no_kernel(repository: SmallRepository, store: Store) -> None:
    assert installed(repository, store, "kernel") == "out\ndone\n"
    assert not (store.root.parent / "tree/node").exists()


@pytest.mark.parametrize(("package", "bounds", "what"), [
    ("forks", Bounds(processes=100), "started more than 100 processes"),
    ("many", Bounds(files=3000), "made more than 3000 files"),
    ("flood", Bounds(minutes=0.05), "did not end within 6 s"),
])
def test_a_scriptlet_is_bounded(
    repository: SmallRepository, store: Store, package: str, bounds: Bounds, what: str,
) -> None:
    with pytest.raises((InputError, HostError), match=f"the package transaction {what}"):
        installed(repository, store, package, bounds)


def test_a_scriptlet_changes_nothing_that_later_builds_go_by(
    repository: SmallRepository, store: Store,
) -> None:
    installed(repository, store, "look")
    before = {path: path.stat().st_mtime_ns for path in store.metadata.rglob("*")}
    assert before
    (store.root.parent / "tree").rename(store.root.parent / "first")
    installed(repository, store, "kernel")
    after = {path: path.stat().st_mtime_ns for path in store.metadata.rglob("*")}
    assert {path for path in before if path.suffix.startswith(".solv")} <= set(after)


@pytest.mark.parametrize("names", ["%(touch${IFS}/said)", "en_US,%{lua:print(1)}", "de/../x"])
def test_a_macro_among_the_languages_is_never_expanded(
    repository: SmallRepository, store: Store, names: str,
) -> None:
    path = store.root.parent / "test.ks"
    selection = small_repository.selection(repository, store, "alpha")
    path.write_text(f"%packages --nocore --inst-langs={names}\nalpha\n%end\n")
    with pytest.raises(InputError, match="is no language") as caught:
        resolve(replace(selection, kickstart=read(path, "RHEL10")), store)
    assert caught.value.where == f"{path}:1"
