"""The registry: every command has a status, and what is refused says so with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.kickstart import registry
from builder.kickstart.options import recognise
from builder.kickstart.read import read
from host.errors import InputError


def write(folder: Path, text: str) -> Path:
    path = folder / "test.ks"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "says"), [
    ("%addon org_example_thing\n%end\n", "'%addon org_example_thing' is not honoured"),
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
    assert registry.entry("lang")
    with pytest.raises(ValueError, match="lang is registered twice"):
        registry.meaningless("none", "lang")
