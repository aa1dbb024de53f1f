"""Old, new and foreign spellings: each line is taken by the dialect that knows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.kickstart import registry
from builder.kickstart.read import read
from host.errors import InputError


def write(folder: Path, text: str) -> Path:
    path = folder / "test.ks"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("line", "dialect"), [
    ("timezone UTC --utc", "RHEL10"),
    ("timezone UTC --isUtc", "RHEL9"),
    ("timezone UTC --utc --nontp", "RHEL9"),
    ("auth --enableshadow --passalgo=sha512", "RHEL9"),
    ("install", "RHEL7"),
    ("logging --level=info", "RHEL9"),
    ("unsupported_hardware", "RHEL7"),
    ("btrfs none --label=x part.01", "RHEL7"),
])
def test_a_line_is_taken_by_the_dialect_that_knows_it(
    tmp_path: Path, line: str, dialect: str,
) -> None:
    (command,) = read(write(tmp_path, line + "\n"), "RHEL10").commands
    assert command.name == line.split()[0]
    assert command.dialect == dialect


@pytest.mark.parametrize(("header", "dialect", "wish"), [
    ("--inst-langs=en --exclude-weakdeps", "RHEL10", {"languages": "en", "with_weak": False}),
    ("--instLangs=en --excludeWeakdeps", "RHEL9", {"languages": "en", "with_weak": False}),
    ("--instLangs en --exclude-weakdeps --nobase", "RHEL9",
     {"languages": "en", "with_weak": False}),
    ("--ignorebroken --nocore --multilib", "F41", {
        "ignore_broken": True, "groups": (), "multilib": True}),
    ("--timeout=5 --retries=2", "RHEL10", {"timeout_s": 5, "retries": 2}),
])
def test_packages_options_of_any_dialect(
    tmp_path: Path, header: str, dialect: str, wish: dict[str, object],
) -> None:
    kickstart = read(write(tmp_path, f"%packages {header}\nvim\n%end\n"), "RHEL10")
    found = {name: getattr(kickstart.packages, name) for name in wish}
    assert found == wish
    assert [(s.name, s.dialect) for s in kickstart.sections] == [("%packages", dialect)]


@pytest.mark.parametrize(("text", "line", "says"), [
    ("text\ntimezome UTC\n", 2, "Unknown command: timezome"),
    ("part / --sze=1\n", 1, "--sze=1"),
    ("%packages --nocoer\n%end\n", 1, "--nocoer"),
    ("%packages --default --nocore\n%end\n", 1, "--default cannot be used"),
    ("autopart\npart / --size=1\n", 2, "can't be used at the same time"),
])
def test_what_no_dialect_takes_is_an_error(
    tmp_path: Path, text: str, line: int, says: str,
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read(path, "RHEL10")
    assert caught.value.where == f"{path}:{line}"
    assert says in str(caught.value)


def test_a_stray_assignment_is_no_command_and_is_said(tmp_path: Path) -> None:
    """Public files have a line `user=root`; it stops no build, and it is not passed over."""
    kickstart = read(write(tmp_path, "text\nuser=root\n"), "RHEL10")
    found = [verdict for verdict in registry.verdicts(kickstart) if verdict.name == "user=root"]
    assert [(v.status.kind, v.where) for v in found] == [
        ("meaningless", f"{tmp_path}/test.ks:2")]
    assert "Anaconda refuses such a line" in found[0].status.reason


def test_a_mistyped_command_gets_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean timezone"):
        read(write(tmp_path, "timezome UTC\n"), "RHEL10")
