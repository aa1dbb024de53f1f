"""selinux, firewall and the auth commands: what the kernel, the network and PAM let through."""

from __future__ import annotations

import logging
import re
import shlex

from pykickstart.constants import SELINUX_DISABLED, SELINUX_ENFORCING, SELINUX_PERMISSIVE

from builder.kickstart.read import Command, Kickstart
from builder.kickstart.registry import after_all, honoured_by, honours, refused
from builder.tree.tree import Tree
from host.errors import InputError, ProgramError

log = logging.getLogger("ccis.settings")

_MODES = {
    SELINUX_ENFORCING: "enforcing", SELINUX_PERMISSIVE: "permissive", SELINUX_DISABLED: "disabled",
}
_FIREWALL = "/usr/bin/firewall-offline-cmd"
# What authconfig was asked for most is how every release since 8 is made.
_AUTH_DEFAULTS = {"--enableshadow", "--useshadow", "--passalgo=sha512"}
_AUTH_WITHOUT_EFFECT = re.compile(
    r"--(enable|disable)(shadow|md5|cache)|--usemd5|--passalgo=\w+")

honoured_by("settings", "firewall")
refused("joining a domain needs its server and a password; do it at first boot", "realm")


@honours("selinux")
def selinux(command: Command, tree: Tree) -> None:
    """`selinux --enforcing` sets SELINUX= in /etc/selinux/config.

    Without a policy in the image there is nothing to set, as for Anaconda, which logs it.
    """
    mode = _MODES.get(command.data.selinux)
    if mode is None:
        return
    if not tree.exists("/etc/selinux/config"):
        log.warning("%s: selinux --%s: the image has no policy", command.where, mode)
        return
    tree.set_shell_value("/etc/selinux/config", "SELINUX", mode)


@after_all
def firewall(kickstart: Kickstart, tree: Tree) -> None:
    """Call firewall-offline-cmd as Anaconda does: enabled unless `firewall --disabled` says no,
    ssh let in unless --remove-service=ssh, then what the line names.

    Source: pyanaconda/modules/network/firewall/installation.py. Raises InputError where
    `firewall --enabled` has no firewalld to work with.
    """
    commands = kickstart.find("firewall")
    data = commands[-1].data if commands else None
    if getattr(data, "use_system_defaults", False):
        return
    if not tree.has(_FIREWALL):
        if data is not None and data.enabled:
            raise InputError(
                "firewall --enabled has no firewall to work with", where=commands[-1].where,
                remedy="add firewalld to %packages, or say `firewall --disabled`",
            )
        return
    enabled = data is None or data.enabled is not False
    services = list(data.services) if data else []
    removed = list(getattr(data, "remove_services", None) or [])
    ports = list(data.ports) if data else []
    words = ["--enabled" if enabled else "--disabled"]
    if "ssh" not in services + removed and "22:tcp" not in ports:
        words.append("--service=ssh")
    words += [f"--trust={device}" for device in (data.trusts if data else [])]
    words += [f"--port={port}" for port in ports]
    words += [f"--remove-service={service}" for service in removed]
    words += [f"--service={service}" for service in services]
    tree.run(_FIREWALL, *words)


@honours("authselect")
def authselect(command: Command, tree: Tree) -> None:
    """`authselect select sssd …` runs the tree's own authselect with these words and --force.

    Options of the old authconfig, which some files give it, are what authselect refuses; Anaconda
    goes on then, and so do we. Raises InputError where `select` has no authselect to run.
    """
    words = list(command.words)
    if not words:
        return
    if not tree.has("/usr/bin/authselect"):
        if all(word.startswith("-") for word in words):
            log.warning("%s: authselect has no profile to select", command.where)
            return
        raise InputError("authselect is not in the image", where=command.where,
                         remedy="add authselect to %packages")
    _run_tool(command, tree, "/usr/bin/authselect", *words, "--force")


@honours("auth", "authconfig")
def authconfig(command: Command, tree: Tree) -> None:
    """`auth --enableshadow --passalgo=sha512` is what every release since 8 does by itself.

    authconfig (7, or authselect-compat) is run where the tree has it. Without it, what
    authselect-compat takes and leaves without effect (authselect, authcompat_Options.py: shadow,
    md5, passalgo, cache) is so here, too, and fingerprints are skipped where nothing reads them
    (pyanaconda, ConfigureFingerprintAuthTask); anything more is an error.
    """
    tool = next((path for path in ("/usr/sbin/authconfig", "/usr/bin/authconfig")
                 if tree.has(path)), None)
    words = [word for each in command.words for word in shlex.split(each)]
    if tool:
        _run_tool(command, tree, tool, "--update", "--nostart", *words)
        return
    text = " ".join(words).replace("--passalgo ", "--passalgo=")
    more = [word for word in text.split() if word not in _AUTH_DEFAULTS]
    if not any(tree.has(f"{folder}/security/pam_fprintd.so")
               for folder in ("/lib", "/lib64")):
        more = [word for word in more if not word.endswith("ablefingerprint")]
    if without := [word for word in more if _AUTH_WITHOUT_EFFECT.fullmatch(word)]:
        log.warning("%s: %s has no effect since 8: passwords are hashed as login.defs says",
                    command.where, " ".join(without))
    if more := [word for word in more if word not in without]:
        raise InputError(f"there is no authconfig for {' '.join(more)}", where=command.where,
                         remedy="use `authselect select …`, or add authselect-compat to %packages")


def _run_tool(command: Command, tree: Tree, *argv: str) -> None:
    """Run a tool; Anaconda takes its failure for no reason to stop (run_auth_tool)."""
    try:
        tree.run(*argv)
    except ProgramError as error:
        log.warning("%s: %s: %s", command.where, error.what, error.why)
