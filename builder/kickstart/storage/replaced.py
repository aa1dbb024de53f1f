"""A later line for the same mount point takes the place of the former, as Anaconda has it.

pyanaconda/modules/storage/partitioning/custom/custom_partitioning.py: "If a previous device has
claimed this mount point, delete the old one", for part, raid, logvol and btrfs, which are carried
out in this order. All of Fedora's live kickstarts rely on it.
"""

from __future__ import annotations

from typing import Any

from builder.disk.requests import Request, StorageRequest

Notes = list[tuple[str, str]]


def without_replaced(requests: StorageRequest) -> tuple[StorageRequest, Notes]:
    """Return the requests without those that a later one replaces, and what to say of each.

    What is no folder (swap, none, a member such as pv.01) is never replaced.
    """
    last: dict[str, Any] = {}
    for request in (*requests.partitions, *requests.volumes):
        point = getattr(request, "mountpoint", "")
        if point.startswith("/"):
            last[point] = request
    notes: Notes = []

    def stays(request: Request) -> bool:
        point = getattr(request, "mountpoint", "")
        found = last.get(point, request)
        if found is not request:
            notes.append((getattr(request, "where", ""), (
                f"{point} is said again at {found.where}, which counts; this line has no effect")))
        return found is request

    return requests.model_copy(update={
        "partitions": tuple(filter(stays, requests.partitions)),
        "volumes": tuple(filter(stays, requests.volumes)),
    }), notes
