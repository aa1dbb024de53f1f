"""`ccis store`: what the store holds, whether it is sound, and how to be rid of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from ccis import output
from ccis.display import amount, watching
from ccis.selection import JsonOption

app = typer.Typer(add_completion=False)


@app.command("list")
def show(json: JsonOption = False) -> None:
    """List the results in the store, the one used last on top.

    \b
    ccis store list
    """
    from builder.store.store import open_store

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
        f"{store.root}: {amount(total, 'bytes')} of {amount(store.limit_bytes, 'bytes')}",
        *(f"  {datetime.fromtimestamp(stamp, UTC):%Y-%m-%d %H:%M}  {amount(size, 'bytes'):>10}  "
          f"{step:<11} {label}" for step, label, size, stamp in rows),
    ]
    output.report(content, lambda: text, to_json=json)


@app.command()
def verify(
    json: JsonOption = False,
    repair: Annotated[bool, typer.Option("--repair", help="Remove what is damaged.")] = False,
) -> None:
    """Read every result in the store and compare it, file by file, with what was put.

    \b
    ccis store verify
    ccis store verify --repair

    Exit status 1 when one is damaged; the next build that needs it makes it again. With --repair
    it is removed, and the status is 1 only for what a running build still reads.
    """
    from builder.store import check
    from builder.store.store import open_store

    with watching(table=False) as progress:
        store = open_store()
        found = list(check.check(store.shelves, progress, repair=repair))
    bad = [each for each in found if each.flaw]
    left = [each for each in bad if not each.removed]
    total_bytes = sum(each.bytes for each in found)
    content = {"ok": not left, "root": str(store.root), "bytes": total_bytes, "results": found}
    text = [
        *(f"{'removed' if each.removed else 'FAIL'} {each.step} {each.digest[:12]} "
          f"({each.label or 'of no image'}): {each.flaw}" for each in bad),
        f"{len(found) - len(bad)} of {len(found)} results are as they were put "
        f"({amount(total_bytes, 'bytes')} in {store.root})",
    ]
    output.report(content, lambda: text, to_json=json)
    if left:
        raise typer.Exit(1)


@app.command()
def clean() -> None:
    """Remove every result that no running build uses; downloads stay.

    \b
    ccis store clean
    """
    from builder.store.store import open_store

    store = open_store()
    before = len(store.usage())
    store.limit_bytes = 0
    store.sweep()
    output.line(f"removed {before - len(store.usage())} of {before} results from {store.root}")
