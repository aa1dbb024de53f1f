"""What Incus (and LXD) want to know of an image: metadata.yaml and templates.

Sources: Incus' documentation "Image format", and the images of images.linuxcontainers.org.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from builder.artefact import About
from host.beneath.root import Root

_SEED = "/var/lib/cloud/seed/nocloud-net"
_HOSTS = """\
127.0.0.1   localhost localhost.localdomain localhost4 localhost4.localdomain4
::1         localhost localhost.localdomain localhost6 localhost6.localdomain6
"""

_HOSTS_BYTES = 1 << 20
_MARKS = ("{{", "{%", "{#")  # of pongo2, Incus' template language

# The keys cloud-init.* came with LXD 4.22; before, and for images of either kind, user.* were used.
_CHOICE = (
    '{{% if config_get("cloud-init.{0}", "") == "" %}}'
    '{{% if config_get("user.{0}", "") == "" %}}{1}'
    '{{% else %}}{{{{ config_get("user.{0}", "") }}}}{{% endif %}}'
    '{{% else %}}{{{{ config_get("cloud-init.{0}", "") }}}}{{% endif %}}\n'
)
_NETWORK = """\
version: 1
config:
  - type: physical
    name: {% if instance.type == "virtual-machine" %}enp5s0{% else %}eth0{% endif %}
    subnets:
      - type: dhcp
        control: auto"""
_CLOUD_CONFIG = "#cloud-config\n{}"


def files(about: About, kind: str, *, hosts: str, cloud_init: bool) -> dict[str, str]:
    """Return the members of the metadata archive, in their order.

    kind: of root, such as "squashfs". hosts: the image's own /etc/hosts, to which the template
    adds the instance's name. cloud_init: whether the image has one, which then finds its data
    where the templates put them.
    """
    templates = {"/etc/hostname": "{{ instance.name }}\n",
                 "/etc/hosts": "127.0.1.1\t{{ instance.name }}\n" + hosts}
    if cloud_init:
        templates |= {
            f"{_SEED}/meta-data": "instance-id: {{ instance.name }}\n"
                                  "local-hostname: {{ instance.name }}\n"
                                  '{{ config_get("user.meta-data", "") }}\n',
            f"{_SEED}/network-config": _CHOICE.format("network-config", _NETWORK),
            f"{_SEED}/user-data": _CHOICE.format("user-data", _CLOUD_CONFIG),
            f"{_SEED}/vendor-data": _CHOICE.format("vendor-data", _CLOUD_CONFIG),
        }
    return {
        "metadata.yaml": yaml.safe_dump(_metadata(about, kind, list(templates))),
        "templates/": "",
        **{f"templates/{_file_name(path)}": text for path, text in templates.items()},
    }


def of_tree(about: About, kind: str, tree: Path) -> dict[str, str]:
    """Return the members for the root tree of a container; see files()."""
    return files(about, kind, hosts=_hosts_of(tree),
                 cloud_init=Root(tree).exists("/usr/bin/cloud-init", follow=False))


def of_machine(about: About) -> dict[str, str]:
    """Return the members for a disk image of a virtual machine; see files()."""
    return files(about, "disk-kvm.img", hosts=_HOSTS, cloud_init=True)


def _metadata(about: About, kind: str, templates: list[str]) -> dict[str, Any]:
    return {
        "architecture": about.arch,
        "creation_date": about.epoch,
        "properties": {
            "architecture": about.arch,
            "description": f"{about.title} {about.arch}",
            "name": f"{about.slug}-{about.arch}",
            "os": about.distribution,
            "release": about.version,
            "serial": datetime.fromtimestamp(about.epoch, UTC).strftime("%Y%m%d_%H:%M"),
            "type": kind,
            "variant": about.flavour,
        },
        "templates": {
            path: {"when": ["create", "copy"], "template": _file_name(path), "properties": {}}
            for path in templates
        },
    }


def _file_name(path: str) -> str:
    name = path.rpartition("/")[2]
    return f"cloud-init-{name}.tpl" if path.startswith(_SEED) else f"{name}.tpl"


def _hosts_of(tree: Path) -> str:
    """Return the tree's own /etc/hosts, unless it would say something in the template's language.

    (Incus fills templates in on its own host, as root.)
    """
    root = Root(tree)
    if not root.is_file("/etc/hosts", follow=False):
        return _HOSTS
    text = root.read("/etc/hosts", _HOSTS_BYTES).decode("utf-8", errors="replace")
    return _HOSTS if any(mark in text for mark in _MARKS) else text
