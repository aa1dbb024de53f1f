"""selinux and firewall: what the kernel and the network let through."""

from __future__ import annotations

from pykickstart.constants import SELINUX_DISABLED, SELINUX_ENFORCING, SELINUX_PERMISSIVE

from builder.kickstart.read import Command
from builder.kickstart.registry import honours
from builder.root.tree import Tree
from host.errors import InputError

_MODES = {
    SELINUX_ENFORCING: "enforcing", SELINUX_PERMISSIVE: "permissive", SELINUX_DISABLED: "disabled",
}


@honours("selinux")
def selinux(command: Command, tree: Tree) -> None:
    """`selinux --enforcing` sets SELINUX= in /etc/selinux/config."""
    mode = _MODES[command.data.selinux]
    if not tree.exists("/etc/selinux/config"):
        if mode == "disabled":
            return
        raise InputError(
            f"selinux --{mode} has no policy to work with", where=command.where,
            remedy="add selinux-policy-targeted to %packages",
        )
    tree.set_shell_value("/etc/selinux/config", "SELINUX", mode)


@honours("firewall")
def firewall(command: Command, tree: Tree) -> None:
    """`firewall --disabled` and `--enabled --service=… --port=…` through firewall-offline-cmd.

    Without firewalld in the image, --disabled is true as it is and anything else is an error.
    """
    data = command.data
    if not tree.sandbox.has("/usr/bin/firewall-offline-cmd"):
        if data.enabled:
            raise InputError(
                "firewall --enabled has no firewall to work with", where=command.where,
                remedy="add firewalld to %packages, or say `firewall --disabled`",
            )
        return
    words = ["--enabled" if data.enabled else "--disabled"]
    words += [f"--service={service}" for service in data.services]
    words += [f"--remove-service={service}" for service in getattr(data, "remove_services", [])]
    words += [f"--port={port}" for port in data.ports]
    words += [f"--trust={device}" for device in data.trusts]
    tree.run("/usr/bin/firewall-offline-cmd", *words)
