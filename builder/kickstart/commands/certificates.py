"""%certificate: certificates that the installed system is to have."""

from __future__ import annotations

from builder.kickstart.model import Kickstart
from builder.kickstart.registry import after_all, honoured_by
from builder.tree.tree import Tree
from host.errors import InputError, ProgramError

honoured_by("settings", "%certificate")

_FOLDERS = {"anchor": "/etc/pki/ca-trust/source/anchors"}
_UPDATE = "/usr/bin/update-ca-trust"


@after_all
def certificates(kickstart: Kickstart, tree: Tree) -> None:
    """Write each certificate to --dir/--filename, or to where those of its --type belong.

    Behind an anchor the tree's trust store is made anew
    (pyanaconda/modules/security/certificates/installation.py). Raises InputError for one with
    neither, for an unknown type, and where update-ca-trust is missing or fails.
    """
    anchors = []
    for certificate in kickstart.certificates:
        if certificate.kind and certificate.kind not in _FOLDERS:
            raise InputError(f"%certificate: there is no type {certificate.kind!r}",
                             where=certificate.where, remedy=f"known: {', '.join(_FOLDERS)}")
        folder = _FOLDERS.get(certificate.kind or "", certificate.folder)
        if not folder:
            raise InputError("%certificate has no --dir to write to", where=certificate.where)
        text = certificate.text if certificate.text.endswith("\n") else f"{certificate.text}\n"
        tree.write(f"{folder.rstrip('/')}/{certificate.filename}", text)
        anchors += [certificate.where] if certificate.kind else []
    if not anchors:
        return
    if not tree.has(_UPDATE):
        raise InputError("an anchor of trust needs update-ca-trust", where=anchors[0],
                         remedy="add ca-certificates to %packages")
    try:
        tree.run(_UPDATE, "extract")
    except ProgramError as error:
        raise InputError("update-ca-trust failed", where=anchors[0], why=error.why) from error
