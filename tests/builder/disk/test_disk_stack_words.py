"""What the programs that make LUKS and LVM are told."""

from __future__ import annotations

import pytest

from builder.disk.stack import is_encrypted
from builder.disk.volumes import luks, lvm
from builder.disk.volumes.luks import Encryption
from builder.disk.volumes.lvm.making import identified
from builder.disk.volumes.lvm.model import LogicalVolume, VolumeGroup
from builder.disk.volumes.md import Array

FIXED = ["--pbkdf-force-iterations=4", "--pbkdf-memory=65536", "--pbkdf-parallel=4"]


@pytest.mark.parametrize(("version", "options", "told"), [
    ("luks2", (), ["--key-size=512", "--pbkdf=argon2id", *FIXED]),
    ("luks2", ("--pbkdf=pbkdf2",),
     ["--key-size=512", "--hash=sha256", "--pbkdf-force-iterations=600000", "--pbkdf=pbkdf2"]),
    ("luks2", ("--iter-time=100",),
     ["--key-size=512", "--pbkdf=argon2id", *FIXED[1:], "--iter-time=100"]),
    ("luks1", (), ["--key-size=512", "--hash=sha256", "--pbkdf-force-iterations=600000"]),
])
def test_what_a_passphrase_costs_does_not_depend_on_the_building_host(
    version: str, options: tuple[str, ...], told: list[str],
) -> None:
    item = Encryption.model_validate({
        "device": "/dev/vda2", "name": "x", "uuid": "y", "version": version, "options": options,
    })
    assert luks._options(item) == ["--cipher=aes-xts-plain64", *told]


def test_another_cipher_has_its_own_key_size() -> None:
    item = Encryption(device="/dev/vda2", name="x", uuid="y", cipher="aes-cbc-essiv:sha256")
    assert "--cipher=aes-cbc-essiv:sha256" in luks._options(item)
    assert not [word for word in luks._options(item) if "key-size" in word]


GROUP = VolumeGroup(
    name="my-group", devices=("/dev/mapper/inner", "/dev/md/data"),
    uuid="4d3c2b1a-0000-4000-8000-000000000001",
    volumes=(LogicalVolume(name="root", size_mib=100, uuid="11112222-3333-4444-5555-666677778888"),
             LogicalVolume(name="pv0", size_mib=8, uuid="99992222-3333-4444-5555-666677778888")),
)
TEXT = """\
creation_time = 1795239037	# Sat Nov 21 05:30:37 2026

my-group {
	id = "Me7xWx-bT9J-rAsh-8u5z-JB54-fuGe-qAgS1Y"
	physical_volumes {

		pv0 {
			id = "012345-6789-abcd-ef01-2345-6789-abcdef"
		}
	}

	logical_volumes {

		root {
			id = "G7VP88-342b-MVYF-ia6d-MYJ5-I70Z-J7ymI7"
			creation_time = 1795239033	# 2026-11-21 05:30:33 +0000

			segment1 {
				type = "striped"
			}
		}

		pv0 {
			id = "DQDjqF-erV2-WWOm-xX7e-6vLq-MHu2-SJs56b"
		}

		lvol0_pmspare {
			id = "iNmxwE-qKhx-KMBm-lY86-4sSA-L4qy-KbMVvw"
		}
	}
}
"""


def test_a_group_and_its_volumes_get_the_uuids_of_the_layout() -> None:
    text = identified(TEXT, GROUP, 1_700_000_000)
    assert text.splitlines()[3] == '\tid = "4d3c2b-1a00-0040-0080-0000-0000-000001"'
    assert '\t\tpv0 {\n\t\t\tid = "012345-6789-abcd-ef01-2345-6789-abcdef"' in text
    assert '\t\troot {\n\t\t\tid = "111122-2233-3344-4455-5566-6677-778888"' in text
    assert '\t\tpv0 {\n\t\t\tid = "999922-2233-3344-4455-5566-6677-778888"' in text
    assert "iNmxwE" not in text, "what LVM adds by itself has an id that follows from the group's"
    assert text == identified(TEXT.replace("iNmxwE", "abcdef"), GROUP, 1_700_000_000)
    assert "creation_time = 1795" not in text
    assert len(text) == len(TEXT)


def test_hyphens_in_names_are_doubled() -> None:
    assert lvm.devices(GROUP) == ("/dev/mapper/my--group-root", "/dev/mapper/my--group-pv0")


def test_what_stands_on_encryption_is_known_at_every_level() -> None:
    stack = (
        Encryption(device="/dev/vda1", name="inner", uuid="u"),
        Array(name="data", level="raid1", devices=("/dev/vda2", "/dev/vda3"), uuid="u"), GROUP,
    )
    assert is_encrypted(stack, "/dev/mapper/inner")
    assert is_encrypted(stack, "/dev/mapper/my--group-root")
    assert not is_encrypted(stack, "/dev/md/data")
    assert not is_encrypted(stack, "/dev/vda2", "/dev/vda1")
