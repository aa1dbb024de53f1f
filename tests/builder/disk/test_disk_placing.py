"""However many partitions, on whatever %pre left: they never overlap and never leave the disk."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.disk.layout import Layout, plan_layout
from builder.disk.mkfs_options import split_options
from builder.disk.model import DiskTable
from builder.disk.parts import Partition, Table
from builder.disk.requests import PartitionRequest
from builder.disk.sizes import Claim, share
from builder.disk.table import sfdisk_script
from builder.disk.volumes.lvm.model import GroupRequest, LogicalVolumeRequest
from builder.disk.volumes.lvm.planning import group_of
from host.errors import InputError
from tests.builder.disk.disk_trees import request

MIB = 1 << 20
DISK_MIB = 4096

wishes = st.lists(
    st.tuples(st.integers(1, 900), st.booleans(), st.none() | st.integers(900, 5000)), max_size=9)
# Gaps and sizes in sectors: scripts align as they like.
places = st.lists(st.tuples(st.integers(0, 600_000), st.integers(1, 600_000)), max_size=6)


def requests_of(sizes: list[tuple[int, bool, int | None]]) -> list[PartitionRequest]:
    return [request("/", 300, grow=True)] + [
        request(f"/d{number}", size, fstype="ext4", grow=grow, maxsize_mib=ceiling)
        for number, (size, grow, ceiling) in enumerate(sizes)
    ]


def left_by_pre(table: Table, found: list[tuple[int, int]]) -> DiskTable:
    start, parts = 2048, []
    for number, (gap, size) in enumerate(found, start=1):
        start += gap
        if start + size > DISK_MIB * 2048 - 34:
            break
        parts.append(Partition(
            mountpoint=None, fstype="unused", size_bytes=size * 512, fs_uuid=None, label=None,
            number=number, start_bytes=start * 512, type_id="83", part_uuid=None))
        start += size
    return DiskTable(table=table, disk_uuid=None, partitions=tuple(parts))


def check_places(layout: Layout) -> None:
    outer = [part for part in layout.partitions if part.type_id != "0f"]
    ends = layout.disk_size_bytes - (33 * 512 if layout.table == "gpt" else 0)
    placed = sorted(outer, key=lambda part: part.start_bytes)
    for before, after in pairwise(placed):
        assert before.end_bytes <= after.start_bytes
    assert all(part.start_bytes >= 512 and part.end_bytes <= ends for part in placed)
    assert len({part.number for part in layout.partitions}) == len(layout.partitions)


@settings(deadline=None)
@given(places, wishes)
def test_beside_what_pre_left_on_a_gpt(
    found: list[tuple[int, int]], sizes: list[tuple[int, bool, int | None]],
) -> None:
    existing = left_by_pre("gpt", found)
    try:
        layout = plan_layout(requests_of(sizes), DISK_MIB * MIB, "gpt", "seed", existing=existing)
    except InputError as error:
        assert "the disk is too small" in str(error)
        return
    check_places(layout)
    kept = {part.number: (part.start_bytes, part.size_bytes) for part in layout.partitions}
    for part in existing.partitions:
        assert kept[part.number] == (part.start_bytes, part.size_bytes), "nothing of %pre moves"


def test_new_partitions_take_the_numbers_that_pre_left_free() -> None:
    """CentOS 8 for Azure: sgdisk makes 14 and 15; /boot and / become 1 and 2."""
    made = left_by_pre("gpt", [(0, 8192), (0, 1_013_760)])
    existing = DiskTable(table="gpt", disk_uuid=None, partitions=tuple(
        part.model_copy(update={"number": number})
        for part, number in zip(made.partitions, (14, 15), strict=True)))
    layout = plan_layout(requests_of([(500, False, None)]), DISK_MIB * MIB, "gpt", "seed",
                         existing=existing)
    assert [part.number for part in layout.partitions] == [1, 2, 14, 15]
    check_places(layout)


@settings(deadline=None)
@given(wishes)
def test_on_an_mbr_table(sizes: list[tuple[int, bool, int | None]]) -> None:
    try:
        layout = plan_layout(requests_of(sizes), DISK_MIB * MIB, "msdos", "seed")
    except InputError as error:
        assert "the disk is too small" in str(error)
        return
    check_places(layout)
    extended = [part for part in layout.partitions if part.type_id == "0f"]
    logical = [part for part in layout.partitions if part.number > 4]
    assert bool(logical) == bool(extended) == (len(sizes) > 3)
    for part in logical:
        assert extended[0].start_bytes + MIB <= part.start_bytes, "room for the record before it"
        assert part.end_bytes <= extended[0].end_bytes
    assert sum(part.bootable for part in layout.partitions) == 1


@settings(deadline=None)
@given(st.lists(st.builds(
    Claim, base=st.integers(1, 1000), grow=st.booleans(), percent=st.integers(0, 100),
), min_size=1, max_size=8), st.integers(0, 20_000))
def test_shares_are_at_least_the_bases_and_together_no_more_than_there_is(
    claims: list[Claim], more: int,
) -> None:
    available = sum(claim.base for claim in claims) + more
    sizes = share(claims, available)
    assert all(size >= claim.base for size, claim in zip(sizes, claims, strict=True))
    assert sum(sizes) <= available
    if any(claim.grow and not claim.percent for claim in claims):
        assert sum(sizes) == available


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 500), st.booleans()), min_size=1, max_size=6),
       st.integers(64, 5000), st.sampled_from([1024, 4096, 32768]))
def test_volumes_fit_into_their_group(
    sizes: list[tuple[int, bool]], device_mib: int, extent_kib: int,
) -> None:
    volumes = [
        LogicalVolumeRequest(mountpoint=f"/v{number}", name=f"v{number}", group="vg",
                             size_mib=size, grow=grow, where="test.ks:1")
        for number, (size, grow) in enumerate(sizes)
    ]
    group = GroupRequest(name="vg", members=("pv.1",), extent_kib=extent_kib, where="test.ks:2")
    try:
        made = group_of(group, [("/dev/vda1", device_mib * MIB)], volumes, 8000, "seed")
    except InputError as error:
        assert "too small for its volumes" in str(error)
        return
    assert sum(volume.size_mib for volume in made.volumes) <= device_mib - 1
    assert all(volume.size_mib % made.extent_mib == 0 for volume in made.volumes)
    assert all(volume.size_mib >= wish.size_mib
               for volume, wish in zip(made.volumes, volumes, strict=True) if wish.size_mib)


def test_the_script_for_sfdisk_names_the_extended_partition() -> None:
    layout = plan_layout(requests_of([(10, False, None)] * 4), DISK_MIB * MIB, "msdos", "seed")
    script = sfdisk_script(layout)
    assert "4 : start=63488, size=8325120, type=0f" in script
    assert "5 : start=65536, size=20480, type=83" in script


@pytest.mark.parametrize(("fstype", "words", "taken", "foreign"), [
    ("ext4", "-m 1 -O ^metadata_csum -E nodiscard", "-m 1 -O ^metadata_csum -E nodiscard", ""),
    ("ext4", "-m bigtime=0,inobtcount=0", "", "-m bigtime=0,inobtcount=0"),
    ("ext4", "-i size=512 -m 0", "-m 0", "-i size=512"),
    ("ext4", "-mreflink=1 -I 128", "-I 128", "-mreflink=1"),
    ("xfs", "-m bigtime=0,inobtcount=0 -i nrext64=0", "-m bigtime=0,inobtcount=0 -i nrext64=0", ""),
    ("xfs", "-m 1 -O ^64bit -b size=1024", "-b size=1024", "-m 1 -O ^64bit"),
    ("btrfs", "--csum xxhash -d single", "--csum xxhash -d single", ""),
    ("vfat", "-m reflink=0 -n EFI -F 32", "-n EFI -F 32", "-m reflink=0"),
    ("swap", "-m bigtime=0 -L x", "", "-m bigtime=0 -L x"),  # its header is written as it is
    ("ext4", "-Z nonsense", "-Z nonsense", ""),  # mke2fs itself says what is wrong with it
])
def test_mkfs_options(fstype: str, words: str, taken: str, foreign: str) -> None:
    assert split_options(fstype, words.split()) == (tuple(taken.split()), tuple(foreign.split()))
