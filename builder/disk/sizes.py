"""How a space is shared: fixed sizes first, then what is left to those that grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from builder.disk.requests import SizedRequest
from host.errors import InputError

MIB = 1 << 20
# Anaconda's `--recommended` swap follows the memory of the machine it installs, which an image
# can't know: so the ceiling that it sets for small disks, a tenth of the disk, at most 2 GiB.
RECOMMENDED_SWAP_MIB = 2048
# blivet's PartitionDevice.default_size: what --grow alone starts from.
_DEFAULT_MIB = 500


@dataclass(frozen=True)
class Claim:
    """What one device asks of the space, in units of the caller (MiB or extents).

    base: what it gets in any case. ceiling: what it never exceeds, None without --maxsize.
    percent: how much of what the bases leave it grows by, before the others share the rest.
    """

    base: int
    grow: bool = False
    ceiling: int | None = None
    percent: int = 0


def share(claims: Sequence[Claim], available: int) -> list[int]:
    """Return the size of each claim; they fill the space when something grows without ceiling.

    blivet's rule (blivet/partitioning.py, Chunk.grow_requests): percentages first, each of what
    the bases leave; the rest in the ratio of the bases, again as long as a ceiling leaves some.
    The bases together must not exceed what is available.
    """
    sizes = [claim.base for claim in claims]
    left = rest = available - sum(sizes)
    ceilings = [_ceiling(claim, available) for claim in claims]
    for index, claim in enumerate(claims):
        if claim.percent:
            gain = max(0, min(rest * claim.percent // 100, ceilings[index] - sizes[index], left))
            sizes[index] += gain
            left -= gain
            ceilings[index] = sizes[index]
    while left > 0:
        growing = [index for index, size in enumerate(sizes) if size < ceilings[index]]
        if not growing:
            break
        weight = sum(sizes[index] for index in growing)
        gains = [
            (index, min(left * sizes[index] // weight, ceilings[index] - sizes[index]))
            for index in growing
        ]
        if not any(gain for _, gain in gains):
            gains = [(growing[-1], 1)]  # a rest smaller than the number of takers
        for index, gain in gains:
            sizes[index] += gain
            left -= gain
    return sizes


def base_mib(request: SizedRequest, disk_mib: int) -> int:
    """Return the size that a request has in any case."""
    size_mib = request.size_mib
    if size_mib is None and request.recommended:
        size_mib = recommended_swap_mib(disk_mib)
    if size_mib is None and request.grow:
        size_mib = min(_DEFAULT_MIB, request.maxsize_mib or _DEFAULT_MIB)
    if size_mib is None or size_mib <= 0:
        raise InputError(
            f"no size for {request.mountpoint}", where=request.where, remedy="add --size or --grow",
        )
    if request.maxsize_mib is not None and request.maxsize_mib < size_mib:
        raise InputError(
            f"--maxsize is smaller than --size for {request.mountpoint}", where=request.where,
        )
    return size_mib


def recommended_swap_mib(disk_mib: int) -> int:
    """Return the size of a `--recommended` swap on a disk."""
    return max(1, min(RECOMMENDED_SWAP_MIB, disk_mib // 10))


def _ceiling(claim: Claim, available: int) -> int:
    if not (claim.grow or claim.percent):
        return claim.base
    return available if claim.ceiling is None else claim.ceiling
