"""The man pages, made from what `--help` says: ccis(1), and one for each command.

A page is in man(7)'s language. Paragraphs of a help text that keep their lines (`\\b`) are examples
if they begin with `ccis`, a section of their own if their first line is one of _SECTIONS, and else
stay as they are.
"""

from __future__ import annotations

import importlib.metadata
import re
import textwrap
from collections.abc import Iterator
from datetime import date
from typing import Any

import typer.main

from ccis.main import app

_SECTIONS = {"Exit status:": "EXIT STATUS", "Environment:": "ENVIRONMENT", "Examples:": "EXAMPLES"}
_WIDTH = 72
"""Of the pages' own lines: mandoc complains of more than 80 bytes, and a dash has three."""
_KEPT = "\b"
"""Click's mark for a paragraph whose lines stay as they are."""


def pages(day: date) -> dict[str, str]:
    """Return each page by its name, such as "ccis-build". day: the date that they carry."""
    group: Any = typer.main.get_command(app)  # Typer's own classes, or Click's in older versions
    context = typer.Context(group, info_name="ccis", **group.context_settings)
    commands = _below(group, context)
    names = [f"ccis-{command.name}" for command in commands]
    found = {"ccis": _page("ccis", group, context, day, commands, names)}
    for name, command in zip(names, commands, strict=True):
        own = typer.Context(command, info_name=command.name, parent=context)
        found[name] = _page(name, command, own, day, _below(command, own), ["ccis"])
    return found


def _page(
    name: str, command: Any, context: Any, day: date, below: list[Any], see: list[str],
) -> str:
    title, paragraphs = _help(command)
    version = importlib.metadata.version("ccis")
    lines = [f'.TH {_escaped(name.upper())} 1 {day:%Y-%m-%d} "ccis {version}" "ccis"',
             ".SH NAME", *_filled(f"{name} - {title}"), ".SH SYNOPSIS"]
    lines += _usage(command, context)
    sections: dict[str, list[str]] = {"DESCRIPTION": _filled(_sentence(title))}
    for paragraph in paragraphs:
        section, text = _paragraph(paragraph)
        sections.setdefault(section, []).extend(text)
    description = sections.pop("DESCRIPTION")
    lines += [".SH DESCRIPTION", *description, *_arguments(command, context)]
    if name == "ccis":
        lines += [".SH COMMANDS", *_commands(below)]
    else:
        for each in below:
            lines += [*_subsection(each, typer.Context(each, info_name=each.name, parent=context))]
    for section in _SECTIONS.values():
        if section in sections:
            lines += [f".SH {section}", *sections[section]]
    references = [f".BR {_escaped(each)} (1)" for each in see]
    lines += [".SH SEE ALSO", *(f"{each} ," for each in references[:-1]), references[-1]]
    return "\n".join(_trimmed(lines)) + "\n"


def _below(command: Any, context: Any) -> list[Any]:
    """Return the commands of a group, such as `ccis store`."""
    if not hasattr(command, "list_commands"):
        return []
    return [command.get_command(context, name) for name in command.list_commands(context)]


def _help(command: Any) -> tuple[str, list[str]]:
    """Return the first sentence of a help text without its dot, and the paragraphs after it."""
    text = textwrap.dedent(command.help or "").strip()
    if command.epilog:
        text += "\n\n" + command.epilog.strip("\n")
    first, *more = re.split(r"\n\s*\n", text)
    return " ".join(first.split()).rstrip("."), more


def _sentence(title: str) -> str:
    return f"{title}."


def _paragraph(text: str) -> tuple[str, list[str]]:
    """Return the section that a paragraph belongs to, and its lines."""
    if not text.lstrip(" \n").startswith(_KEPT):
        return "DESCRIPTION", [".PP", *_filled(text)]
    lines = textwrap.dedent(text.replace(_KEPT, "", 1).strip("\n")).splitlines()
    if lines[0].strip() in _SECTIONS:
        section = _SECTIONS[lines.pop(0).strip()]
        lines = textwrap.dedent("\n".join(lines)).splitlines()
    else:
        section = "EXAMPLES" if lines[0].startswith("ccis ") else "DESCRIPTION"
    return section, [".PP", ".nf", *map(_escaped, lines), ".fi"]


def _usage(command: Any, context: Any) -> list[str]:
    return [f".B {_escaped(context.command_path)}",
            *_filled(" ".join(command.collect_usage_pieces(context)))]


def _arguments(command: Any, context: Any) -> Iterator[str]:
    """Yield the lines for arguments and options, with the help that --help shows."""
    for title, kind in (("ARGUMENTS", "argument"), ("OPTIONS", "option")):
        records = [record for param in command.get_params(context)
                   if param.param_type_name == kind and (record := param.get_help_record(context))]
        if records:
            yield f".SH {title}"
        for left, text in records:
            yield from _item(left, text)


def _commands(commands: list[Any]) -> Iterator[str]:
    for command in commands:
        yield from _item(f"ccis {command.name}", _sentence(_help(command)[0]))


def _subsection(command: Any, context: Any) -> Iterator[str]:
    """Yield the lines for a command of a group, its options and examples as well."""
    title, paragraphs = _help(command)
    yield f".SH {_escaped(context.command_path.upper())}"
    yield from _usage(command, context)
    yield ".PP"
    yield from _filled(_sentence(title))
    for paragraph in paragraphs:
        yield from _paragraph(paragraph)[1]
    for line in _arguments(command, context):
        yield line.replace(".SH ARGUMENTS", ".PP").replace(".SH OPTIONS", ".PP")


def _item(left: str, text: str) -> list[str]:
    return [".TP", f".B {_escaped(left)}", *_filled(text)]


def _filled(text: str) -> list[str]:
    """Return running text in lines, which the reader's own width breaks anew."""
    return [_unlike_a_request(line) for line in textwrap.wrap(
        _plain(text), _WIDTH, break_long_words=False, break_on_hyphens=False)]


def _trimmed(lines: list[str]) -> list[str]:
    """Return lines without the .PP that says nothing: after a heading, before another, twice."""
    found: list[str] = []
    for line in lines:
        if line == ".PP" and (not found or found[-1].startswith((".SH", ".PP"))):
            continue
        if line.startswith((".SH", ".TP")) and found and found[-1] == ".PP":
            found.pop()
        found.append(line)
    return found


def _escaped(text: str) -> str:
    """Return text as roff takes it for what it is."""
    return _unlike_a_request(_plain(text))


def _plain(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-")


def _unlike_a_request(line: str) -> str:
    return f"\\&{line}" if line.startswith((".", "'")) else line
