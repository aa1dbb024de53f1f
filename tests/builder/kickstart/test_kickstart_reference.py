"""docs/kickstart.md says what the code does: it is made from the registry and up to date."""

from __future__ import annotations

import pytest
from pykickstart.version import makeVersion

from builder.kickstart import registry
from builder.kickstart.options import DIALECTS
from builder.kickstart.reference import PAGE, page


def rows() -> dict[tuple[str, str], str]:
    """Return the status of every command and option in the page's tables."""
    found: dict[tuple[str, str], str] = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line[:3] == "| `" else []
        for option in cells[1].split(", ") if cells else []:
            found[cells[0].strip("`"), option.strip("`")] = cells[2]
    return found


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m builder.kickstart.reference"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_command_and_option_stands_in_the_table(dialect: str) -> None:
    known = rows()
    for name, command in makeVersion(dialect).commands.items():
        assert known[name, ""] in ("honoured", "without meaning", "refused")
        for action in command.op._actions if hasattr(command, "op") else []:
            for spelling in action.option_strings or [f"<{action.dest}>"]:
                assert (name, spelling) in known, (name, spelling)


def test_the_table_has_the_registry_s_own_statuses() -> None:
    words = {"honoured": "honoured", "meaningless": "without meaning", "refused": "refused"}
    for name in registry.names():
        found = registry.handling(name)
        assert found and rows()[name, ""] == words[found.status.kind]
        for option, status in found.options.items():
            assert rows()[name, option] == words[status.kind]
