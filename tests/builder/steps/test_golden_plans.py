"""What every step of every image is made of, in files that a reviewer sees change.

tests/builder/steps/golden/<image>.json holds the graph of an image for rehearsal-10 with all inputs
of its steps, without what differs from host to host (versions) and from night to night (packages).
`UPDATE_GOLDEN=1 pytest tests/builder/steps` writes them anew.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from builder.artefact import About
from builder.disk.engines.registry import all_engines
from builder.graph import graph
from builder.kickstart.layout import layout_of, without_partitions
from builder.kickstart.read import read
from builder.packages.requirements import requirements
from builder.packages.selection import Selection
from builder.request import Request
from builder.steps.facts import Facts
from images import catalogue
from images.specs import spec_of

GOLDEN = Path(__file__).with_name("golden")
RELEASE = "rehearsal-10"
_VERSION = re.compile(r"\d+\.\d")
_OWN = re.compile(r"[0-9a-f]{64}")  # of a certificate that this host made


def facts_of(name: str) -> Facts:
    """Find out what the planner does, but for packages: no repository is asked."""
    image, release = catalogue.image(name), catalogue.release(RELEASE)
    request = Request(image=image, kickstart=catalogue.kickstart_of(image), release=release,
                      arch="x86_64", targets=tuple(catalogue.targets_of(image)))
    kickstart = read(request.kickstart, release.dialect)
    layout = layout_of(kickstart, image.disk_size_bytes or 10 << 30, release, seed="golden",
                       is_needed=request.has_disk)
    booted = layout if request.has_disk else without_partitions(layout)
    selection = Selection(kickstart, release, "x86_64", (), Path("/key/golden.asc"),
                      requirements=requirements(kickstart, booted, "x86_64"))
    return Facts(
        request=request, kickstart=kickstart, selection=selection, choices=(), epoch=1,
        layout=layout,
        engine=all_engines()["direct"] if request.has_disk else None,
        rules=spec_of(image, rehearsal=True).sealed(
            arch="x86_64", image_format="raw", shape=image.shape, version=release.version,
            rehearsal=True),
        about=About(image.name, image.name, request.flavour, release.distribution,
                    release.version, "x86_64", 1, image.disk_size_bytes),
        pre=None, more=None, extra=())


def shown(value: Any) -> Any:
    """Return inputs without the versions of what this host has, and without its certificates."""
    if isinstance(value, dict):
        return {key: shown(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shown(each) for each in value]
    if not isinstance(value, str):
        return value
    return "<own>" if _OWN.fullmatch(value) else "<version>" if _VERSION.search(value) else value


@pytest.mark.parametrize("name", catalogue.image_names())
def test_the_inputs_of_every_step_are_those_of_the_golden_file(name: str) -> None:
    facts = facts_of(name)
    actions = graph(facts, facts.request.wanted_formats, key=bytes(32))
    found = {
        action.name: {
            "after": [each.name for each in action.after], "programs": list(action.step.programs),
            "inputs": {key: shown(value) if key in ("tools", "options") else value
                       for key, value in action.inputs.as_json().items()},
        } for action in actions.values()
    }
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    file = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(text)
    assert json.loads(file.read_text()) == json.loads(text), \
        "if this is meant: UPDATE_GOLDEN=1 pytest tests/builder/steps, and look at the diff"
