"""What the tests of kickstart commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.tree.tree import Tree
from tests.builder.kickstart.lines import small_tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return small_tree(tmp_path)
