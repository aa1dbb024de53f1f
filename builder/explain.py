"""A kickstart as the builder understands it: what the image gets, in the words of a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builder.disk.layout import Layout
from builder.disk.model import DiskTable
from builder.disk.parts import Partition, Volume
from builder.disk.volumes.registry import kind_of
from builder.kickstart import registry
from builder.kickstart.hazards import HAZARDS
from builder.kickstart.layout import layout_of
from builder.kickstart.read import Command, Kickstart, read, read_pre, survey
from builder.kickstart.secret_words import masked_words
from builder.packages.requirements import requirements
from builder.planner import run_pre
from builder.steps import pre
from builder.store.store import Store
from host.errors import InputError
from host.progress import Progress
from host.urls import shown
from images.release import Release

Row = dict[str, str]

# What a command comes to, where its words say less than its meaning; all others show their words.
_SHOWN_ELSEWHERE = {
    "part", "partition", "raid", "volgroup", "logvol", "btrfs", "autopart", "reqpart", "clearpart",
    "zerombr", "ignoredisk", "user", "group", "sshkey", "rootpw", "services", "network", "repo",
    "url", "module",
}
_STORAGE = ("part", "partition", "raid", "volgroup", "logvol", "btrfs", "autopart", "reqpart")


@dataclass(frozen=True)
class Explanation:
    """Everything that one screen shows; each part is a list of rows of named texts.

    unknown: what can't be told without running %pre or fetching.
    """

    file: str
    release: str
    table: str | None
    disk: list[Row]
    layers: list[str]
    sources: list[Row]
    packages: dict[str, list[str]]
    added: list[Row]
    users: list[Row]
    services: dict[str, list[str]]
    network: list[Row]
    settings: list[Row]
    scripts: list[Row]
    without_meaning: list[Row]
    notes: list[Row]
    unknown: list[Row] = field(default_factory=list)


def explain(
    path: Path, release: Release, arch: str, disk_size_bytes: int, store: Store | None = None,
    progress: Progress | None = None, folders: Sequence[Path] = (),
) -> Explanation:
    """Read a kickstart and say what it comes to.

    store: where to keep what %pre makes; with one, a file's %pre scripts are run as a build runs
    them, which needs root. Without one, nothing is run and nothing is fetched, and what can't be
    told is `unknown`. folders: of this host, where its parts may be besides its own folder.
    Raises InputError for the first thing that a build would refuse, too.
    """
    scripts = read_pre(path, release.dialect, folders) if store else []
    if store and scripts:
        made = run_pre(pre.Inputs(epoch=1, scripts=tuple(scripts), arguments="",
                                  disk_size_bytes=disk_size_bytes), store, progress)
        kickstart = read(path, release.dialect, made.root, folders)
        return explanation(kickstart, release, arch, disk_size_bytes, existing=made.table)
    seen = survey(path, release.dialect, folders)
    if seen.problems:
        raise seen.problems[0]
    unknown = [{"where": where, "what": f"{name}, which %pre writes or the network has"}
               for where, name in seen.unread_includes]
    unknown += [{"where": script.where, "what": "what %pre does to the disk"}
                for script in seen.kickstart.scripts_of("%pre")]
    return explanation(seen.kickstart, release, arch, disk_size_bytes, unknown=unknown)


def explanation(
    kickstart: Kickstart, release: Release, arch: str, disk_size_bytes: int,
    existing: DiskTable | None = None, unknown: list[Row] | None = None,
) -> Explanation:
    """Explain a kickstart that was read.

    existing: the partition table that %pre left. unknown: see Explanation; where there is any, a
    disk that can't be planned is no error. Raises InputError as a build would.
    """
    registry.check(kickstart)
    layout = _layout(kickstart, release, arch, disk_size_bytes, existing, unknown or [])
    verdicts = list(registry.verdicts(kickstart))
    added = requirements(kickstart, layout, arch) if layout else ()
    notes = [{"where": finding.where, "what": f"{finding.name}: {finding.says}"}
             for hazard in HAZARDS for finding in hazard(kickstart)]
    notes += [{"where": where, "what": text} for where, text in (layout.notes if layout else ())]
    return Explanation(
        file=str(kickstart.path), release=release.title,
        table=layout.table if layout else None,
        disk=_disk(layout) if layout else [],
        layers=[kind_of(item).describe(item) for item in layout.stack] if layout else [],
        sources=_sources(kickstart, release, arch), packages=_packages(kickstart),
        added=[{"package": " or ".join(each.names), "reason": each.reason} for each in added],
        users=_users(kickstart), services=_services(kickstart), network=_network(kickstart),
        settings=[{"where": command.where, "command": command.name,
                   "words": " ".join(masked_words(command.name, command.words))}
                  for command in kickstart.commands
                  if command.name not in _SHOWN_ELSEWHERE and _is_honoured(command)],
        scripts=[_script(kickstart, number) for number in range(len(kickstart.scripts))],
        without_meaning=[
            {"where": verdict.where, "what": verdict.name, "reason": verdict.status.reason}
            for verdict in verdicts if verdict.status.kind == "meaningless"],
        notes=notes, unknown=unknown or [],
    )


def _layout(
    kickstart: Kickstart, release: Release, arch: str, disk_size_bytes: int,
    existing: DiskTable | None, unknown: list[Row],
) -> Layout | None:
    if not kickstart.find(*_STORAGE):
        return None
    try:
        return layout_of(kickstart, disk_size_bytes, release, "explain", existing, arch=arch)
    except InputError:
        if unknown:
            return None
        raise


def _disk(layout: Layout) -> list[Row]:
    parts: list[Partition | Volume] = [*layout.partitions, *layout.volumes]
    return [_part(part) for part in parts]


def _part(part: Partition | Volume) -> Row:
    device = f"vda{part.number}" if isinstance(part, Partition) else part.device
    extras = [f"label {part.label}" if part.label else "",
              f"subvolume {part.subvolume}" if part.subvolume else "",
              part.fstab_options if part.mountpoint and part.fstab_options != "defaults" else ""]
    return {"device": device.removeprefix("/dev/"), "mountpoint": part.mountpoint or "",
            "fstype": part.fstype, "size_mib": f"{part.size_bytes / (1 << 20):,.0f}",
            "more": ", ".join(filter(None, extras))}


def _sources(kickstart: Kickstart, release: Release, arch: str) -> list[Row]:
    rows = []
    for command in kickstart.find("url", "repo"):
        data = command.data
        address = next((str(value) for name in ("url", "baseurl", "mirrorlist", "metalink")
                        if (value := getattr(data, name, None))), "of the release")
        rows.append({"where": command.where, "name": getattr(data, "name", "") or command.name,
                     "address": shown(address)})
    if not kickstart.find("url"):
        rows += [{"where": release.name, "name": repository.id,
                  "address": f"{repository.id} of {release.name}" if release.rehearsal
                  else repository.mirrors[0].replace("{arch}", arch)}
                 for repository in release.repositories]
    return rows


def _packages(kickstart: Kickstart) -> dict[str, list[str]]:
    wish = kickstart.packages
    options = {
        "no documentation": not wish.with_docs, "no weak dependencies": not wish.with_weak,
        f"languages: {wish.languages}": wish.languages is not None,
        "what is missing is left out": wish.ignore_missing,
        "what is broken is left out": wish.ignore_broken, "multilib": wish.multilib,
    }
    modules = [" ".join(filter(None, (command.data.name, getattr(command.data, "stream", ""))))
               for command in kickstart.find("module") if command.data is not None]
    parts = {
        "environment": [wish.environment] if wish.environment else [],
        "groups": [group.name for group in wish.groups], "packages": list(wish.names),
        "excluded": [*wish.excluded, *(f"@{name}" for name in wish.excluded_groups)],
        "modules": modules, "options": [text for text, given in options.items() if given],
    }
    return {name: values for name, values in parts.items() if values}


def _users(kickstart: Kickstart) -> list[Row]:
    rows: list[Row] = []
    keys = [command.data.username for command in kickstart.find("sshkey")]
    for command in [*kickstart.find("rootpw")[-1:], *kickstart.find("user")]:
        data = command.data
        name = getattr(data, "name", "") or "root"
        password = ("locked" if data.lock else "hash as given" if data.password and data.isCrypted
                    else "password in plain text, hashed" if data.password else "no password")
        rows.append({
            "where": command.where, "name": name, "password": password,
            "groups": ", ".join(getattr(data, "groups", [])),
            "keys": str(keys.count(name)) if name in keys else "",
        })
    rows += [{"where": command.where, "name": command.data.username, "password": "", "groups": "",
              "keys": "1"} for command in kickstart.find("sshkey")
             if command.data.username not in {row["name"] for row in rows}]
    return rows


def _services(kickstart: Kickstart) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for command in kickstart.find("services")[-1:]:
        found = {"enabled": list(command.data.enabled), "disabled": list(command.data.disabled)}
    return {name: names for name, names in found.items() if names}


def _network(kickstart: Kickstart) -> list[Row]:
    rows = []
    for command in kickstart.find("network"):
        data = command.data
        addresses = ("static " + str(data.ip) if data.bootProto == "static"
                     else data.bootProto or "no IPv4")
        rows.append({"where": command.where, "device": data.device or "any", "ip": addresses,
                     "hostname": data.hostname or "",
                     "onboot": "at boot" if data.onboot else "not at boot"})
    return rows


def _script(kickstart: Kickstart, number: int) -> Row:
    script = kickstart.scripts[number]
    outside = script.kind == "%post" and not script.in_chroot
    return {
        "where": script.where, "kind": script.kind + (" --nochroot" if outside else ""),
        "interpreter": script.interpreter, "lines": str(len(script.text.splitlines())),
        "on_error": "stops the build" if script.stop_on_error else "is said",
        "log": script.log or "",
    }


def _is_honoured(command: Command) -> bool:
    found = registry.handling(command.name)
    return found is not None and found.status.kind == "honoured"
