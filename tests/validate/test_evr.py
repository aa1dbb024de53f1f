"""Versions are compared as rpm does it, and those of strangers without an error."""

from __future__ import annotations

import pytest
import rpm
from hypothesis import assume, given
from hypothesis import strategies as st

from validate.evr import compare

VERSIONS = st.lists(st.sampled_from(
    ["0", "1", "2", "10", "007", "a", "b", "A", "rc", "~", "^", ".", "+", "_"]),
    min_size=1, max_size=7).map("".join)


@given(VERSIONS, VERSIONS)
def test_versions_are_in_rpm_s_order(one: str, other: str) -> None:
    try:
        expected = rpm.labelCompare(("0", one, ""), ("0", other, ""))
    except ValueError:
        assume(False)
    assert compare(f"0:{one}", f"0:{other}") == expected


@pytest.mark.parametrize(("one", "other", "order"), [
    ("1:1-1", "2-9", 1), ("1.0-1", "1.0-2", -1), ("1.0", "1.0-2", 0), ("1.0~rc1-1", "1.0-1", -1),
    ("1.0^git1-1", "1.0-1", 1), ("", "", 0), ("é:?-", ":-", -1),
])
def test_epoch_version_and_release(one: str, other: str, order: int) -> None:
    assert compare(one, other) == order
