"""What %packages says, and which packages that is: the line beside the list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.choosing import resolve
from builder.kickstart.read import read
from builder.packages.install import install
from builder.packages.repositories import Source, snapshots, trusted_key
from builder.packages.requirement import Requirement
from builder.packages.selection import Selection
from builder.store.store import Store
from host.errors import InputError
from host.progress import Silent
from images.release import Release, Repository, SigningKey
from tests import small_repository
from tests.small_repository import SmallRepository

GROUPS = small_repository.comps(
    small_repository.group("core", "base shell/default"),
    small_repository.group("tools", "hammer saw/default file/optional"),
    small_repository.group("garden", "rake"),
    small_repository.environment("workshop", "core tools"),
    small_repository.environment("yard", "core garden"),
)
MODULES = (small_repository.module_stream("clock", "1", "clock-1-1")
           + small_repository.module_stream("clock", "2", "clock-2-1"))


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallRepository]:
    made = small_repository.make(tmp_path_factory.mktemp("wishes"))
    (made.folder.parent / "comps.xml").write_text(GROUPS)
    made.add("base", "Requires: libbase")
    made.add("hammer", "Recommends: nail")
    for name in ("libbase", "shell", "saw", "file", "rake", "nail", "langpacks-en", "kernel"):
        made.add(name)
    made.add("spoken", more={
        "/usr/share/spoken/de": "%lang(de)", "/usr/share/spoken/en": "%lang(en)",
        "/usr/share/spoken/doc": "%doc"})
    made.add("dnf", more={"/etc/dnf/dnf.conf": "%config"})
    clock = "ModularityLabel: clock:{0}:1:c0ffee"
    made.add("clock", clock.format(1), version="1")
    made.add("clock", clock.format(2), version="2")
    made.index(MODULES)
    yield made
    made.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"), 1 << 30)


def selection_for(
    repository: SmallRepository, store: Store, folder: Path, text: str,
    *requirements: Requirement, dialect: str = "RHEL9",
) -> Selection:
    path = folder / "test.ks"
    path.write_text(text)
    release = Release(
        name="small", title="Small", distribution="Small", version="9", dialect=dialect,
        public_path="small", rpm_database="/usr/lib/sysimage/rpm", architectures=["x86_64"],
        key=SigningKey(url=f"file://{repository.key}", fingerprint=repository.fingerprint),
        repositories=[Repository(id="small", mirrors=[repository.url])],
    )
    found = snapshots([Source("small", (repository.url,))])
    key = trusted_key(release, {}, store.root / "keys")
    return Selection(read(path, dialect), release, "x86_64", found, key, requirements)


def names(selection: Selection, store: Store) -> str:
    return " ".join(choice.record.name for choice in resolve(selection, store).choices)


@pytest.mark.parametrize(("wish", "packages"), [
    ("%packages\n%end", "base libbase shell"),                      # core comes by itself
    ("", "base libbase shell"),                                     # without the section, too
    ("%packages --nocore\nrake\n%end", "rake"),
    ("%packages --nocore\n@core\nrake\n%end", "rake"),              # --nocore has the last word
    ("%packages\n-@core\nrake\n%end", "rake"),
    ("%packages --nocore\n@tools\n%end", "hammer nail saw"),
    ("%packages --nocore\n@tools --nodefaults\n%end", "hammer nail"),
    ("%packages --nocore\n@tools --optional\n%end", "file hammer nail saw"),
    ("%packages --nocore --exclude-weakdeps\n@tools\n%end", "hammer saw"),
    ("%packages --nocore --excludeWeakdeps\n@tools\n%end", "hammer saw"),
    ("%packages --nocore\n@tools\n-saw\n%end", "hammer nail"),
    ("%packages --nocore\n@tools\n-s*\n-n?il\n%end", "hammer"),
    ("%packages --nocore\nh*r\n%end", "hammer nail"),
    ("%packages\n@^workshop\n%end", "base hammer libbase nail saw shell"),
    ("%packages\n@^workshop\n-@tools\n%end", "base libbase shell"),
    ("%packages --nocore\n@^workshop\n%end", "hammer nail saw"),
    ("%packages --default\n%end", "base hammer libbase nail saw shell"),
    ("%packages --nocore\n@gar*\n%end", "rake"),
    ("%packages --nocore --ignoremissing\nrake\n/usr/bin/none\nnothing\n@none\n%end", "rake"),
    ("%packages --nocore\n/usr/share/rake/file\n%end", "rake"),   # by a file it has
    ("%packages --nocore --multilib\nrake\n%end", "rake"),
    ("%packages --nocore --timeout=7 --retries=0\nrake\n%end", "rake"),
    ("%packages --nocore --instLangs=en --nobase\nrake\n%end", "rake"),
])
def test_a_wish_and_its_packages(
    repository: SmallRepository, store: Store, tmp_path: Path, wish: str, packages: str,
) -> None:
    assert names(selection_for(repository, store, tmp_path, wish), store) == packages


@pytest.mark.parametrize(("lines", "version"), [
    ("module --name=clock --stream=1", "1"),
    ("module --name=clock --stream=2", "2"),
])
def test_a_module_stream_is_enabled_before_packages_are_chosen(
    repository: SmallRepository, store: Store, tmp_path: Path, lines: str, version: str,
) -> None:
    selection = selection_for(repository, store, tmp_path,
                          f"{lines}\n%packages --nocore\nclock\n%end\n")
    found = resolve(selection, store).choices
    assert [(choice.record.name, choice.record.version) for choice in found] == [("clock", version)]


@pytest.mark.parametrize(("line", "says", "remedy"), [
    ("module --name=watch --stream=1", "no repository has the module watch:1",
     "the repositories have clock:1, clock:2"),
    ("module --name=clock --stream=3", "no repository has the module clock:3", "clock:2"),
    ("module --name=clock --disable\n%packages --nocore\nclock\n%end", "no repository has clock",
     ""),
])
def test_a_module_that_is_not_there_is_refused_by_name(
    repository: SmallRepository, store: Store, tmp_path: Path, line: str, says: str, remedy: str,
) -> None:
    selection = selection_for(repository, store, tmp_path, f"{line}\n")
    with pytest.raises(InputError, match=says) as caught:
        resolve(selection, store)
    assert remedy in str(caught.value.remedy)


@pytest.mark.parametrize(("wish", "line", "says", "remedy"), [
    ("@^workshp", 2, "no repository has @^workshp", "did you mean @workshop?"),
    ("@tols", 2, "no repository has @tols", "did you mean @tools?"),
    ("-libbase", 2, "can't be installed together", "take the exclusion back"),
])
def test_what_cannot_be_had_is_named_with_its_line(
    repository: SmallRepository, store: Store, tmp_path: Path, wish: str, line: int, says: str,
    remedy: str,
) -> None:
    selection = selection_for(repository, store, tmp_path, f"%packages\n{wish}\n%end\n")
    with pytest.raises(InputError) as caught:
        resolve(selection, store)
    assert says in str(caught.value)
    assert str(caught.value.where).endswith(f"test.ks:{line}")
    assert remedy in str(caught.value.remedy)


def test_what_rules_add_is_chosen_where_it_is_there(
    repository: SmallRepository, store: Store, tmp_path: Path,
) -> None:
    rules = (
        Requirement(("langpacks-en_US", "langpacks-en"), "lang en_US", if_there=True),
        Requirement(("langpacks-de",), "lang de_DE", if_there=True, where="test.ks:1"),
        Requirement(("kernel",), "a system needs a kernel"),
    )
    section = "%packages --nocore\nrake\n%end\n"
    selection = selection_for(repository, store, tmp_path, section, *rules)
    found = resolve(selection, store)
    assert [choice.record.name for choice in found.choices] == ["kernel", "langpacks-en", "rake"]
    assert found.added == [("langpacks-en", "lang en_US"), ("kernel", "a system needs a kernel")]
    assert found.absent == [("test.ks:1", "no repository has langpacks-de, added elsewhere because "
                                          "of this: lang de_DE")]


def test_what_a_rule_needs_and_no_repository_has_is_an_error_that_says_so(
    repository: SmallRepository, store: Store, tmp_path: Path,
) -> None:
    rule = Requirement(("authselect",), "the authselect command", where="test.ks:7")
    selection = selection_for(repository, store, tmp_path, "%packages\n%end\n", rule)
    with pytest.raises(InputError, match="no repository has authselect") as caught:
        resolve(selection, store)
    assert caught.value.where == "test.ks:7"
    assert "the authselect command" in str(caught.value.why)
    assert "-authselect" in str(caught.value.remedy)


@pytest.mark.parametrize(("header", "kept"), [
    ("%packages --nocore", "de doc en file"),
    ("%packages --nocore --inst-langs=en", "doc en file"),
    ("%packages --nocore --instLangs=de,en", "de doc en file"),
    ("%packages --nocore --inst-langs=", "doc file"),
    ("%packages --nocore --excludedocs", "de en file"),
])
def test_languages_and_documentation(
    repository: SmallRepository, store: Store, tmp_path: Path, header: str, kept: str,
) -> None:
    selection = selection_for(repository, store, tmp_path, f"{header}\nspoken\n%end\n")
    root = tmp_path / "root"
    root.mkdir()
    install(selection, resolve(selection, store).choices, root, store, 1, Silent())
    assert " ".join(sorted(path.name for path in (root / "usr/share/spoken").iterdir())) == kept


def test_what_is_written_beside_the_packages(
    repository: SmallRepository, store: Store, tmp_path: Path,
) -> None:
    section = "%packages --multilib --nocore\ndnf\n%end\n"
    selection = selection_for(repository, store, tmp_path, section)
    selection = replace(selection, files={"/etc/yum.repos.d/extra.repo": "[extra]\n"})
    root = tmp_path / "root"
    root.mkdir()
    install(selection, resolve(selection, store).choices, root, store, 1, Silent())
    assert (root / "etc/yum.repos.d/extra.repo").read_text() == "[extra]\n"
    assert (root / "etc/dnf/dnf.conf").read_text() == "/etc/dnf/dnf.conf\nmultilib_policy=all\n"
