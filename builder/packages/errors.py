"""What dnf complains of, as errors that name the kickstart's line and what to do."""

from __future__ import annotations

import re
from typing import Any

from builder.packages.selection import Selection, module_spec
from host.errors import CcisError, HostError, InputError, RemoteError

# What rpm finds out before it begins, as dnf sums it up (dnf/base.py, _trans_error_summary).
_NO_ROOM = re.compile(r"At least .* more space needed on the .* filesystem")


def error_of(event: dict[str, Any], selection: Selection) -> CcisError:
    """Return the error that an event of dnf's process stands for.

    event: kind is unknown, module, unsolvable, not-on-top, remote or transaction; see
    builder.packages.dnf_worker.
    """
    kickstart = selection.kickstart
    if event["kind"] == "unknown":
        return _unknown(event, selection)
    if event["kind"] == "module":
        lines = [command for command in kickstart.find("module")
                 if module_spec(command) in event["specs"]]
        return InputError(
            f"no repository has the module {', '.join(event['specs'])}",
            where=lines[0].where if lines else str(kickstart.path), why=event["text"] or None,
            remedy="remove the line: Enterprise Linux 10 has no modules" if not event["known"]
            else f"the repositories have {', '.join(event['known'])}",
        )
    if event["kind"] == "unsolvable":
        filtered = [name for name in kickstart.packages.excluded if name in event["text"]]
        return InputError(
            "the packages can't be installed together",
            where=kickstart.where_of(f"-{filtered[0]}") if filtered else str(kickstart.path),
            why=event["text"], remedy="take the exclusion back" if filtered else None,
        )
    if event["kind"] == "not-on-top":
        return InputError(
            "the target's packages can't go on top of the image's", where=str(kickstart.path),
            why=event["text"],
            remedy="keep what they need: a script of the kickstart may have removed it",
        )
    if event["kind"] == "remote":
        return _repository(event["text"], selection)
    if room := _NO_ROOM.search(event["text"]):
        return HostError(
            "the packages don't fit on the host's disk", why=room[0],
            remedy="free some space where the store is, or point CCIS_STORE at a larger disk")
    return HostError("the package transaction failed", why=event["text"])


def _repository(text: str, selection: Selection) -> RemoteError:
    """Return the error for a repository that dnf can't read, on this host as it is by then."""
    named = [one for one in selection.snapshots if f"'{one.id}'" in text] or selection.snapshots
    lines = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    places = list(dict.fromkeys(one.where for one in named if one.where))
    urls = ", ".join(dict.fromkeys(one.urls[0] for one in named))
    remedy = "run again, or name another mirror" + ("" if places else " in the release's file")
    if "GPG" in text:
        owner = "its own key" if named[0].key else "the release's key"
        remedy = f"its metadata must be signed by {owner}: name another mirror"
    return RemoteError(
        f"{', '.join(one.name for one in named)} can't be used",
        where=", ".join(places) or urls,
        why="; ".join([*([urls] if places else []), *lines]), remedy=remedy)


def _unknown(event: dict[str, Any], selection: Selection) -> InputError:
    kickstart = selection.kickstart
    for requirement in selection.requirements:
        if event["packages"] and set(requirement.names) & set(event["packages"]):
            return InputError(
                f"no repository has {' or '.join(requirement.names)}",
                where=requirement.where or str(kickstart.path),
                why=f"it is added because of this: {requirement.reason}",
                remedy=requirement.remedy
                or f"exclude it in %packages: -{requirement.names[0]}",
            )
    groups = [f"@{name.lstrip('@')}" for name in event["groups"]]
    if kickstart.packages.environment and f"@{kickstart.packages.environment}" in groups:
        groups[groups.index(f"@{kickstart.packages.environment}")] = (
            f"@^{kickstart.packages.environment}")
    spelled = [*event["packages"], *groups]
    hint = f"did you mean {', '.join(event['near'])}? " if event["near"] else ""
    return InputError(
        f"no repository has {', '.join(spelled) or event['text']}",
        where=kickstart.where_of(spelled[0]) if spelled else str(kickstart.path),
        remedy=f"{hint}correct the name, exclude it, or add --ignoremissing to %packages",
    )
