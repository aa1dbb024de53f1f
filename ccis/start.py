"""Where the `ccis` command begins: in a clean room, before anything heavy is imported."""

from __future__ import annotations

import os

from host import clean_room


def main() -> None:
    """Make this process a clean room, then run the command line; completion builds nothing."""
    if "_CCIS_COMPLETE" not in os.environ:
        clean_room.enter()
    from ccis import main as command_line

    command_line.main()
