"""Simplestreams: what Incus's and LXD's clients list images from (streams/v1 at the tree's top).

Unified tarballs have an item of their own. A split image would need the SHA-256 of both its files
behind each other, which no index of a folder has.
https://discuss.linuxcontainers.org names the fields; incus/shared/simplestreams reads them.
"""

from __future__ import annotations

import json
from typing import Any

from publish.indexes import Offers, offered
from publish.model import epoch

FOLDER = "streams"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64el", "s390x": "s390x"}
_FORMATS = {"incus-unified": ("lxd_combined.tar.gz", "incus_combined.tar.gz")}
"""The names by which either client knows a unified tarball, however it is compressed."""


def make(offers: Offers) -> dict[str, bytes]:
    """Return index.json and images.json of streams/v1, none in a tree without such images."""
    products: dict[str, dict[str, Any]] = {}
    last_s = 0
    for index, build, file in offered(offers):
        if file.format not in _FORMATS:
            continue
        last_s = max(last_s, epoch(index.updated))
        arch = _ARCHITECTURES.get(build.arch, build.arch)
        release, variant = f"{build.version}-Stream", build.flavour.lower()
        product = products.setdefault(f"centos:{release}:{arch}:{variant}", {
            "aliases": f"centos/{release}/{variant}", "arch": arch, "os": "CentOS",
            "release": release, "release_title": release, "variant": variant, "versions": {}})
        items = product["versions"].setdefault(build.build_id, {"items": {}})["items"]
        for ftype in _FORMATS[file.format]:
            items[ftype] = {"ftype": ftype, "path": f"{index.path}/{file.file}",
                            "sha256": file.sha256, "size": file.size_bytes}
    if not products:
        return {}
    kind = {"content_id": "images", "datatype": "image-downloads", "format": "products:1.0"}
    stream = {"datatype": "image-downloads", "path": "streams/v1/images.json",
              "format": "products:1.0", "products": sorted(products)}
    return {
        "v1/images.json": _text({**kind, "products": products}),
        "v1/index.json": _text({"format": "index:1.0", "index": {"images": stream}}),
    }


def _text(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()
