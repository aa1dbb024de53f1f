"""network: NetworkManager's connection profiles and the host name."""

from __future__ import annotations

from builder.kickstart.commands.profiles import (
    Profile,
    bridged,
    ifcfg,
    keyfile,
    profiles_of,
)
from builder.kickstart.commands.services import release_of
from builder.kickstart.read import Command, Kickstart
from builder.kickstart.registry import after_all, honours
from builder.tree.tree import Tree
from host.errors import InputError

# What Anaconda takes for "whichever interface there is": an image can't know its name.
_ANY_DEVICE = ("link", "bootif", "ibft", "")
_WIFI = "a virtual machine has no wireless network card"


@honours(
    "network",
    meaningless={
        "--activate": "an image build activates no network",
        "--no-activate": "an image build activates no network",
        "--bindto": "the builder knows no card's address; a --device that is one is bound to it",
        "--notksdevice": "the builder needs no network device to fetch a kickstart",
    },
    refused={"--essid": _WIFI, "--wepkey": _WIFI, "--wpakey": _WIFI},
)
def network(command: Command, tree: Tree) -> None:
    """`network --hostname` writes /etc/hostname; for what else a line says see `connections`."""
    if command.data.hostname:
        tree.write("/etc/hostname", f"{command.data.hostname}\n")


@after_all
def connections(kickstart: Kickstart, tree: Tree) -> None:
    """`network --device=eth0 --bootproto=dhcp` writes a NetworkManager profile for the device:
    a keyfile, or, in releases before 9, an ifcfg file. The last line for a device counts.

    Without a device, or with `--device=link`, plain DHCP writes none: the installer would have
    named an interface of the build machine, and NetworkManager asks for DHCP on every interface
    without a profile. Anything more (--noipv6, --mtu, …) becomes one profile for all wired
    interfaces, and an address one for whichever of them comes first.
    """
    found = [profile for command in kickstart.find("network") for profile in _of_line(command)]
    for profile in bridged(found):
        if not (profile.any_device and _says_nothing(profile)):
            _write(profile, tree)


def _of_line(command: Command) -> list[Profile]:
    """Return the profiles of one line; none where it is about the host's name alone."""
    data = command.data
    if data.hostname and not (
            data.device or data.ip or set(command.words) - _hostname_words(data.hostname)):
        return []
    device = data.device or ""
    if device in _ANY_DEVICE:
        device = ""
        if _virtual(data):
            raise InputError("network: a bond, bridge, team or VLAN needs a --device",
                             where=command.where, remedy="name it, such as --device=bond0")
    if data.bootProto not in ("dhcp", "bootp", "static", ""):
        raise InputError(f"network --bootproto={data.bootProto} is not honoured",
                         where=command.where, remedy="dhcp, bootp and static are")
    return profiles_of(data, device, command.where)


@after_all
def sysconfig(kickstart: Kickstart, tree: Tree) -> None:
    """Anaconda leaves /etc/sysconfig/network behind, with a comment alone, if there is none."""
    if not tree.exists("/etc/sysconfig/network"):
        tree.write("/etc/sysconfig/network", "# Created by anaconda\n")


def _hostname_words(name: str) -> set[str]:
    return {f"--hostname={name}", "--hostname", name}


def _virtual(data: object) -> bool:
    return any(getattr(data, name, None)
               for name in ("vlanid", "bondslaves", "teamslaves", "bridgeslaves"))


def _says_nothing(profile: Profile) -> bool:
    """Say whether a profile is what NetworkManager does by itself."""
    return (profile.onboot and not profile.wired and profile.ipv4 == {"method": "auto"}
            and profile.ipv6 == {"addr-gen-mode": "eui64", "method": "auto"})


def _write(profile: Profile, tree: Tree) -> None:
    if release_of(tree) < 9:
        tree.write(f"/etc/sysconfig/network-scripts/ifcfg-{profile.name}", ifcfg(profile))
    else:
        tree.write(f"/etc/NetworkManager/system-connections/{profile.name}.nmconnection",
                   keyfile(profile), mode=0o600)  # NetworkManager ignores files that others read
