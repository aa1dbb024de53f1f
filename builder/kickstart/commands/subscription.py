"""syspurpose and rhsm: what a system is for, and whose subscription it uses."""

from __future__ import annotations

import json

from builder.kickstart.read import Command
from builder.kickstart.registry import honours, refused
from builder.tree.tree import Tree

refused("a registration would give every copy of the image the same identity; do it at first boot, "
        "with cloud-init's rh_subscription", "rhsm")


@honours("syspurpose")
def syspurpose(command: Command, tree: Tree) -> None:
    """`syspurpose --role=… --sla=… --usage=… --addon=…` writes what the `syspurpose` tool writes:
    /etc/rhsm/syspurpose/syspurpose.json, read by subscription-manager."""
    data = command.data
    said = {"role": data.role, "service_level_agreement": data.sla, "usage": data.usage,
            "addons": list(getattr(data, "addons", None) or [])}
    text = json.dumps({key: value for key, value in said.items() if value},
                      indent=2, ensure_ascii=False, sort_keys=True)
    tree.write("/etc/rhsm/syspurpose/syspurpose.json", text)
