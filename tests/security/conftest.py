"""Fixtures of the security tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.store.store import Store, open_store


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("CCIS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CCIS_CACHE", str(tmp_path / "cache"))
    return open_store()
