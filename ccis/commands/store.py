"""`ccis store`: what the store holds, and how to be rid of it."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from ccis import output
from ccis.selection import JsonOption

app = typer.Typer(add_completion=False)


@app.command("list")
def show(json: JsonOption = False) -> None:
    """List the results in the store, the one used last on top.

    \b
    ccis store list
    """
    from builder.store import open_store

    store = open_store()
    rows = sorted(store.usage(), key=lambda row: row[3], reverse=True)
    content = {
        "root": str(store.root), "limit_bytes": store.limit_bytes,
        "entries": [{"step": step, "of": label, "bytes": size,
                     "used": datetime.fromtimestamp(stamp, UTC).isoformat(timespec="seconds")}
                    for step, label, size, stamp in rows],
    }
    total = sum(size for _, _, size, _ in rows)
    text = [
        f"{store.root}: {total / 1e9:.2f} GB of {store.limit_bytes / 1e9:.0f} GB",
        *(f"  {datetime.fromtimestamp(stamp, UTC):%Y-%m-%d %H:%M}  {size / 1e6:>8,.0f} MB  "
          f"{step:<11} {label}" for step, label, size, stamp in rows),
    ]
    output.report(content, lambda: text, to_json=json)


@app.command()
def clean() -> None:
    """Remove every result that no running build uses; downloads stay.

    \b
    ccis store clean
    """
    from builder.store import open_store

    store = open_store()
    before = len(store.usage())
    store.limit_bytes = 0
    store.sweep()
    output.line(f"removed {before - len(store.usage())} of {before} results from {store.root}")
