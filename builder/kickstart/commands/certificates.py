"""%certificate: certificates that the installed system is to have."""

from __future__ import annotations

from builder.kickstart.model import Kickstart
from builder.kickstart.registry import after_all, honoured_by
from builder.tree.tree import Tree
from host.errors import InputError

honoured_by("settings", "%certificate")


@after_all
def certificates(kickstart: Kickstart, tree: Tree) -> None:
    """Write each certificate to --dir/--filename. Raises InputError for one without a --dir."""
    for certificate in kickstart.certificates:
        if not certificate.folder:
            raise InputError("%certificate has no --dir to write to", where=certificate.where)
        text = certificate.text if certificate.text.endswith("\n") else f"{certificate.text}\n"
        tree.write(f"{certificate.folder.rstrip('/')}/{certificate.filename}", text)
