"""`ccis list`: the images, releases, repositories, targets, formats and engines that there are."""

from __future__ import annotations

import typer

from ccis import output
from ccis.selection import JsonOption

app = typer.Typer(add_completion=False)


@app.command("list")
def list_(json: JsonOption = False) -> None:
    """List the images, releases, repositories, targets, formats and engines that can be named.

    \b
    ccis list
    ccis list --json
    """
    from builder.disk.engines.registry import all_engines
    from builder.formats.registry import FORMATS
    from images import catalogue

    images = [catalogue.image(name) for name in catalogue.image_names()]
    releases = [catalogue.release(name) for name in catalogue.release_names()]
    content = {
        "images": {image.name: image.summary for image in images},
        "releases": {release.name: f"{release.title} ({', '.join(release.architectures)})"
                     for release in releases},
        "repositories": {name: f"{one.title} ({one.upstream}): {one.scope}"
                         for name, one in catalogue.repositories().items()},
        "targets": {target.name: f"{target.title}: {', '.join(target.formats)}"
                    for target in map(catalogue.target, catalogue.target_names())},
        "formats": {name: form.title for name, form in sorted(FORMATS.items())},
        "engines": {name: engine.suits for name, engine in sorted(all_engines().items())},
    }
    output.report(content, lambda: _text(content), to_json=json)


def _text(content: dict[str, dict[str, str]]) -> list[str]:
    lines = []
    for kind, entries in content.items():
        lines.append(f"{kind}:")
        lines += [f"  {name:<18} {summary}" for name, summary in entries.items()]
    return lines
