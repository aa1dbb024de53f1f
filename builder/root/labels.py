"""SELinux labels: every file of the tree gets what the tree's own policy says."""

from __future__ import annotations

import re

from builder.root.tree import Tree
from host.errors import HostError, ProgramError
from host.run import run


def relabel(tree: Tree) -> None:
    """Label the whole tree with setfiles(8); a tree without a policy is left as it is.

    The host's kernel needs no SELinux: the labels are written as extended attributes.
    Raises HostError when setfiles fails.
    """
    found = re.search(r"^SELINUXTYPE=(\S+)", tree.read("/etc/selinux/config"), re.MULTILINE)
    if not found:
        return
    contexts = tree.path(f"/etc/selinux/{found[1]}/contexts/files/file_contexts")
    if not contexts.is_file():
        return
    try:
        run(["setfiles", "-F", "-T", "0", "-r", tree.root, contexts, tree.root])
    except ProgramError as error:
        raise HostError("SELinux labels could not be set", where=str(contexts),
                        why=error.why) from error
