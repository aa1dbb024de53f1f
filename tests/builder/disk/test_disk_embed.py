"""The boot sectors, byte by byte, as grub-bios-setup writes them."""

from __future__ import annotations

import pytest

from builder.disk.embed import boot_patches
from builder.disk.layout import plan_layout
from host.errors import InputError
from tests.builder.disk.disk_trees import MIB, hybrid_layout, request


def boot_img() -> bytes:
    """All bytes distinct from what is patched; an MBR signature at the end."""
    return b"\xeb\x63" + bytes([0x77]) * 508 + b"\x55\xaa"


def core_img(sectors: int) -> bytes:
    """A core image: diskboot.img's block list, then sectors that say their number."""
    blocks = (2).to_bytes(8, "little") + (sectors - 1).to_bytes(2, "little") + b"\x20\x08"
    first = bytes(500) + blocks
    return first + b"".join(bytes([number % 251]) * 512 for number in range(1, sectors))


def test_boot_sector_of_a_gpt() -> None:
    [(offset, boot), (core_offset, core)] = boot_patches(hybrid_layout(), boot_img(), core_img(9))
    assert offset == 0
    assert len(boot) == 440, "the disk signature and the table stay as they are"
    assert boot[:3] == b"\xeb\x63\x77"
    assert boot[0x03:0x5A] == bytes(0x57), "no BIOS parameter block"
    assert boot[0x5C:0x64] == (2048).to_bytes(8, "little"), "core.img is at 1 MiB"
    assert boot[0x64:0x66] == b"\x77\x77"
    assert boot[0x66:0x68] == b"\x90\x90", "the workaround for wrong drive numbers is on"
    assert boot[0x68:] == bytes([0x77]) * (440 - 0x68)
    assert core_offset == MIB
    assert core[0x1F4:0x1FC] == (2049).to_bytes(8, "little"), "its second sector is the next one"
    assert core[0x1FC:] == core_img(9)[0x1FC:]
    assert core[:0x1F4] == core_img(9)[:0x1F4]


def test_the_gap_behind_an_mbr() -> None:
    [(_, boot), (core_offset, core)] = boot_patches(
        hybrid_layout(table="msdos"), boot_img(), core_img(9),
    )
    assert core_offset == 512
    assert boot[0x5C:0x64] == (1).to_bytes(8, "little")
    assert core[0x1F4:0x1FC] == (2).to_bytes(8, "little")


def test_a_core_image_may_fill_the_room_and_no_more() -> None:
    boot_patches(hybrid_layout(), boot_img(), core_img(2048))
    with pytest.raises(InputError, match=r"does not fit.*1049088 bytes, the room for it 1048576"):
        boot_patches(hybrid_layout(), boot_img(), core_img(2049))
    boot_patches(hybrid_layout(table="msdos"), boot_img(), core_img(2047))
    with pytest.raises(InputError, match="does not fit"):
        boot_patches(hybrid_layout(table="msdos"), boot_img(), core_img(2048))


def test_a_gpt_without_bios_boot_partition_says_what_to_add() -> None:
    layout = plan_layout([request("/", 300)], 512 * MIB, "gpt", "seed")
    with pytest.raises(InputError, match="part biosboot --fstype=biosboot"):
        boot_patches(layout, boot_img(), core_img(9))


@pytest.mark.parametrize(("boot", "core"), [
    (boot_img()[:-2] + b"??", core_img(9)), (boot_img() + b"x", core_img(9)),
    (boot_img(), core_img(9)[:-512]), (boot_img(), b""), (boot_img(), bytes(5000)),
])
def test_other_bytes_are_refused(boot: bytes, core: bytes) -> None:
    with pytest.raises(InputError, match="is not"):
        boot_patches(hybrid_layout(), boot, core)
