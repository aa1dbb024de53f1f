"""What the disk formats are made with: stretches, checksums, work in order on all processors."""

from __future__ import annotations

import threading
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.formats.disk_files.blocks import runs
from builder.formats.disk_files.identity import Identity
from builder.formats.streams.checksums import combined, crc32c
from builder.formats.streams.parallel import ordered
from host.cost import measured

BYTES = st.lists(st.sampled_from([0, 0, 0, 7]), max_size=80).map(bytes)


@given(BYTES, st.sampled_from([2, 4, 8]))
def test_stretches_are_all_that_is_not_zeroes_in_whole_units(data: bytes, unit: int) -> None:
    data = data[:len(data) // unit * unit]
    inside = {at for start, end in runs(data, unit) for at in range(start, end, unit)}
    assert inside == {at for at in range(0, len(data), unit) if any(data[at:at + unit])}
    ends = [end for _, end in runs(data, unit)]
    starts = [start for start, _ in runs(data, unit)]
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False)), "none touch"


@given(st.binary(), st.binary())
def test_the_crc_of_two_pieces_follows_from_the_crc_of_each(one: bytes, other: bytes) -> None:
    assert combined(zlib.crc32(one), zlib.crc32(other), len(other)) == zlib.crc32(one + other)


def test_crc32c_of_the_rfc() -> None:
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert crc32c(bytes(range(32))) == 0x46DD794E


def test_an_id_follows_from_content_place_time_and_purpose() -> None:
    def of(purpose: str, epoch: int, number: int, data: bytes) -> str:
        ids = Identity(purpose, 1 << 30, epoch)
        ids.see(number, data)
        return str(ids.uuid("disk"))

    first = of("vdi", 1, 0, b"a")
    assert first == of("vdi", 1, 0, b"a")
    assert len({first, of("vhd", 1, 0, b"a"), of("vdi", 2, 0, b"a"), of("vdi", 1, 1, b"a"),
                of("vdi", 1, 0, b"b")}) == 5
    assert first[14] == "4", "as a random one"


def test_results_come_in_order_from_several_threads_that_count_as_ours() -> None:
    threads = set()

    def work(number: int) -> int:
        threads.add(threading.get_ident())
        until_s = time.thread_time() + 0.01
        while time.thread_time() < until_s:
            pass
        time.sleep(0.01 if number % 2 else 0)
        return number * number

    with measured() as cost:
        assert list(ordered(work, range(20))) == [number * number for number in range(20)]
    assert threading.get_ident() not in threads
    assert cost.cpu_s >= 0.2


def test_a_failure_ends_the_work_at_once() -> None:
    begun = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise OSError(28, "No space left on device")
        return number

    with pytest.raises(OSError, match="No space left"):
        list(ordered(work, range(100_000)))
    assert len(begun) < 1000
