"""The documents tell the truth: their commands are such as ccis takes, and what is free is run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

from builder.disk.engines.registry import all_engines
from builder.formats.registry import FORMATS
from ccis.main import app
from images import catalogue

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = [CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
DOCUMENTS += [*sorted((CHECKOUT / "docs").glob("*.md")), CHECKOUT / "rehearsal/README.md"]
KNOWN = {
    "images": [*catalogue.image_names()], "targets": ["all", *catalogue.target_names()],
    "formats": [*FORMATS], "engine": ["auto", *all_engines()],
    "release": [*catalogue.release_names()],
}
ROOT: Any = typer.main.get_command(app)


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a document's code blocks, without comments, continued ones as one."""
    for block in re.findall(r"^```\w*\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            yield " ".join(line.partition("  #")[0].split())


def examples() -> Iterator[str]:
    """Yield each `ccis …` that a document shows on a line of its own."""
    for path in DOCUMENTS:
        yield from (line for line in lines_of(path) if line.startswith("ccis "))


def mentions() -> Iterator[str]:
    """Yield each `ccis …` within a sentence, which leaves out what it is not about."""
    for path in DOCUMENTS:
        yield from re.findall(r"`(ccis [a-z][^`]*)`", path.read_text())


def command_of(words: list[str]) -> tuple[Any, Any, list[str]]:
    """Return the command that words begin with, its context, and the other words."""
    command, context = ROOT, typer.Context(ROOT, info_name="ccis")
    while words and hasattr(command, "list_commands"):
        command = command.get_command(context, words[0])
        assert command is not None, words[0]
        context = typer.Context(command, info_name=words[0], parent=context)
        words = words[1:]
    return command, context, words


@pytest.mark.parametrize("line", sorted(set(examples())))
def test_ccis_takes_the_command(line: str) -> None:
    """Parsed as if it were typed, with all names looked up, and not run."""
    command, context, words = command_of(shlex.split(line)[1:])
    made = command.make_context(command.name, words, parent=context.parent)
    for option, known in KNOWN.items():
        value = made.params.get(option)
        names = [value] if isinstance(value, str) else value or []
        assert {part for name in names for part in re.split("[, ]+", name)} <= set(known)


@pytest.mark.parametrize("line", sorted(set(mentions())))
def test_ccis_has_the_command_and_options_that_a_sentence_names(line: str) -> None:
    command, _, words = command_of(line.split()[1:])
    options = {name for param in command.params for name in param.opts + param.secondary_opts}
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(words))) <= options


def test_make_has_every_target_that_is_named() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    for path in DOCUMENTS:
        named = {line.split()[1] for line in lines_of(path) if line.startswith("make ")}
        named |= set(re.findall(r"`make ([a-z-]+)`", path.read_text()))
        assert named <= targets, path


def test_every_page_that_is_linked_is_there() -> None:
    for path in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


@pytest.mark.parametrize("line", ["ccis doctor", "ccis lint my.ks", "ccis explain my.ks"])
def test_what_costs_nothing_runs_word_for_word(line: str, tmp_path: Path) -> None:
    """As in README, with a kickstart of one's own."""
    assert line in [*lines_of(CHECKOUT / "README.md")]
    shutil.copytree(CHECKOUT / "kickstarts", tmp_path, dirs_exist_ok=True)
    (tmp_path / "generic-cloud.ks").rename(tmp_path / "my.ks")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True,
                          env={**os.environ, "PATH": path}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout
