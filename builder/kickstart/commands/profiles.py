"""Connection profiles: what one `network` line says, and how NetworkManager would write it down."""

from __future__ import annotations

import ipaddress
import re
import shlex
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from builder.tree.shell_values import double_quoted
from host.errors import InputError

_MAC = re.compile(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
_PLAIN = re.compile(r"[A-Za-z0-9_.:/+%=@,-]*")
_ETHTOOL = {"autoneg": "auto-negotiate", "speed": "speed", "duplex": "duplex"}

Section = dict[str, str]


@dataclass
class Profile:
    """One connection. name: its id; interface: None where any device of the type will do.

    kind: the connection's type, with its own settings in `own`. controller: of which bond, bridge
    or team it is a port, port_of: which of the three. any_device: it names no device; several: it
    may be active on more than one at once. ip: the address settings; None for a port.
    """

    name: str
    interface: str | None
    onboot: bool
    kind: str = "ethernet"
    own: Section = field(default_factory=dict)
    wired: Section = field(default_factory=dict)
    controller: str | None = None
    port_of: str | None = None
    port: Section = field(default_factory=dict)
    any_device: bool = False
    several: bool = True
    ipv4: Section | None = None
    ipv6: Section | None = None

    @property
    def uuid(self) -> str:
        """A fixed identity: NetworkManager's own is drawn at random, and no build would repeat."""
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name))


def profiles_of(data: Any, device: str, where: str) -> list[Profile]:
    """Return the profile that a `network` line asks for, and those of its ports.

    device: empty for whichever wired interface there is. The settings and their names follow
    Anaconda (pyanaconda/modules/network/nm_client.py). Raises InputError for what has no sense.
    """
    ipv4, ipv6 = _ipv4(data, where), _ipv6(data, where)
    main = Profile(device or "link", device or None, bool(data.onboot), ipv4=ipv4, ipv6=ipv6)
    profiles = [main]
    if _MAC.fullmatch(device):
        main.interface, main.wired = None, {"mac-address": device.upper()}
    main.any_device = not device
    # An address can be on one card only.
    main.several = not any("address1" in each for each in (ipv4, ipv6))
    if getattr(data, "mtu", ""):
        main.wired["mtu"] = str(data.mtu)
    main.wired |= _ethtool(getattr(data, "ethtool", ""), where)
    for kind, ports, options in (
        ("bond", _names(getattr(data, "bondslaves", "")), _bond(getattr(data, "bondopts", ""))),
        ("bridge", _names(getattr(data, "bridgeslaves", "")),
         _bridge(getattr(data, "bridgeopts", ""))),
        ("team", [name for name, _ in getattr(data, "teamslaves", [])],
         {"config": getattr(data, "teamconfig", "")} if getattr(data, "teamconfig", "") else {}),
    ):
        if not ports:
            continue
        main.kind, main.own = kind, options
        configs = dict(getattr(data, "teamslaves", [])) if kind == "team" else {}
        profiles += [
            Profile(f"{device}_slave_{number}", port, bool(data.onboot), controller=device,
                    port_of=kind, port={"config": configs[port]} if configs.get(port) else {})
            for number, port in enumerate(ports, start=1)
        ]
    if getattr(data, "vlanid", ""):
        profiles.append(_vlan(data, main, device))
        if main.kind == "ethernet":
            profiles.remove(main)
    return profiles


def bridged(profiles: Sequence[Profile]) -> list[Profile]:
    """Make bonds that a bridge names as its ports its ports themselves, with no profile beside
    (nm_client.py, _add_existing_virtual_device_to_bridge); the addresses are the bridge's then."""
    found = list(profiles)
    for port in [each for each in found if each.port_of == "bridge"]:
        bond = next((each for each in found
                     if each.kind == "bond" and each.interface == port.interface), None)
        if bond:
            bond.controller, bond.port_of, bond.port = port.controller, "bridge", port.port
            bond.ipv4 = bond.ipv6 = None
            found.remove(port)
    return found


def _vlan(data: Any, parent: Profile, device: str) -> Profile:
    """Return the VLAN over a device; a bond below it has no addresses of its own."""
    named = getattr(data, "interfacename", "")
    vlan = Profile(named or f"{device}.{data.vlanid}", named or None, parent.onboot, "vlan",
                   {"flags": "1", "id": str(int(data.vlanid)), "parent": device},
                   wired=parent.wired, ipv4=parent.ipv4, ipv6=parent.ipv6)
    parent.wired, parent.ipv4, parent.ipv6 = {}, {"method": "disabled"}, {"method": "disabled"}
    return vlan


def _ipv4(data: Any, where: str) -> Section:
    found: Section = {}
    if data.noipv4:
        found["method"] = "disabled"
    elif data.bootProto == "static":
        if not data.ip:
            raise InputError("network --bootproto=static has no --ip", where=where)
        try:
            address = ipaddress.IPv4Interface(f"{data.ip}/{data.netmask or '255.255.255.0'}")
        except ValueError as error:
            raise InputError("network: that is no address", where=where, why=str(error)) from error
        found |= {"address1": address.with_prefixlen, "method": "manual"}
        if data.gateway:
            found["gateway"] = str(data.gateway)
    else:
        found["method"] = "auto"
        if data.dhcpclass:
            found["dhcp-vendor-class-identifier"] = str(data.dhcpclass)
    return found | _name_service(data, "4")


def _ipv6(data: Any, where: str) -> Section:
    found: Section = {"addr-gen-mode": "eui64"}
    wanted = data.ipv6 or "auto"
    if data.noipv6:
        found["method"] = "ignore"
    elif wanted in ("auto", "dhcp"):
        found["method"] = wanted
    else:
        try:
            address = ipaddress.IPv6Interface(wanted if "/" in wanted else f"{wanted}/64")
        except ValueError as error:
            raise InputError("network: that is no address", where=where, why=str(error)) from error
        found |= {"address1": address.with_prefixlen, "method": "manual"}
        if leads_on := getattr(data, "ipv6gateway", ""):
            found["gateway"] = str(leads_on)
    return found | _name_service(data, "6")


def _name_service(data: Any, version: str) -> Section:
    found: Section = {}
    servers = [name for name in _names(data.nameserver) if (":" in name) == (version == "6")]
    if servers:
        found["dns"] = "".join(f"{name};" for name in servers)
    if domains := _names(getattr(data, f"ipv{version}_dns_search", None) or ""):
        found["dns-search"] = "".join(f"{name};" for name in domains)
    if data.nodns or getattr(data, f"ipv{version}_ignore_auto_dns", False):
        found["ignore-auto-dns"] = "true"
    if version == "4" and data.nodefroute:
        found["never-default"] = "true"
    return found


def _ethtool(text: str | None, where: str) -> Section:
    """Return --ethtool's words as settings; Anaconda knows speed, duplex and autoneg alone."""
    words = shlex.split(text or "")
    found: Section = {}
    for key, value in zip(words[::2], words[1::2], strict=False):
        if key not in _ETHTOOL:
            raise InputError(f"network --ethtool: '{key}' is not honoured", where=where,
                             remedy="autoneg, speed and duplex are")
        found[_ETHTOOL[key]] = {"on": "true", "off": "false"}.get(value, value)
    return found


def _bond(text: str | None) -> Section:
    """Return --bondopts, whose options are parted by semicolons where a value has commas."""
    options = (text or "").split(";" if ";" in (text or "") else ",")
    return {key.strip(): value for key, _, value in (each.partition("=") for each in options)
            if value}


def _bridge(text: str | None) -> Section:
    words = {"yes": "true", "no": "false"}
    return {key: words.get(value, value) for key, value in _bond(text).items()}


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def keyfile(profile: Profile) -> str:
    """Return a profile as NetworkManager writes it (nm-settings-keyfile(5)): defaults are left
    out, the settings of a section stand in the order of the alphabet."""
    connection: Section = {"id": profile.name, "uuid": profile.uuid, "type": profile.kind}
    if not profile.onboot:
        connection["autoconnect"] = "false"
    if profile.any_device:  # behind any profile that names a device, and for several at once
        connection["autoconnect-priority"] = "-999"
        if profile.several:
            connection["multi-connect"] = "3"
    if profile.controller and profile.port_of:  # so since NetworkManager 1.46, in 9 and 10
        connection["controller"] = profile.controller
    if profile.interface:
        connection["interface-name"] = profile.interface
    if profile.controller and profile.port_of:
        connection["port-type"] = profile.port_of
    sections: dict[str, Section] = {"connection": connection}
    if profile.kind in ("ethernet", "vlan") or profile.wired:
        sections["ethernet"] = _sorted(profile.wired)
    if profile.kind != "ethernet":
        sections[profile.kind] = _sorted(profile.own)
    if profile.ipv4 is not None and profile.ipv6 is not None:
        sections |= {"ipv4": _sorted(profile.ipv4), "ipv6": _sorted(profile.ipv6), "proxy": {}}
    if profile.port_of in ("bridge", "team"):
        sections[f"{profile.port_of}-port"] = _sorted(profile.port)
    return "\n".join(
        "\n".join([f"[{name}]", *(f"{key}={value}" for key, value in section.items()), ""])
        for name, section in sections.items()
    )


def _sorted(section: Section) -> Section:
    return dict(sorted(section.items()))


def ifcfg(profile: Profile) -> str:
    """Return a profile as releases before 9 keep it, in /etc/sysconfig/network-scripts/ifcfg-NAME.

    The keys are those that NetworkManager's ifcfg-rh plugin writes (nm-settings-ifcfg-rh(5)).
    """
    kinds = {"ethernet": "Ethernet", "vlan": "Vlan", "bond": "Bond", "bridge": "Bridge"}
    found: Section = {}
    if profile.kind == "team":
        found |= {"DEVICETYPE": "Team", "TEAM_CONFIG": profile.own.get("config", "")}
    elif profile.port_of == "team":
        found |= {"DEVICETYPE": "TeamPort", "TEAM_MASTER": profile.controller or "",
                  "TEAM_PORT_CONFIG": profile.port.get("config", "")}
    else:
        found["TYPE"] = kinds[profile.kind]
    if profile.kind == "vlan":
        found |= {"VLAN": "yes", "PHYSDEV": profile.own["parent"], "VLAN_ID": profile.own["id"],
                  "REORDER_HDR": "yes"}
    elif profile.kind == "bond":
        options = " ".join(f"{key}={value}" for key, value in profile.own.items())
        found |= {"BONDING_MASTER": "yes", "BONDING_OPTS": options}
    elif profile.kind == "bridge":
        stp = profile.own.get("stp", "true")
        rest = " ".join(f"{key.replace('-', '_')}={value}" for key, value in profile.own.items()
                        if key not in ("stp", "forward-delay"))
        found |= {"STP": "yes" if stp == "true" else "no",
                  "DELAY": profile.own.get("forward-delay", ""), "BRIDGING_OPTS": rest}
    if profile.port_of == "bond":
        found |= {"MASTER": profile.controller or "", "SLAVE": "yes"}
    elif profile.port_of == "bridge":
        found["BRIDGE"] = profile.controller or ""
    found |= _ifcfg_addresses(profile)
    found |= {
        "HWADDR": profile.wired.get("mac-address", ""), "MTU": profile.wired.get("mtu", ""),
        "NAME": profile.name, "UUID": profile.uuid, "DEVICE": profile.interface or "",
        "ONBOOT": "yes" if profile.onboot else "no",
    }
    if profile.any_device:
        found["AUTOCONNECT_PRIORITY"] = "-999"
        if profile.several:
            found["MULTI_CONNECT"] = "3"
    return "".join(f"{key}={_ifcfg_value(value)}\n" for key, value in found.items() if value)


def _ifcfg_value(value: str) -> str:
    """Return a value as NetworkManager's svEscape writes it: in double quotes, where it needs any.
    """
    return value if _PLAIN.fullmatch(value) else double_quoted(value)


def _ifcfg_addresses(profile: Profile) -> Section:
    if profile.ipv4 is None or profile.ipv6 is None:
        return {}
    four, six = profile.ipv4, profile.ipv6
    method = {"auto": "dhcp", "manual": "none"}.get(four["method"], "none")
    ip, _, prefix = four.get("address1", "").partition("/")
    on = {True: "yes", False: "no"}
    found = {
        "BOOTPROTO": method, "IPADDR": ip, "PREFIX": prefix, "GATEWAY": four.get("gateway", ""),
        "DEFROUTE": on["never-default" not in four],
        "PEERDNS": "no" if "ignore-auto-dns" in four else "",
        "IPV6INIT": on[six["method"] not in ("ignore", "disabled")],
        "IPV6_AUTOCONF": {"auto": "yes", "manual": "no"}.get(six["method"], ""),
        "DHCPV6C": "yes" if six["method"] == "dhcp" else "",
        "IPV6ADDR": six.get("address1", ""), "IPV6_DEFAULTGW": six.get("gateway", ""),
        "DOMAIN": four.get("dns-search", "").replace(";", " ").strip(),
    }
    servers = [name for name in (four.get("dns", "") + six.get("dns", "")).split(";") if name]
    return found | {f"DNS{number}": name for number, name in enumerate(servers, start=1)}
