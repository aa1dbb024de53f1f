"""Metalink 4 (RFC 5854) for each artefact: size, SHA-256 and where it is, for download managers."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from publish.indexes import Offers, offered

FOLDER = "indexes"
_NAMESPACE = "urn:ietf:params:xml:ns:metalink"


def make(offers: Offers) -> dict[str, bytes]:
    """Return one file for each artefact of a tree whose URL the policy says."""
    made = {}
    for index, build, file in offered(offers):
        if index.url is None:
            continue
        root = ET.Element("metalink", xmlns=_NAMESPACE)
        ET.SubElement(root, "published").text = build.published
        entry = ET.SubElement(root, "file", name=file.file)
        ET.SubElement(entry, "size").text = str(file.size_bytes)
        ET.SubElement(entry, "hash", type="sha-256").text = file.sha256
        ET.SubElement(entry, "url").text = f"{index.url}/{index.path}/{file.file}"
        ET.indent(root)
        made[f"metalink/{file.file}.meta4"] = ET.tostring(
            root, encoding="utf-8", xml_declaration=True) + b"\n"
    return made
