"""The identity of code: every module that decides a result moves it, what only people read doesn't.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder import identity
from builder.identity import SILENT, closure, code_identity, facts_of, is_module
from builder.steps import registry

STEPS = sorted([*registry.steps_of_an_image(), "qcow2", "raw", "docker", "ova", "install-iso"])


DISCOVERY = "from host.discovery import modules_in"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the rooms, in which a test may change any module."""
    here = Path(identity.__file__).parents[1]
    for room in identity.ROOMS:
        for path in (*(here / room).rglob("*.py"), *(here / room).rglob("*.sh")):
            copy = tmp_path / path.relative_to(here)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(identity, "_PROJECT", tmp_path)
    monkeypatch.setattr(identity, "_keep", lambda: None)
    identity.forget()
    yield tmp_path
    identity.forget()


def test_each_module_of_a_step_moves_its_digest_and_no_other_does(project: Path) -> None:
    modules = {name: registry.modules_of(registry.get(name)) for name in STEPS}
    before = {name: code_identity(*modules[name]) for name in STEPS}
    inside = {name: closure(*modules[name]) for name in STEPS}
    beside = {name: {f"{each.rpartition('.')[0]}.{file.removesuffix('.py')}" for each in found
                     for file in identity._facts_of(each)["files"]}
              for name, found in inside.items()}
    for file in sorted(path for room in identity.ROOMS for path in (project / room).rglob("*.py")):
        module = ".".join(file.relative_to(project).with_suffix("").parts).removesuffix(".__init__")
        text = file.read_text()
        file.write_text(f"{text}\n_mutated = 1\n")
        identity.forget()
        for name in STEPS:
            moved = code_identity(*modules[name]) != before[name]
            assert moved == (module in inside[name] | beside[name]), (name, module)
        file.write_text(text)
    identity.forget()
    assert {name: code_identity(*modules[name]) for name in STEPS} == before


def test_wording_moves_nothing(project: Path) -> None:
    before = {name: code_identity(*registry.modules_of(registry.get(name))) for name in STEPS}
    beside = {file for name in STEPS for each in closure(*registry.modules_of(registry.get(name)))
              for file in identity._facts_of(each)["files"]}
    for room in identity.ROOMS:
        for file in (project / room).rglob("*.py"):
            if file.name in beside:  # its very text is handed on
                continue
            tree = ast.parse(file.read_text())
            for node in ast.walk(tree):
                if (isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module)
                        and ast.get_docstring(node)):
                    node.body[0].value.value = "Said in other words."  # type: ignore[attr-defined]
            file.write_text(f"# a comment\n{ast.unparse(tree)}\n")
    identity.forget()
    for name, digest in before.items():
        assert code_identity(*registry.modules_of(registry.get(name))) == digest, name


@pytest.mark.parametrize(("text", "imports", "searched", "files"), [
    ("import host.run", ["host.run"], [], []),
    ("from host import run", ["host.run"], [], []),
    ("from host.run import run", ["host.run.run"], [], []),
    ("from . import tree", ["builder.disk.tree"], [], []),
    ("from ..sandbox import sandbox", ["builder.sandbox.sandbox"], [], []),
    ("def f():\n    import host.run", ["host.run"], [], []),
    ("if TYPE_CHECKING:\n    import host.run\nelse:\n    import host.cost", ["host.cost"], [], []),
    ("import os, json\nfrom pathlib import Path", [], [], []),
    ("run(['-m', 'builder.packages.dnf_worker'])", ["builder.packages.dnf_worker"], [], []),
    ("say('builder.no.such.module')", [], [], []),
    (f"{DISCOVERY}\nfrom builder import formats\nmodules_in(formats, rooms=False)",
     ["builder.formats", "host.discovery.modules_in"], ["builder.formats"], []),
    (f"{DISCOVERY}\nmodules_in(__name__)", ["host.discovery.modules_in"], ["builder.disk"], []),
    (f"{DISCOVERY}\nmodules_in('builder.formats')",
     ["builder.formats", "host.discovery.modules_in"], ["builder.formats"], []),
    ("from host import discovery\nimport builder.disk\ndiscovery.names_in(builder.disk)",
     ["builder.disk", "host.discovery"], ["builder.disk"], []),
    ("Path(__file__).with_name('shim.sh').read_text()", [], [], ["shim.sh"]),
])
def test_what_counts_as_imported(
    text: str, imports: list[str], searched: list[str], files: list[str],
) -> None:
    facts = facts_of(text.encode(), "builder.disk")
    assert (facts["imports"], facts["searched"], facts["files"]) == (imports, searched, files)


def test_a_search_whose_package_the_text_does_not_tell_is_refused() -> None:
    with pytest.raises(ValueError, match=r"which package is searched is not said: modules_in\(x\)"):
        facts_of(f"{DISCOVERY}\nmodules_in(x)".encode(), "builder.disk")


def test_nobody_else_searches_packages() -> None:
    """What is found in another way would be missing from a step's digest."""
    here = Path(identity.__file__).parents[1]
    found = [path.relative_to(here).as_posix() for room in identity.ROOMS
             for path in (here / room).rglob("*.py")
             if any(word in path.read_text() for word in ("iter_modules", "__path__"))]
    assert found == ["host/discovery.py"]


def test_discovered_modules_count_where_they_are_discovered() -> None:
    inside = closure("builder.steps.settings")
    assert "builder.kickstart.commands.accounts" in inside
    assert "builder.formats.qcow2" not in inside


def test_a_format_is_its_own_module_and_what_that_imports() -> None:
    own = closure(*registry.modules_of(registry.get("qcow2")))
    assert "builder.formats.disk_files.qcow2_file" in own
    folder = Path(identity.__file__).parent / "formats"
    assert [name for name in own if (folder / f"{name.rpartition('.')[2]}.py").is_file()
            and name.startswith("builder.formats.") and name.count(".") == 2
            ] == ["builder.formats.qcow2"]
    assert "builder.formats.machines.ovf" not in own


def test_the_leftover_of_a_package_hides_no_module_of_its_name(project: Path) -> None:
    """git leaves __pycache__ behind where a package became a module."""
    module = project / "builder/disk/layout.py"
    before = code_identity("builder.disk.layout")
    (module.with_suffix("") / "__pycache__").mkdir(parents=True)
    identity.forget()
    assert code_identity("builder.disk.layout") == before
    module.write_text(module.read_text() + "\n_mutated = 1\n")
    identity.forget()
    assert code_identity("builder.disk.layout") != before


def test_silent_modules_are_there_and_few() -> None:
    assert all(is_module(name) for name in SILENT) and len(SILENT) < 10
