"""rootpw, user, group and sshkey: who may log in, and how."""

from __future__ import annotations

from builder.kickstart.read import Command
from builder.kickstart.registry import honours
from builder.root.tree import Tree
from host.errors import InputError


@honours("rootpw")
def rootpw(command: Command, tree: Tree) -> None:
    """`rootpw --lock` makes root's password unusable; a password is set as given or hashed."""
    _set_password(tree, "root", command.data.password, command.data.isCrypted)
    if command.data.lock:
        tree.run("/usr/sbin/usermod", "--lock", "root")


@honours("group")
def group(command: Command, tree: Tree) -> None:
    """`group --name=N --gid=G` adds a group."""
    data = command.data
    identity = [] if data.gid is None else ["--gid", str(data.gid)]
    tree.run("/usr/sbin/groupadd", *identity, data.name)


@honours("user")
def user(command: Command, tree: Tree) -> None:
    """`user --name=N --groups=…` adds a user with home and groups; groups not there are made."""
    data = command.data
    for name in data.groups:
        tree.run("/usr/sbin/groupadd", "--force", name.split("(")[0].strip())
    options: list[str] = ["--create-home"]
    for flag, value in (
        ("--uid", data.uid), ("--home-dir", data.homedir), ("--shell", data.shell),
        ("--comment", data.gecos), ("--groups", ",".join(g.split("(")[0] for g in data.groups)),
    ):
        if value not in ("", None):
            options += [flag, str(value)]
    if data.gid is not None:
        tree.run("/usr/sbin/groupadd", "--force", "--gid", str(data.gid), data.name)
        options += ["--gid", str(data.gid)]
    tree.run("/usr/sbin/useradd", *options, data.name)
    if data.password:
        _set_password(tree, data.name, data.password, data.isCrypted)
    if data.lock or not data.password:
        tree.run("/usr/sbin/usermod", "--lock", data.name)


@honours("sshkey")
def sshkey(command: Command, tree: Tree) -> None:
    """`sshkey --username=N KEY` adds a public key to a user's authorized_keys."""
    data = command.data
    home = next((line.split(":")[5] for line in tree.read("/etc/passwd").splitlines()
                 if line.split(":")[0] == data.username), None)
    if home is None:
        raise InputError(f"there is no user {data.username!r}", where=command.where,
                         remedy="put the `user` line before the `sshkey` line")
    file = f"{home}/.ssh/authorized_keys"
    tree.write(file, tree.read(file) + f"{data.key}\n", mode=0o600)
    tree.path(f"{home}/.ssh").chmod(0o700)
    tree.run("/usr/bin/chown", "-R", f"{data.username}:", f"{home}/.ssh")


def _set_password(tree: Tree, name: str, password: str, hashed: bool) -> None:
    if not password:
        return
    # chpasswd takes the hash as it is; `rootpw --iscrypted locked` thus matches no password.
    options = ["--encrypted"] if hashed else ["--crypt-method", "SHA512"]
    tree.run("/usr/sbin/chpasswd", *options, stdin=f"{name}:{password}\n")
