"""Help and man pages: every command has examples, and the pages are what --help says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

from ccis.main import app
from ccis.share.manual import pages

DAY = date(2026, 11, 21)


def commands(command: Any, context: Any) -> Iterator[tuple[str, Any]]:
    """Yield each command below another with all its words; groups only by what is in them."""
    if not hasattr(command, "list_commands"):
        yield context.command_path, command
        return
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        yield from commands(below, typer.Context(below, info_name=name, parent=context))


ROOT: Any = typer.main.get_command(app)
COMMANDS = dict(commands(ROOT, typer.Context(ROOT, info_name="ccis")))


@pytest.fixture(scope="module")
def manual() -> dict[str, str]:
    return pages(DAY)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_shows_an_example_of_itself(path: str) -> None:
    assert re.search(rf"^\s*{path}( |$)", COMMANDS[path].help, re.MULTILINE)


@pytest.mark.parametrize("path", COMMANDS)
def test_examples_name_only_options_that_there_are(path: str) -> None:
    known = {name for param in COMMANDS[path].params for name in (*param.opts, "--help")}
    for line in re.findall(rf"^\s*{path} .*", COMMANDS[path].help, re.MULTILINE):
        assert set(re.findall(r"(?<= )--?[a-z][a-z-]*", line)) <= known, line


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_says_what_it_does(path: str) -> None:
    assert [param.name for param in COMMANDS[path].params if not param.help] == []


def test_there_is_a_page_for_each_command(manual: dict[str, str]) -> None:
    assert set(manual) == {"ccis", *("-".join(path.split()[:2]) for path in COMMANDS)}


def test_the_pages_are_sound(manual: dict[str, str], tmp_path: Path) -> None:
    """By mandoc's own checks, style included."""
    for name, text in manual.items():
        (tmp_path / f"{name}.1").write_text(text)
    done = subprocess.run(["mandoc", "-T", "lint", *sorted(tmp_path.iterdir())],
                          capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize("path", COMMANDS)
def test_a_page_tells_all_options_and_examples(manual: dict[str, str], path: str) -> None:
    done = subprocess.run(["mandoc", "-T", "utf8"], text=True, capture_output=True, check=True,
                          input=manual["-".join(path.split()[:2])])
    page = " ".join(re.sub(".\x08", "", done.stdout).split())
    context = typer.Context(COMMANDS[path])
    for param in COMMANDS[path].params:
        left, text = param.get_help_record(context)
        assert left in page
        assert " ".join(text.split()) in page
    for line in re.findall(rf"^\s*({path} .*)", COMMANDS[path].help, re.MULTILINE):
        assert " ".join(line.split()) in page


def test_the_page_of_ccis_has_what_no_command_s_page_has(manual: dict[str, str]) -> None:
    headings = re.findall(r"^\.SH (.*)", manual["ccis"], re.MULTILINE)
    assert headings == ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS",
                        "ENVIRONMENT", "EXAMPLES", "SEE ALSO"]
    assert "CCIS_STORE_LIMIT" in manual["ccis"]


def test_the_same_day_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        subprocess.run([sys.executable, "-m", "ccis.share", tmp_path / name], check=True,
                       env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": "1795219200"})
    subprocess.run(["diff", "-r", tmp_path / "one", tmp_path / "two"], check=True)
    page = (tmp_path / "one/man/man1/ccis-build.1").read_text()
    assert page.startswith(".TH CCIS\\-BUILD 1 2026-11-21 ")
