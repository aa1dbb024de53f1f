"""Vagrant's catalogue: a JSON file for each box, with its versions, providers and checksums.

https://developer.hashicorp.com/vagrant/docs/boxes/format#box-metadata: URLs in it are absolute, so
there is one only where the policy says the URL of the tree.
"""

from __future__ import annotations

import json
from typing import Any

from publish.indexes import Offers, offered
from publish.model import PublishedBuild

FOLDER = "indexes"
PROVIDERS = {"vagrant-libvirt": "libvirt", "vagrant-virtualbox": "virtualbox",
             "vagrant-vmware": "vmware_desktop", "vagrant-hyperv": "hyperv"}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x"}
"""Vagrant's own names."""


def make(offers: Offers) -> dict[str, bytes]:
    """Return the catalogue of each flavour that has boxes."""
    boxes: dict[str, dict[str, Any]] = {}
    for index, build, file in offered(offers):
        provider = PROVIDERS.get(file.format)
        if provider is None or index.url is None:
            continue
        name = f"{build.distribution}-{build.flavour}-{build.version}"
        box = boxes.setdefault(name, {"name": name, "versions": {}})
        version = box["versions"].setdefault(build.build_id, _version(build))
        version["providers"].append({
            "name": provider, "url": f"{index.url}/{index.path}/{file.file}",
            "checksum_type": "sha256", "checksum": file.sha256,
            "architecture": _ARCHITECTURES.get(build.arch, build.arch),
            "default_architecture": build.arch == "x86_64"})
    return {f"vagrant/{name}.json": _text(box) for name, box in sorted(boxes.items())}


def _version(build: PublishedBuild) -> dict[str, Any]:
    return {"version": build.build_id, "status": "active", "providers": []}


def _text(box: dict[str, Any]) -> bytes:
    versions = sorted(box["versions"].values(),
                      key=lambda each: [int(part) for part in each["version"].split(".")])
    return (json.dumps({**box, "versions": versions}, indent=2, sort_keys=True) + "\n").encode()
