"""The package groups: comps.yaml as the comps.xml that dnf and createrepo_c read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import yaml

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//CentOS//DTD Comps info//EN" "comps.dtd">
"""


def load_groups() -> dict[str, Any]:
    """Read comps.yaml: groups and environments by id."""
    text = (Path(__file__).parent / "comps.yaml").read_text()
    content: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)
    return content


def comps_xml(repository: str) -> str:
    """Return comps.xml: the groups for BaseOS; AppStream has none of its own."""
    if repository != "BaseOS":
        return f"{_HEAD}<comps/>\n"
    content = load_groups()
    parts = [_group(name, group) for name, group in content["groups"].items()]
    parts += [_environment(name, one) for name, one in content["environments"].items()]
    return f"{_HEAD}<comps>\n{''.join(parts)}</comps>\n"


def _group(name: str, group: Mapping[str, Any]) -> str:
    lines = [
        f'      <packagereq type="{kind}">{escape(package)}</packagereq>\n'
        for kind in ("mandatory", "default", "optional") for package in group.get(kind, [])
    ]
    return (
        f"  <group>\n    <id>{name}</id>\n    <name>{escape(group['name'])}</name>\n"
        f"    <description>{escape(group['description'])}</description>\n"
        f"    <default>{str(group.get('default_group', False)).lower()}</default>\n"
        f"    <uservisible>{str(group.get('visible', True)).lower()}</uservisible>\n"
        f"    <packagelist>\n{''.join(lines)}    </packagelist>\n  </group>\n"
    )


def _environment(name: str, one: Mapping[str, Any]) -> str:
    groups = "".join(f"      <groupid>{group}</groupid>\n" for group in one["groups"])
    options = "".join(f"      <groupid>{group}</groupid>\n" for group in one.get("options", []))
    return (
        f"  <environment>\n    <id>{name}</id>\n    <name>{escape(one['name'])}</name>\n"
        f"    <description>{escape(one['description'])}</description>\n"
        f"    <display_order>3</display_order>\n    <grouplist>\n{groups}    </grouplist>\n"
        f"    <optionlist>\n{options}    </optionlist>\n  </environment>\n"
    )
