"""network: NetworkManager's connection profiles and the host name."""

from __future__ import annotations

import ipaddress
import uuid
from typing import Any

from builder.kickstart.read import Command
from builder.kickstart.registry import honours
from builder.root.tree import Tree
from host.errors import InputError

# What Anaconda takes for "whichever interface there is": an image can't know its name.
_ANY_DEVICE = ("link", "bootif", "ibft", "")


@honours("network")
def network(command: Command, tree: Tree) -> None:
    """`network --device=eth0 --bootproto=dhcp` writes a NetworkManager keyfile for the device.

    `--device=link` with DHCP writes none: the installer would have named an interface of the
    build machine, and NetworkManager asks for DHCP on every interface without a profile.
    `--hostname` writes /etc/hostname. Source: nm-settings-keyfile(5).
    """
    data = command.data
    if data.hostname:
        tree.write("/etc/hostname", f"{data.hostname}\n")
    device = data.device or ""
    if device in _ANY_DEVICE:
        if data.bootProto not in ("dhcp", ""):
            raise InputError(
                f"--bootproto={data.bootProto} needs a --device that an image can know",
                where=command.where, remedy="name the interface, such as --device=eth0",
            )
        return
    tree.write(
        f"/etc/NetworkManager/system-connections/{device}.nmconnection", _keyfile(data, device),
        mode=0o600,
    )


def _keyfile(data: Any, device: str) -> str:
    lines = [
        "[connection]", f"id={device}", f"uuid={uuid.uuid5(uuid.NAMESPACE_DNS, device)}",
        "type=ethernet", f"autoconnect={'true' if data.onboot else 'false'}",
        f"interface-name={device}", "", "[ipv4]",
    ]
    if data.noipv4:
        lines.append("method=disabled")
    elif data.bootProto == "static":
        address = ipaddress.IPv4Interface(f"{data.ip}/{data.netmask or '255.255.255.0'}")
        gateway = f",{data.gateway}" if data.gateway else ""
        lines += [f"address1={address.with_prefixlen}{gateway}", "method=manual"]
    else:
        lines.append("method=auto")
    if data.nameserver:
        lines.append(f"dns={data.nameserver.replace(',', ';')};")
    lines += ["", "[ipv6]", f"method={'disabled' if data.noipv6 else 'auto'}"]
    return "\n".join(lines) + "\n"
