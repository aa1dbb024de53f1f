"""Looks at the code: `make lint` and the hooks before a commit are the same programs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).parents[2]
HOOKS = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())["repos"]


def linted(target: str = "lint") -> list[str]:
    """Return the commands that `make lint` runs, or another target of the Makefile."""
    done = subprocess.run(["make", "--dry-run", target], cwd=CHECKOUT, text=True, check=True,
                          capture_output=True)
    return done.stdout.splitlines()


def test_hooks_fetch_nothing() -> None:
    assert [each["repo"] for each in HOOKS] == ["local"]
    assert {hook["language"] for hook in HOOKS[0]["hooks"]} == {"system"}


def test_the_hooks_are_what_make_lint_runs() -> None:
    programs = [hook["entry"].split()[0] for hook in HOOKS[0]["hooks"]]
    assert programs == [".venv/bin/ruff", ".venv/bin/mypy", ".venv/bin/codespell", "shellcheck"]
    for program in programs:
        assert any(program in line.split() for line in linted()), program


def test_every_script_of_ours_is_checked() -> None:
    """All that begin with a shell's line, wherever they are; those of packages run in an image."""
    listing = subprocess.run(["git", "grep", "-lE", "^#!.*(/|env )(ba|da)?sh$", "--", ".",
                              ":!*.py", ":!rehearsal/files"],
                             cwd=CHECKOUT, text=True, check=True, capture_output=True)
    (line,) = [line for line in linted() if "|| shellcheck" in line]
    assert set(listing.stdout.split()) <= set(line.split())


def test_fast_tests_are_not_the_full_ones() -> None:
    """pytest takes the last -m alone, so that pyproject's own `not full` does not count."""
    for target in ("test-fast", "coverage"):
        (line,) = [line for line in linted(target) if "pytest" in line]
        assert '-m "not integration and not full"' in line
