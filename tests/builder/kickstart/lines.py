"""A small tree, and what kickstart lines make of it; programs are the host's own, in a sandbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from builder.kickstart import registry
from builder.kickstart.read import read
from builder.sandbox.sandbox import Sandbox
from builder.tree.tree import Tree

PASSWD = "root:x:0:0:root:/root:/bin/bash\n"
SHADOW = "root:*:19000:0:99999:7:::\n"
MODEL_MAP = ("# console X-layout X-model X-variant X-options\n"
             "us us pc105+inet - terminate:ctrl_alt_bksp\n"
             "fr fr pc105 - terminate:ctrl_alt_bksp\n"
             "cz-qwerty cz pc105 qwerty -\n")


def small_tree(folder: Path, *, version: str = "10") -> Tree:
    """Return a tree with accounts, a policy and time zones; its programs are the host's."""
    root = folder / "root"
    files = {
        "etc/passwd": PASSWD, "etc/group": "root:x:0:\nwheel:x:10:\nusers:x:100:\n",
        "etc/shadow": SHADOW, "etc/gshadow": "root:::\nwheel:::\nusers:::\n",
        "etc/login.defs": "ENCRYPT_METHOD YESCRYPT\nUID_MIN 1000\nGID_MIN 1000\n"
                          "UID_MAX 60000\nGID_MAX 60000\nCREATE_HOME yes\n"
                          "PASS_MAX_DAYS 99999\nPASS_MIN_DAYS 0\nPASS_WARN_AGE 7\n",
        "etc/default/useradd": "SHELL=/bin/bash\nCREATE_MAIL_SPOOL=no\n",
        "etc/os-release": f'ID="centos"\nVERSION_ID="{version}"\n',
        "etc/selinux/config": "# comment\nSELINUX=permissive\nSELINUXTYPE=targeted\n",
        "usr/share/zoneinfo/UTC": "", "usr/share/zoneinfo/Europe/Paris": "",
        "usr/share/systemd/kbd-model-map": MODEL_MAP,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "etc/shadow").chmod(0)
    for name in ("root", "home", "dev", "proc", "sys", "run", "tmp", "etc/systemd/system",
                 "etc/skel", "usr/lib/systemd/system", "usr/bin", "usr/sbin", "usr/lib64", "host"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for name in ("bin/sh", "bin/chown", "bin/systemctl", "sbin/useradd", "sbin/groupadd"):
        (root / "usr" / name).symlink_to(f"/host/{name}")
    host = {"/host": Path("/usr"), "/usr/lib": Path("/usr/lib"), "/usr/lib64": Path("/usr/lib64")}
    return Tree(root, Sandbox(root, 1_700_000_000, binds=host))


def stand_in(tree: Tree, program: str) -> Callable[[], str]:
    """Put a program into the tree that notes its words, and return a reader of that note."""
    tree.write(program, '#!/bin/sh\necho "$@" > /etc/asked\n', mode=0o755)
    return lambda: tree.read("/etc/asked").strip()


def add_unit(tree: Tree, name: str) -> None:
    """Give the tree a service that can be enabled."""
    text = f"[Unit]\nDescription={name}\n[Service]\nExecStart=/bin/true\n" \
           "[Install]\nWantedBy=multi-user.target\n"
    tree.write(f"/etc/systemd/system/{name}.service", text)


def is_enabled(tree: Tree, name: str) -> bool:
    """Say whether a unit starts with the system."""
    return (tree.root / f"etc/systemd/system/multi-user.target.wants/{name}.service").is_symlink()


def apply(tree: Tree, text: str, dialect: str = "RHEL10") -> None:
    """Do what the kickstart lines say."""
    path = tree.root.parent / "test.ks"
    path.write_text(text if text.endswith("\n") else text + "\n")
    registry.apply(read(path, dialect), tree)


def files_of(tree: Tree) -> dict[str, str]:
    """Return every file and link of the tree's /etc with its content."""
    return {str(path.relative_to(tree.root)):
            str(path.readlink()) if path.is_symlink() else path.read_text()
            for path in sorted((tree.root / "etc").rglob("*"))
            if path.is_symlink() or path.is_file()}
