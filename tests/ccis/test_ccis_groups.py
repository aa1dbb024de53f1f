"""Options that several commands share: a dataclass of them, which Typer sees as its fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from ccis import release
from ccis.groups import spread
from host.errors import InputError


@dataclass(frozen=True)
class Size:
    width: Annotated[int, typer.Option(help="How wide.")]
    height: Annotated[int, typer.Option("--tall", help="How tall.")] = 2


@dataclass(frozen=True)
class Box(Size):
    depth: Annotated[int, typer.Option(help="How deep.")] = 3


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
@spread
def pack(
    name: Annotated[str, typer.Argument(help="What is in it.")],
    *,
    first: Annotated[bool, typer.Option("--first", help="Before.")] = False,
    box: Box,
    last: Annotated[bool, typer.Option("--last", help="Behind.")] = False,
) -> None:
    """Pack a thing."""
    typer.echo(f"{name} {box} {first} {last}")


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, words)
    return done.exit_code, done.output


def test_a_command_gets_its_group_with_what_was_typed_and_with_defaults() -> None:
    assert said("pen", "--width", "5", "--depth", "7", "--last") == (
        0, "pen Box(width=5, height=2, depth=7) False True\n")


def test_a_field_without_default_must_be_given() -> None:
    status, text = said("pen")
    assert status == 2
    assert "--width" in text


def test_the_help_has_the_fields_where_the_group_stands() -> None:
    _, text = said("--help")
    assert "Pack a thing." in text
    places = [text.index(each) for each in (
        "--first", "--width", "--tall", "--depth", "--last", "--help")]
    assert places == sorted(places)


@pytest.mark.parametrize("by", [
    release.Key(), release.Key(sign_with="me", rehearsal_key=True), release.Signing(),
    release.Signing(signing=Path("ask.json"), rehearsal_key=True),
    release.Signing(signing=Path("ask.json"), sign_with="me"),
])
def test_a_release_is_signed_with_exactly_one_key(by: release.Key) -> None:
    with pytest.raises(InputError, match="signed with exactly one key"):
        by.signer()


def test_a_request_for_signatures_says_whose() -> None:
    with pytest.raises(InputError, match="whose signatures are asked for is not said"):
        release.Signing(signing=Path("ask.json")).signer()
