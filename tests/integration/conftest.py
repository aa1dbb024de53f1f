"""Shared by the integration tests: the command, and the images that several of them need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CCIS = Path(sys.executable).with_name("ccis")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Everything in this folder runs the real thing."""
    if Path(__file__).parent in item.path.parents:
        item.add_marker(pytest.mark.integration)


class Command:
    """Runs `ccis` as a person would."""

    def __call__(
        self, *words: str | Path, status: int = 0, store: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [CCIS, *words], capture_output=True, text=True, env=self.environment(store),
            stdin=subprocess.DEVNULL)
        assert done.returncode == status, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *words: str | Path, store: Path | None = None) -> Any:
        return json.loads(self(*words, "--json", store=store).stdout)

    @staticmethod
    def environment(store: Path | None = None) -> dict[str, str]:
        return {**os.environ, **({"CCIS_STORE": str(store)} if store else {})}


@pytest.fixture(scope="session")
def ccis() -> Command:
    return Command()


@pytest.fixture(scope="session")
def built(ccis: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of generic-cloud for rehearsal-10; the store makes it once for all tests."""
    out = tmp_path_factory.mktemp("built")
    (report,) = ccis.json("build", "generic-cloud", "--release", "rehearsal-10", "--out", out)
    return Path(report["folder"])


@pytest.fixture(scope="session")
def built_9(ccis: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same image for rehearsal-9."""
    out = tmp_path_factory.mktemp("built9")
    (report,) = ccis.json("build", "generic-cloud", "--release", "rehearsal-9", "--out", out)
    return Path(report["folder"])
