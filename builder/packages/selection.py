"""What dnf is asked for, as plain data: the kickstart's wish in the words that Anaconda uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builder.kickstart.read import Command, GroupRequest, Kickstart
from builder.packages.repositories import Snapshot
from builder.packages.requirement import Requirement
from images.release import Release


@dataclass(frozen=True)
class Selection:
    """What dnf is asked for: everything that decides which packages there will be.

    requirements: what is added by rule (builder.packages.requirements).
    files: what is written beside the packages, by path (`repo --install`); it decides no package,
    and may hold passwords, so it is no part of the digest.
    key: the release's. keys: those of repositories with one of their own, by the repository's id;
    None: somebody has allowed that nobody vouches for its packages.
    pinned: packages that must be among them in just this build: name, epoch, version, release and
    arch of each (builder.packages.on_top).
    """

    kickstart: Kickstart
    release: Release
    arch: str
    snapshots: Sequence[Snapshot]
    key: Path
    requirements: Sequence[Requirement] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    pinned: Sequence[Mapping[str, Any]] = ()
    keys: Mapping[str, Path | None] = field(default_factory=dict)

    def key_of(self, repository: str) -> Path | None:
        """Return the key that a repository's packages are checked with, None for no check."""
        return self.keys.get(repository, self.key)

    def wishes(self) -> dict[str, Any]:
        """Return the wish as plain data, for dnf and for digests."""
        wish = self.kickstart.packages
        return {
            "names": list(wish.names), "excluded": list(wish.excluded),
            "groups": [group_spec(group) for group in self._groups()],
            "excluded_groups": self._excluded_groups(), "environment": wish.environment,
            "default_environment": wish.default_environment,
            "modules": [
                {"spec": module_spec(command), "enable": getattr(command.data, "enable", True)}
                for command in self.kickstart.find("module")
            ],
            "required": [{"names": list(one.names), "if_there": one.if_there}
                         for one in self.requirements],
            "with_docs": wish.with_docs, "with_weak": wish.with_weak,
            "languages": wish.languages, "multilib": wish.multilib,
            "ignore_missing": wish.ignore_missing, "ignore_broken": wish.ignore_broken,
            "version": self.release.version, "arch": self.arch,
            "rpm_database": self.release.rpm_database,
            "pinned": [dict(one) for one in self.pinned],
        }

    def _groups(self) -> list[GroupRequest]:
        groups = self.kickstart.packages.groups
        if any(section.name == "%packages" for section in self.kickstart.sections):
            return list(groups)
        return [GroupRequest("core"), *groups]  # as Anaconda does without the section, too

    def _excluded_groups(self) -> list[str]:
        """Return the groups that may not come in by an environment either.

        --nocore excludes @core, even where the list names it: payload/dnf/utils.py,
        get_installation_specs.
        """
        headers = [one for one in self.kickstart.sections if one.name == "%packages"]
        without_core = bool(headers) and "--nocore" in headers[-1].words
        return sorted({*self.kickstart.packages.excluded_groups, *(["core"] * without_core)})


def group_spec(group: GroupRequest) -> str:
    """Return a group as Anaconda names it for dnf: `core`, or `core/mandatory,…`.

    Conditional packages belong to every kind (pyanaconda/modules/payloads/constants.py).
    """
    if group.kinds == ("mandatory", "default"):
        return group.name
    return f"{group.name}/{','.join([*group.kinds, 'conditional'])}"


def module_spec(command: Command) -> str:
    """Return what a `module` line means to dnf: NAME or NAME:STREAM."""
    name, stream = command.data.name, getattr(command.data, "stream", "")
    return f"{name}:{stream}" if stream else str(name)
