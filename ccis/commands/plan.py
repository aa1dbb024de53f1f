"""`ccis plan`: what a build would do, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from ccis import output
from ccis.display import watching
from ccis.groups import spread
from ccis.selection import JsonOption, Order

app = typer.Typer(add_completion=False)


@app.command()
@spread
def plan(
    order: Order,
    *,
    json: JsonOption = False,
) -> None:
    """Show what a build would do: the packages, the disk, and for each step whether it will run.

    \b
    ccis plan generic-cloud
    ccis plan generic-cloud --release rehearsal-10 --json

    Nothing is built. For a step that will run, the inputs that changed since the last build of
    the same image are named.
    """
    from builder import planner
    from builder.store.store import open_store

    plans = []
    with watching(table=False) as progress:
        store = open_store()
        selections = []
        for request in order.requests(progress):
            made = planner.make(request, store, progress.say)
            selections.append(made.selection)
            plans.append({
                "image": request.image.name, "release": request.release.name, "arch": request.arch,
                "digest": made.digest, "engine": made.engine.name if made.engine else None,
                "engine_reason": made.engine_reason, "source_date_epoch": made.epoch,
                "steps": planner.why_made(made, store),
                "packages": [choice.record.nevra for choice in made.packages],
                "added": [{"package": name, "reason": reason} for name, reason in made.added],
                "notes": [{"where": where, "text": text} for where, text in made.notes],
                "targets": [target.name for target in request.targets],
                "layout": made.layout.model_dump(mode="json") if made.engine else None,
            })
        order.check_unsigned(selections)
    output.report(plans, lambda: _text(plans), to_json=json)


def _text(plans: list[dict[str, Any]]) -> Iterator[str]:
    for number, plan in enumerate(plans):
        yield from [""] * bool(number)
        twins = [other for other in plans if other["image"] == plan["image"]]
        yield from _lines(plan, plan["targets"] if len(twins) > 1 else [])


def _lines(plan: dict[str, Any], targets: list[str]) -> list[str]:
    """Return the lines of a plan. targets: those that tell it from another of the same image."""
    whom = f" ({', '.join(targets)})" if targets else ""
    lines = [
        f"{plan['image']} for {plan['release']} {plan['arch']}{whom}: "
        f"{len(plan['packages'])} packages, "
        f"disk by {plan['engine'] or 'none'} ({plan['engine_reason']})",
    ]
    lines += _disk(plan["layout"]) if plan["layout"] else []
    lines += [f"  added: {row['package']} – {row['reason']}" for row in plan["added"]]
    lines += [f"  note: {row['where']}: {row['text']}" for row in plan["notes"]]
    for row in plan["steps"]:
        state = "in the store" if row["hit"] else f"will run: {', '.join(row['changed'])}"
        lines.append(f"  {row['step']:<11} {row['digest'][:12]}  {state}")
    return lines


def _disk(layout: dict[str, Any]) -> list[str]:
    lines = []
    for part in layout["partitions"]:
        lines.append(f"  {part['number']:>2}  {part['mountpoint'] or part['fstype']:<12} "
                     f"{part['fstype']:<9} {part['size_bytes'] / (1 << 20):>8,.0f} MiB")
    for part in layout["volumes"]:
        name = part["subvolume"] or part["device"].removeprefix("/dev/")
        lines.append(f"      {part['mountpoint'] or part['fstype']:<12} {part['fstype']:<9} "
                     f"{part['size_bytes'] / (1 << 20):>8,.0f} MiB  {name}")
    return lines
