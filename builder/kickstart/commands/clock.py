"""timezone and timesource: how the system reads its clock, and who sets it."""

from __future__ import annotations

import re

from builder.kickstart.commands.services import disable, enable, has_unit
from builder.kickstart.read import Command, Kickstart
from builder.kickstart.registry import after_all, honoured_by, honours
from builder.tree.tree import Tree
from host.errors import InputError

_CHRONY = "/etc/chrony.conf"
_HEADING = "# These servers were defined in the installation:"
_SOURCE = re.compile(r"\s*(server|pool)\s*[-a-zA-Z.0-9]+\s*[a-zA-Z]+\s*")

honoured_by("settings", "timesource")


@honours("timezone")
def timezone(command: Command, tree: Tree) -> None:
    """`timezone UTC --utc` links /etc/localtime; without --utc the hardware clock is local.

    adjtime(5): its third line says in which of the two the hardware clock runs; the first two
    stay as they are. Anaconda takes New York for a zone that is not there; here it is an error.
    """
    data = command.data
    if data.timezone:
        zone = f"/usr/share/zoneinfo/{data.timezone}"
        if tree.exists("/usr/share/zoneinfo") and not tree.exists(zone):
            raise InputError(f"there is no time zone {data.timezone!r}", where=command.where)
        tree.link("/etc/localtime", f"..{zone}")
    lines = tree.read("/etc/adjtime").splitlines()[:2]
    first, second = lines if len(lines) == 2 else ("0.0 0 0.0", "0")
    tree.write("/etc/adjtime", f"{first}\n{second}\n{'UTC' if data.isUtc else 'LOCAL'}\n")


@after_all
def time_sources(kickstart: Kickstart, tree: Tree) -> None:
    """Write the servers of `timesource` and `timezone --ntpservers` into chrony.conf, and turn
    chronyd on or, for --ntp-disable and --nontp, off.

    Source: pyanaconda/modules/timezone/installation.py and pyanaconda/ntp.py.
    """
    wanted, sources = True, []
    for command in kickstart.find("timezone", "timesource"):
        data = command.data
        if getattr(data, "nontp", False) or getattr(data, "ntp_disable", False):
            wanted = False
        secure = " nts" if getattr(data, "nts", False) else ""
        if getattr(data, "ntp_pool", None):
            sources.append(f"pool {data.ntp_pool} iburst{secure}")
        if getattr(data, "ntp_server", None):
            sources.append(f"server {data.ntp_server} iburst{secure}")
        servers = getattr(data, "ntpservers", None) or []
        sources += [f"server {name} iburst"
                    for name in (sorted(servers) if isinstance(servers, set) else servers)]
    if wanted and sources:
        kept = [line for line in tree.read(_CHRONY).splitlines()
                if not _SOURCE.fullmatch(line) and line != _HEADING]
        tree.write(_CHRONY, "\n".join([_HEADING, *dict.fromkeys(sources), "", *kept]) + "\n")
    services = kickstart.find("services")
    asked = {name.removesuffix(".service") for command in services
             for name in [*command.data.enabled, *command.data.disabled]}
    if has_unit(tree, "chronyd") and "chronyd" not in asked:
        (enable if wanted else disable)(tree, "chronyd")
