"""`network` lines and the connection profiles they become, word for word."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from builder.tree.tree import Tree
from tests.builder.kickstart.lines import apply, small_tree

FOLDER = "/etc/NetworkManager/system-connections"


def profiles(tree: Tree) -> dict[str, str]:
    """Return every profile by its file's name; the identities, which say nothing, are left out."""
    return {name: re.sub(r"uuid=.*\n", "", tree.read(f"{FOLDER}/{name}"))
            for name in tree.names(FOLDER)}


def test_dhcp_on_a_device(tree: Tree) -> None:
    apply(tree, "network --device=eth0 --bootproto=dhcp --activate")
    assert tree.read(f"{FOLDER}/eth0.nmconnection") == """\
[connection]
id=eth0
uuid=5e543c99-3624-543c-955f-83697c314808
type=ethernet
interface-name=eth0

[ethernet]

[ipv4]
method=auto

[ipv6]
addr-gen-mode=eui64
method=auto

[proxy]
"""
    # NetworkManager ignores profiles that others may read.
    assert tree.files.stat(f"{FOLDER}/eth0.nmconnection").st_mode & 0o777 == 0o600


def test_a_static_address(tree: Tree) -> None:
    apply(tree, "network --device=eth1 --bootproto=static --ip=10.0.0.5 --netmask=255.255.0.0 "
                "--gateway=10.0.0.1 --nameserver=10.0.0.2,2001:db8::2 --noipv6 --onboot=no "
                "--mtu=9000 --nodefroute --ethtool='autoneg on speed 1000 duplex full'")
    assert profiles(tree)["eth1.nmconnection"] == """\
[connection]
id=eth1
type=ethernet
autoconnect=false
interface-name=eth1

[ethernet]
auto-negotiate=true
duplex=full
mtu=9000
speed=1000

[ipv4]
address1=10.0.0.5/16
dns=10.0.0.2;
gateway=10.0.0.1
method=manual
never-default=true

[ipv6]
addr-gen-mode=eui64
dns=2001:db8::2;
method=ignore

[proxy]
"""


def test_ipv6_alone(tree: Tree) -> None:
    apply(tree, "network --device=eth0 --noipv4 --ipv6=2001:db8::5/48 --ipv6gateway=2001:db8::1 "
                "--ipv6-dns-search=example.org,example.net --nodns")
    assert profiles(tree)["eth0.nmconnection"].split("\n\n")[2:] == [
        "[ipv4]\nignore-auto-dns=true\nmethod=disabled",
        "[ipv6]\naddr-gen-mode=eui64\naddress1=2001:db8::5/48\n"
        "dns-search=example.org;example.net;\ngateway=2001:db8::1\nignore-auto-dns=true\nmethod=manual",
        "[proxy]\n",
    ]


def test_a_card_named_by_its_address(tree: Tree) -> None:
    apply(tree, "network --device=52:54:00:ab:cd:ef --bootproto=dhcp")
    text = profiles(tree)["52:54:00:ab:cd:ef.nmconnection"]
    assert "[ethernet]\nmac-address=52:54:00:AB:CD:EF\n" in text
    assert "interface-name" not in text


def test_a_vlan(tree: Tree) -> None:
    apply(tree, "network --device=eth0 --vlanid=171 --bootproto=dhcp --interfacename=vlan171")
    assert profiles(tree) == {"vlan171.nmconnection": """\
[connection]
id=vlan171
type=vlan
interface-name=vlan171

[ethernet]

[vlan]
flags=1
id=171
parent=eth0

[ipv4]
method=auto

[ipv6]
addr-gen-mode=eui64
method=auto

[proxy]
"""}


def test_a_bond_and_a_vlan_over_it(tree: Tree) -> None:
    apply(tree, "network --device=bond0 --bootproto=dhcp --bondslaves=eth0,eth1 --vlanid=7 "
                "--bondopts=mode=active-backup,miimon=100")
    found = profiles(tree)
    assert sorted(found) == ["bond0.7.nmconnection", "bond0.nmconnection",
                             "bond0_slave_1.nmconnection", "bond0_slave_2.nmconnection"]
    assert "[bond]\nmiimon=100\nmode=active-backup\n" in found["bond0.nmconnection"]
    assert "[ipv4]\nmethod=disabled\n" in found["bond0.nmconnection"]
    assert found["bond0_slave_2.nmconnection"] == """\
[connection]
id=bond0_slave_2
type=ethernet
controller=bond0
interface-name=eth1
port-type=bond

[ethernet]
"""


def test_a_bridge(tree: Tree) -> None:
    apply(tree, "network --device=br0 --bootproto=dhcp --bridgeslaves=eth0 "
                "--bridgeopts=priority=40000,stp=no")
    found = profiles(tree)
    assert "type=bridge\ninterface-name=br0\n\n[bridge]\npriority=40000\nstp=false\n" \
        in found["br0.nmconnection"]
    assert found["br0_slave_1.nmconnection"].endswith("port-type=bridge\n\n[ethernet]\n\n"
                                                      "[bridge-port]\n")
    assert "controller=br0\ninterface-name=eth0\n" in found["br0_slave_1.nmconnection"]


def test_a_bond_is_the_port_of_a_bridge(tree: Tree) -> None:
    apply(tree, """\
network --device=bond0 --bondslaves=eth1,eth2 --bondopts=mode=balance-tlb --noipv4
network --device=bridge0 --bridgeslaves=bond0 --bootproto=dhcp
""")
    found = profiles(tree)
    assert sorted(found) == ["bond0.nmconnection", "bond0_slave_1.nmconnection",
                             "bond0_slave_2.nmconnection", "bridge0.nmconnection"]
    assert found["bond0.nmconnection"] == """\
[connection]
id=bond0
type=bond
controller=bridge0
interface-name=bond0
port-type=bridge

[bond]
mode=balance-tlb

[bridge-port]
"""


def test_several_bridges(tree: Tree) -> None:
    apply(tree, """\
network --device=bridge0 --bridgeslaves=eth0 --bootproto=dhcp --onboot=no
network --device=bridge1 --bridgeslaves=eth1 --bootproto=dhcp
""")
    found = profiles(tree)
    assert "autoconnect=false\ncontroller=bridge0\ninterface-name=eth0\n" in \
        found["bridge0_slave_1.nmconnection"]
    assert "type=ethernet\ncontroller=bridge1\ninterface-name=eth1\n" in \
        found["bridge1_slave_1.nmconnection"]


@pytest.mark.parametrize(("line", "address"), [
    ("network --bootproto=static --ip=10.0.2.200 --netmask=255.255.255.0 --gateway=10.0.2.2",
     "[ipv4]\naddress1=10.0.2.200/24\ngateway=10.0.2.2\nmethod=manual\n"),
    ("network --device=link --bootproto=dhcp --ipv6=2001:cafe:cafe::1/64",
     "[ipv6]\naddr-gen-mode=eui64\naddress1=2001:cafe:cafe::1/64\nmethod=manual\n"),
])
def test_an_address_without_a_device_is_for_one_card(
    tree: Tree, line: str, address: str,
) -> None:
    apply(tree, line)
    text = profiles(tree)["link.nmconnection"]
    assert address in text
    assert text.startswith("[connection]\nid=link\ntype=ethernet\nautoconnect-priority=-999\n\n")


def test_the_last_line_for_a_device_counts(tree: Tree) -> None:
    apply(tree, "network --device=eth0 --bootproto=static --ip=10.0.0.5\n"
                "network --device=eth0 --bootproto=dhcp")
    assert "[ipv4]\nmethod=auto\n" in profiles(tree)["eth0.nmconnection"]


@pytest.mark.parametrize("line", [
    "network --bootproto=dhcp --device=link --activate --onboot=on",
    "network --bootproto=dhcp",
    "network --hostname=cloud.example.org",
])
def test_dhcp_on_whichever_link_needs_no_profile(tree: Tree, line: str) -> None:
    apply(tree, line)
    assert profiles(tree) == {}


def test_more_than_dhcp_on_whichever_link_is_a_profile_for_all(tree: Tree) -> None:
    apply(tree, "network --bootproto=dhcp --device=link --noipv6 --mtu=1400")
    assert profiles(tree)["link.nmconnection"].startswith(
        "[connection]\nid=link\ntype=ethernet\nautoconnect-priority=-999\nmulti-connect=3\n\n"
        "[ethernet]\nmtu=1400\n")


def test_the_host_s_name(tree: Tree) -> None:
    apply(tree, "network --bootproto=dhcp --hostname=cloud.example.org")
    assert tree.read("/etc/hostname") == "cloud.example.org\n"


@pytest.mark.parametrize(("line", "file", "lines"), [
    ("network --device=eth0 --bootproto=dhcp", "ifcfg-eth0",
     ["TYPE=Ethernet", "BOOTPROTO=dhcp", "DEFROUTE=yes", "IPV6INIT=yes", "IPV6_AUTOCONF=yes",
      "NAME=eth0", "DEVICE=eth0", "ONBOOT=yes"]),
    ("network --device=eth0 --bootproto=static --ip=10.0.0.5 --netmask=255.255.0.0 "
     "--gateway=10.0.0.1 --nameserver=10.0.0.2,10.0.0.3 --noipv6 --onboot=no --mtu=9000",
     "ifcfg-eth0",
     ["TYPE=Ethernet", "BOOTPROTO=none", "IPADDR=10.0.0.5", "PREFIX=16", "GATEWAY=10.0.0.1",
      "DEFROUTE=yes", "IPV6INIT=no", "DNS1=10.0.0.2", "DNS2=10.0.0.3", "MTU=9000", "NAME=eth0",
      "DEVICE=eth0", "ONBOOT=no"]),
    ("network --device=eth0 --vlanid=171 --bootproto=dhcp", "ifcfg-eth0.171",
     ["TYPE=Vlan", "VLAN=yes", "PHYSDEV=eth0", "VLAN_ID=171", "REORDER_HDR=yes", "BOOTPROTO=dhcp",
      "DEFROUTE=yes", "IPV6INIT=yes", "IPV6_AUTOCONF=yes", "NAME=eth0.171", "ONBOOT=yes"]),
    ("network --device=bond0 --bootproto=dhcp --bondslaves=eth0 --bondopts=mode=1,miimon=100",
     "ifcfg-bond0_slave_1",
     ["TYPE=Ethernet", "MASTER=bond0", "SLAVE=yes", "NAME=bond0_slave_1", "DEVICE=eth0",
      "ONBOOT=yes"]),
    ("network --device=br0 --bootproto=dhcp --bridgeslaves=eth0 --bridgeopts=stp=no", "ifcfg-br0",
     ["TYPE=Bridge", "STP=no", "BOOTPROTO=dhcp", "DEFROUTE=yes", "IPV6INIT=yes",
      "IPV6_AUTOCONF=yes", "NAME=br0", "DEVICE=br0", "ONBOOT=yes"]),
])
def test_releases_before_9_keep_profiles_as_ifcfg_files(
    tmp_path: Path, line: str, file: str, lines: list[str],
) -> None:
    tree = small_tree(tmp_path, version="8")
    apply(tree, line, "RHEL8")
    assert profiles(tree) == {}
    text = tree.read(f"/etc/sysconfig/network-scripts/{file}")
    assert [each for each in text.splitlines() if not each.startswith("UUID=")] == lines
