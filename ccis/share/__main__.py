"""Writes man pages and completion into a folder: `python -m ccis.share FOLDER`.

The folder is laid out like /usr/share. Where SOURCE_DATE_EPOCH is set, the pages carry that date,
and the same sources give the same bytes.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from ccis.share.completion import scripts
from ccis.share.manual import pages


def files() -> dict[str, str]:
    """Return the content of each file by its path below the folder."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    day = (datetime.fromtimestamp(int(seconds), UTC) if seconds else datetime.now(UTC)).date()
    return {**{f"man/man1/{name}.1": text for name, text in pages(day).items()}, **scripts()}


def main(folder: Path) -> None:
    """Write all files below a folder, which is made if need be."""
    for name, text in files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m ccis.share FOLDER")
    main(Path(sys.argv[1]))
