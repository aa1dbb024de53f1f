"""`part` lines on the left, where partitions end up on the right."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.disk.layout import Layout, fstab, plan_layout
from builder.disk.requests import PartitionRequest
from builder.disk.table import sfdisk_script
from host.errors import InputError
from tests.builder.disk.disk_trees import MIB, hybrid_layout, request

GIB = 1 << 30


def shape(layout: Layout) -> list[tuple[str, int, int]]:
    return [
        (part.mountpoint or part.fstype, part.start_bytes // MIB, part.size_bytes // MIB)
        for part in layout.partitions
    ]


def test_generic_cloud() -> None:
    layout = plan_layout([
        request("/", 3000, grow=True), request("/boot", 1000), request("/boot/efi", 200),
        request("biosboot", 1),
    ], 10 * GIB, "gpt", "seed")
    assert shape(layout) == [
        ("biosboot", 1, 1), ("/boot/efi", 2, 200), ("/boot", 202, 1000),
        ("/", 1202, 10240 - 1202 - 1),  # the last MiB holds the backup GPT
    ]
    assert [part.fstype for part in layout.partitions] == ["biosboot", "efi", "xfs", "xfs"]


def test_an_mbr_disk_is_used_to_its_end() -> None:
    layout = plan_layout([request("/", 300, grow=True)], 1 * GIB, "msdos", "seed")
    assert shape(layout) == [("/", 1, 1023)]
    assert layout.partitions[0].bootable
    assert layout.partitions[0].part_uuid is None


def test_growing_partitions_share_in_the_ratio_of_their_sizes() -> None:
    layout = plan_layout([
        request("/", 1000, grow=True), request("/home", 2000, grow=True), request("/var", 500),
    ], 6500 * MIB, "msdos", "seed")
    # 6499 MiB, 3500 asked for: 2999 left, a third to /, two thirds to /home; / comes last.
    assert shape(layout) == [("/var", 1, 500), ("/home", 501, 3999), ("/", 4500, 2000)]


def test_maxsize_is_a_ceiling_and_the_rest_goes_to_others() -> None:
    layout = plan_layout([
        request("/", 1000, grow=True), request("/home", 1000, grow=True, maxsize_mib=1200),
    ], 6001 * MIB, "msdos", "seed")
    assert shape(layout) == [("/home", 1, 1200), ("/", 1201, 4800)]


def test_recommended_swap_depends_on_the_disk_alone() -> None:
    layout = plan_layout(
        [request("swap", recommended=True), request("/", 300)], 10 * GIB, "gpt", "seed",
    )
    assert shape(layout)[0] == ("swap", 1, 1024)


@pytest.mark.parametrize(("requests", "message"), [
    ([], "no partition for /"),
    ([request("/boot", 500, where="a.ks:3")], "a.ks:3: no partition for /"),
    ([request("/", 400), request("/", 400, where="a.ks:9")], "a.ks:9: two file systems for /"),
    ([request("/", 400, fstype="reiserfs", where="a.ks:2")],
     "a.ks:2: unknown file system type reiserfs"),
    ([request("/", 2000, where="a.ks:4")], "a.ks:4: the disk is too small"),
    ([request("/", 100, where="a.ks:4")], "a.ks:4: 100 MiB are too small for /"),
    ([request("/", where="a.ks:4")], "a.ks:4: no size for /"),
    ([request("/", 400, grow=True, maxsize_mib=300, where="a.ks:4")], "a.ks:4: --maxsize"),
    ([request("/", 400), request("data", 10, where="a.ks:5")],
     "a.ks:5: 'data' is not a mount point"),
    ([request("/", 400), request("/a/../b", 10, where="a.ks:5")], "is not a mount point"),
    ([request("/", 400, label="thirteen-long", where="a.ks:6")], "a.ks:6: the label"),
    ([request("/", 400, fstype="efi", where="a.ks:6")], "a.ks:6: / cannot be efi"),
    ([request("/", 400), request("biosboot", 1, fstype="ext4", where="a.ks:7")],
     "a.ks:7: biosboot cannot have"),
])
def test_what_cannot_be_names_its_line(requests: list[PartitionRequest], message: str) -> None:
    with pytest.raises(InputError) as raised:
        plan_layout(requests, 1 * GIB, "gpt", "seed")
    assert message in str(raised.value)


def test_more_than_four_partitions_of_an_mbr_table_are_logical() -> None:
    five = [request("/", 400, grow=True),
            *(request(f"/{name}", 16, fstype="ext4") for name in "abc"),
            request("/d", 16, fstype="ext4", asprimary=True)]
    layout = plan_layout(five, GIB, "msdos", "seed")
    assert [(part.number, *place) for part, place in
            zip(layout.partitions, shape(layout), strict=True)] == [
        (1, "/a", 1, 16), (2, "/b", 17, 16), (3, "/d", 33, 16),
        (4, "unused", 49, 975),  # the extended partition; each logical one leaves 1 MiB before it
        (5, "/c", 50, 16), (6, "/", 67, 957),
    ]
    assert layout.partitions[3].type_id == "0f"


def test_what_an_mbr_table_cannot_hold() -> None:
    with pytest.raises(InputError, match="no BIOS boot partition"):
        plan_layout([request("/", 400), request("biosboot", 1)], GIB, "msdos", "seed")
    with pytest.raises(InputError, match="room for three primary"):
        plan_layout([request("/", 400), *(
            request(f"/{name}", 16, fstype="ext4", asprimary=True) for name in "abcd")],
            GIB, "msdos", "seed")


def test_uuids_follow_from_the_seed_and_differ_from_each_other() -> None:
    one, same, other = (hybrid_layout(), hybrid_layout(), plan_layout(
        [request("/", 300)], GIB, "gpt", "another seed"))
    assert one.model_dump_json() == same.model_dump_json()
    ids = [layout.disk_uuid for layout in (one, other)] + [
        identity for layout in (one, other) for part in layout.partitions
        for identity in (part.part_uuid, part.fs_uuid) if identity
    ]
    assert len(set(ids)) == len(ids)


def test_the_line_of_a_partition_is_not_part_of_the_identity() -> None:
    moved = plan_layout([request("/", 300, where="x.ks:99")], GIB, "gpt", "seed")
    layout = plan_layout([request("/", 300, where="x.ks:1")], GIB, "gpt", "seed")
    assert moved.model_dump(mode="json") == layout.model_dump(mode="json")
    assert Layout.model_validate_json(layout.model_dump_json()).root.size_bytes == 300 * MIB


def test_options_of_the_release_come_before_those_of_the_kickstart() -> None:
    layout = plan_layout(
        [request("/", 400, mkfs_options=("-m", "crc=1"))], GIB, "gpt", "seed",
        mkfs_defaults={"xfs": ["-i", "nrext64=0"]},
    )
    assert layout.root.mkfs_options == ("-i", "nrext64=0", "-m", "crc=1")


@settings(deadline=None)
@given(
    st.lists(st.tuples(
        st.integers(1, 900), st.booleans(), st.none() | st.integers(900, 5000),
    ), max_size=8),
    st.integers(1024, 9000), st.booleans(),
)
def test_partitions_are_aligned_disjoint_in_bounds_and_large_enough(
    sizes: list[tuple[int, bool, int | None]], disk_mib: int, root_grows: bool,
) -> None:
    requests = [request("/", 300, grow=root_grows)] + [
        request(f"/d{number}", size, fstype="ext4", grow=grow, maxsize_mib=ceiling)
        for number, (size, grow, ceiling) in enumerate(sizes)
    ]
    try:
        layout = plan_layout(requests, disk_mib * MIB, "gpt", "seed")
    except InputError as error:
        assert "the disk is too small" in str(error)
        assert 300 + sum(size for size, _, _ in sizes) > disk_mib - 2
        return
    end = MIB
    for part in layout.partitions:
        assert part.start_bytes == end, "no gap and no overlap"
        assert part.start_bytes % MIB == 0
        end = part.end_bytes
    assert end <= disk_mib * MIB - 33 * 512
    for wish in requests:
        placed = layout.at(wish.mountpoint)
        assert placed is not None and wish.size_mib is not None
        size_mib = placed.size_bytes // MIB
        assert size_mib >= wish.size_mib
        assert wish.grow or size_mib == wish.size_mib
        assert size_mib <= (wish.maxsize_mib or 10**9) or not wish.grow
    if root_grows:
        assert end // MIB == disk_mib - 1, "nothing is left over"


def test_fstab_is_what_anaconda_writes() -> None:
    layout = plan_layout([
        request("/", 300), request("/boot", 100, fstype="ext4"), request("/boot/efi", 60),
        request("/srv", 60, fstype="ext4", fstab_options="nosuid,nodev"), request("swap", 16),
        request("biosboot", 1),
    ], GIB, "gpt", "seed")
    named = {part.mountpoint or part.fstype: part.fs_uuid for part in layout.partitions}
    lines = [line.split() for line in fstab(layout).splitlines() if line[:1] not in ("", "#")]
    assert lines == [
        [f"UUID={named['/']}", "/", "xfs", "defaults", "0", "0"],
        [f"UUID={named['/boot']}", "/boot", "ext4", "defaults", "1", "2"],
        [f"UUID={named['/boot/efi']}", "/boot/efi", "vfat", "umask=0077,shortname=winnt", "0", "2"],
        [f"UUID={named['/srv']}", "/srv", "ext4", "nosuid,nodev", "1", "2"],
        [f"UUID={named['swap']}", "none", "swap", "defaults", "0", "0"],
    ]


def test_the_table_names_everything_that_sfdisk_would_make_up() -> None:
    layout = hybrid_layout()
    script = sfdisk_script(layout)
    assert f"label-id: {layout.disk_uuid}" in script
    assert all(f"uuid={part.part_uuid}" in script for part in layout.partitions)
