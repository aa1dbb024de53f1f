"""What the slow tests share: the built image, made once by the store for all tests."""

from __future__ import annotations

from tests.integration.conftest import built, ccis

__all__ = ["built", "ccis"]
