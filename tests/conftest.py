"""Shared by all tests: they run in a clean room, as far as that needs no new interpreter."""

from __future__ import annotations

from host import clean_room

clean_room.settle()
