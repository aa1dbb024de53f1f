"""The mutation that breaks each rule about a file or tree; a path alone: a file appears there.

A row is the change, or the change and the other rules that see it as well, with `arch` or `version`
of the model where the rule is about another.
"""

from __future__ import annotations

from tests.validate.mutations.changes import touch
from tests.validate.mutations.good import Change
from tests.validate.mutations.row import Row
from tests.validate.mutations.rows.artefact import ARTEFACT
from tests.validate.mutations.rows.boot import BOOT
from tests.validate.mutations.rows.cloud import CLOUD_ROWS, CONTAINER
from tests.validate.mutations.rows.identity import CLEAN, IDENTITY
from tests.validate.mutations.rows.packages import PACKAGES
from tests.validate.mutations.rows.security import SECURITY
from tests.validate.mutations.rows.targets import TARGETS

_ALL: dict[str, Row | Change | str] = {
    **ARTEFACT, **PACKAGES, **IDENTITY, **CLEAN, **SECURITY, **BOOT, **CLOUD_ROWS, **CONTAINER,
    **TARGETS}


def row(rule_id: str) -> Row:
    """The row of a rule."""
    found = _ALL[rule_id]
    if isinstance(found, str):
        return Row(touch(found))
    return found if isinstance(found, Row) else Row(found)


def known() -> set[str]:
    """The ids of all rules that have a row."""
    return set(_ALL)


