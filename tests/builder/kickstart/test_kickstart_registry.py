"""The registry: every command has a status, and what is refused says so with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from pykickstart.version import makeVersion

from builder.kickstart import options, registry
from builder.kickstart.options import recognise
from builder.kickstart.read import read
from host.errors import InputError


def write(folder: Path, text: str) -> Path:
    path = folder / "test.ks"
    path.write_text(text)
    return path


@pytest.mark.parametrize("dialect", options.DIALECTS)
def test_every_command_of_every_dialect_has_a_status(dialect: str) -> None:
    assert set(makeVersion(dialect).commands) <= set(registry.names())


def test_an_option_with_a_status_of_its_own_is_one_that_the_command_takes() -> None:
    for name in registry.names():
        if name.startswith("%addon"):
            continue  # its words are the add-on's own affair
        known = options.section_options(name) if name.startswith("%") else options.options_of(name)
        found = registry.handling(name)
        assert found and set(found.options) <= {each for names in known for each in names}, name


def test_reasons_are_clauses() -> None:
    for name in registry.names():
        found = registry.handling(name)
        assert found
        for status in (found.status, *found.options.values()):
            assert status.reason and not status.reason.endswith("."), (name, status)


@pytest.mark.parametrize(("text", "says"), [
    ("%addon org_example_thing\n%end\n", "'%addon org_example_thing' is not honoured"),
    ("liveimg --url=https://example.org/image\n", "'liveimg' is not honoured"),
    ("part / --size=100 --noformat\n", "'part --noformat' is not honoured"),
    ("part / --size=100 --nofor\n", "'part --noformat' is not honoured"),  # argparse takes it
    ("network --device=wlan0 --essid=here\n", "'network --essid' is not honoured"),
    ("bootloader --extlinux\n", "'bootloader --extlinux' is not honoured"),
    ("%addon com_redhat_kdump --enable --unheard-of\n%end\n", "--unheard-of' is not honoured"),
    ("%addon com_redhat_kdump --enablefadump\n%end\n", "--enablefadump' is not honoured"),
])
def test_what_is_not_honoured_is_refused_with_its_place(
    tmp_path: Path, text: str, says: str,
) -> None:
    path = write(tmp_path, "text\n" + text)
    with pytest.raises(InputError) as caught:
        registry.check(read(path, "RHEL10"))
    assert says in str(caught.value)
    assert caught.value.where == f"{path}:2"


@pytest.mark.parametrize(("words", "found"), [
    (["/", "--size=1"], [("--size",)]),
    (["--size", "1", "/"], [("--size",)]),
    (["--ond", "vda"], [("--ondisk", "--ondrive")]),  # argparse takes a beginning, and so do we
    (["--on=vda"], []),  # of more than one
    (["--append=--size=3"], []),
])
def test_options_are_found_however_they_are_spelled(
    words: list[str], found: list[tuple[str, ...]],
) -> None:
    known = [("--size",), ("--ondisk", "--ondrive"), ("--onpart", "--usepart")]
    assert recognise(words, known) == found


def test_a_name_has_one_status() -> None:
    assert registry.handling("lang")
    with pytest.raises(ValueError, match="lang is registered twice"):
        registry.meaningless("none", "lang")
