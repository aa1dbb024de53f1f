"""Where each partition goes: its number, place and size, beside those that %pre has made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count, islice

from builder.disk.model import DiskTable
from builder.disk.parts import FsType, Partition, Table
from builder.disk.requests import PartitionRequest
from builder.disk.sizes import MIB, Claim, base_mib, share
from host.errors import InputError

# The backup GPT: 32 sectors of entries and one of header at the disk's end (UEFI 2.10, 5.3).
GPT_TAIL_BYTES = 33 * 512
# What an MBR table can name: 32-bit numbers of 512-byte sectors.
_MBR_REACH_BYTES = 1 << 41
_MBR_PRIMARIES = 4
_EXTENDED = ("05", "0f", "85")

Wish = tuple[PartitionRequest, FsType]


@dataclass(frozen=True)
class Slot:
    """A place in the table. made: the partition that %pre made there. wish: what is to be there.

    Neither: the extended partition of an MBR table.
    """

    number: int
    start_bytes: int
    size_bytes: int
    wish: Wish | None = None
    made: Partition | None = None


@dataclass
class _Gap:
    """Free space, in MiB, and the partitions that are to share it."""

    start: int
    end: int
    wishes: list[tuple[Wish, int]]

    @property
    def left(self) -> int:
        return self.end - self.start - sum(base for _, base in self.wishes)


def place(
    wishes: Sequence[Wish], disk_size_bytes: int, table: Table, existing: DiskTable | None,
) -> list[Slot]:
    """Return all places of a table, in the order of their numbers.

    wishes: the requests, in the order in which new partitions shall stand on the disk; those
    with a number take the partition of %pre. What nothing takes stays where it is.

    Raises InputError, with the request's line, for what is not there or does not fit.
    """
    if table == "msdos" and disk_size_bytes > _MBR_REACH_BYTES:
        raise InputError("an MBR table reaches 2 TiB at most", remedy="use a GPT: "
                         "clearpart --disklabel=gpt")
    made = {part.number: part for part in existing.partitions} if existing else {}
    taken = _taken(wishes, made)
    fresh = [wish for wish in wishes if wish[0].number is None]
    slots = [
        Slot(number, part.start_bytes, part.size_bytes, taken.get(number), part)
        for number, part in made.items()
    ]
    if table == "msdos":
        slots += _place_mbr(fresh, disk_size_bytes, made)
    else:
        usable_mib = (disk_size_bytes - GPT_TAIL_BYTES) // MIB
        free = (number for number in count(1) if number not in made)
        numbers = list(islice(free, len(fresh)))
        slots += _fill(fresh, _gaps(made.values(), usable_mib), numbers, disk_size_bytes)
    return sorted(slots, key=lambda slot: slot.number)


def _taken(wishes: Sequence[Wish], made: dict[int, Partition]) -> dict[int, Wish]:
    taken: dict[int, Wish] = {}
    for wish in wishes:
        number, where = wish[0].number, wish[0].where
        if number is None:
            continue
        if number not in made or made[number].type_id.lower() in _EXTENDED:
            raise InputError(
                f"--onpart: there is no partition {number} on the disk", where=where,
                why=f"%pre leaves {', '.join(map(str, sorted(made)))}" if made
                else "no %pre script makes one",
                remedy="make it in %pre, or let the builder make it: --size, --grow",
            )
        if number in taken:
            raise InputError(f"--onpart: partition {number} is taken already", where=where,
                             why=f"by {taken[number][0].mountpoint}, {taken[number][0].where}")
        taken[number] = wish
    return taken


def _gaps(made: Iterable[Partition], usable_mib: int) -> list[_Gap]:
    """Return what is free, in whole MiB, which is how Anaconda (parted) aligns partitions."""
    gaps: list[_Gap] = []
    free = 1
    for part in sorted(made, key=lambda part: part.start_bytes):
        if part.start_bytes // MIB > free:
            gaps.append(_Gap(free, part.start_bytes // MIB, []))
        free = max(free, -(-part.end_bytes // MIB))
    if usable_mib > free:
        gaps.append(_Gap(free, usable_mib, []))
    return gaps


def _fill(
    fresh: Sequence[Wish], gaps: list[_Gap], numbers: Sequence[int], disk_size_bytes: int,
) -> list[Slot]:
    """Give each new partition a gap, then share each gap among those in it."""
    disk_mib = disk_size_bytes // MIB
    for wish in fresh:
        base = base_mib(wish[0], disk_mib)
        fitting = [gap for gap in gaps if gap.left >= base]
        if not fitting:
            raise _too_small(fresh, disk_mib)
        chosen = max(fitting, key=lambda gap: gap.left) if wish[0].grow else fitting[0]
        chosen.wishes.append((wish, base))
    placed: dict[int, tuple[int, int]] = {}
    for gap in gaps:
        sizes = share([_claim(wish[0], base) for wish, base in gap.wishes], gap.end - gap.start)
        start = gap.start
        for (wish, _), size in zip(gap.wishes, sizes, strict=True):
            placed[id(wish)] = (start, size)
            start += size
    return [
        Slot(number, placed[id(wish)][0] * MIB, placed[id(wish)][1] * MIB, wish)
        for number, wish in zip(numbers, fresh, strict=True)
    ]


def _place_mbr(
    fresh: Sequence[Wish], disk_size_bytes: int, made: dict[int, Partition],
) -> list[Slot]:
    """Return places in an MBR table: four, or three and an extended partition for all others."""
    free = [n for n in range(1, _MBR_PRIMARIES + 1) if n not in made]
    if len(fresh) <= len(free):
        gaps = _gaps(made.values(), disk_size_bytes // MIB)
        return _fill(fresh, gaps, free[:len(fresh)], disk_size_bytes)
    if made:
        raise InputError(
            "the MBR table that %pre leaves has no room for more partitions",
            where=fresh[len(free)][0].where, remedy="make a GPT in %pre: parted … mklabel gpt",
        )
    primaries, logicals = _split(fresh)
    disk_mib = disk_size_bytes // MIB
    bases = [base_mib(wish[0], disk_mib) for wish in (*primaries, *logicals)]
    # One MiB before each logical partition is for the record that describes it (EBR).
    available = disk_mib - 1 - len(logicals)
    if sum(bases) > available:
        raise _too_small(fresh, disk_mib)
    sizes = share([
        _claim(wish[0], base) for wish, base in zip((*primaries, *logicals), bases, strict=True)
    ], available)
    slots: list[Slot] = []
    start = 1
    for number, (wish, size) in enumerate(zip(primaries, sizes, strict=False), start=1):
        slots.append(Slot(number, start * MIB, size * MIB, wish))
        start += size
    slots.append(Slot(_MBR_PRIMARIES, start * MIB, (disk_mib - start) * MIB))
    rest = zip(logicals, sizes[len(primaries):], strict=True)
    for number, (wish, size) in enumerate(rest, start=_MBR_PRIMARIES + 1):
        slots.append(Slot(number, (start + 1) * MIB, size * MIB, wish))
        start += 1 + size
    return slots


def _split(fresh: Sequence[Wish]) -> tuple[list[Wish], list[Wish]]:
    """Choose three primary partitions: those with --asprimary, then the first ones."""
    forced = [wish for wish in fresh if wish[0].asprimary]
    if len(forced) >= _MBR_PRIMARIES:
        raise InputError(
            "an MBR table with more than four partitions has room for three primary ones",
            where=forced[_MBR_PRIMARIES - 1][0].where, remedy="use `clearpart --disklabel=gpt`",
        )
    others = [wish for wish in fresh if not wish[0].asprimary]
    chosen = forced + others[:_MBR_PRIMARIES - 1 - len(forced)]
    return (
        [wish for wish in fresh if wish in chosen], [wish for wish in fresh if wish not in chosen],
    )


def _claim(request: PartitionRequest, base: int) -> Claim:
    return Claim(base, grow=request.grow, ceiling=request.maxsize_mib)


def _too_small(fresh: Sequence[Wish], disk_mib: int) -> InputError:
    bases = [base_mib(request, disk_mib) for request, _ in fresh]
    largest = max(zip(bases, fresh, strict=True), key=lambda pair: pair[0])[1][0]
    return InputError(
        "the disk is too small for its partitions", where=largest.where,
        why=f"they take {sum(bases) + 2} MiB of {disk_mib} MiB",
        remedy="make the disk larger (--disk-size, or disk_size of the image) or the partitions "
               "smaller",
    )
