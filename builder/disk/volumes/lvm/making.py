"""LVM inside the appliance: groups and volumes, with the UUIDs of the layout."""

from __future__ import annotations

import re
import uuid
from itertools import pairwise
from typing import TYPE_CHECKING

from builder.disk.volumes.lvm.model import LogicalVolume, VolumeGroup
from host.errors import InputError

if TYPE_CHECKING:
    from builder.disk.inside import Inside

_TEXT = "/run/ccis-group"
# The appliance is no home of these groups: nothing is monitored or remembered there. A pool just
# made needs no check, whose program the appliance has not got anyway.
_CONFIG = (
    "devices/use_devicesfile=0 backup/backup=0 backup/archive=0 activation/monitoring=0 "
    'global/thin_check_executable=""'
)
_NAMESPACE = uuid.UUID("6b0f3a35-5a0c-5d0e-9c0f-1f4fb5f0b1d2")


def make(inside: Inside, item: VolumeGroup, *, zeroed: bool, epoch: int) -> None:
    """Make the physical volumes, the group and its volumes, and activate them.

    Raises InputError when the group has no room for its volumes.
    """
    for device in item.devices:
        _lvm(inside, "pvcreate", "-ff", "--uuid", _id(_derived(item, device)), "--norestorefile",
             inside.device(device))
    _lvm(inside, "vgcreate", "--physicalextentsize", f"{item.extent_mib}m", item.name,
         *map(inside.device, item.devices))
    for volume in item.volumes:
        try:
            _lvm(inside, "lvcreate", "--name", volume.name, *_options(item, volume))
        except RuntimeError as error:
            if "insufficient free space" not in str(error) and "free extents" not in str(error):
                raise
            raise InputError(
                f"the volume group {item.name} is too small for its volume {volume.name}",
                where=item.where, why=str(error),
                remedy="make the volumes smaller or the disk larger (--disk-size, or disk_size of "
                       "the image)",
            ) from error
    _identify(inside, item, epoch)
    _lvm(inside, "vgchange", "--activate", "y", item.name)


def stop(inside: Inside, item: VolumeGroup) -> None:
    """Deactivate the group."""
    _lvm(inside, "vgchange", "--activate", "n", item.name, udev=False)


def _options(item: VolumeGroup, volume: LogicalVolume) -> list[str]:
    if volume.role == "thin":
        return ["--type", "thin", "--virtualsize", f"{volume.size_mib}m",
                "--thinpool", f"{item.name}/{volume.pool}"]
    size = ["--size", f"{volume.size_mib}m"]
    if volume.role == "linear":
        # Left asleep and as it is: there is nothing old to wipe on a new disk.
        return [*size, "--activate", "n", "--wipesignatures", "n", "--zero", "n", item.name]
    return [
        "--type", "thin-pool", *size,
        *(["--poolmetadatasize", f"{volume.metadata_mib}m"] if volume.metadata_mib else []),
        *(["--chunksize", f"{volume.chunk_kib}k"] if volume.chunk_kib else []), item.name,
    ]


def _identify(inside: Inside, item: VolumeGroup, epoch: int) -> None:
    """Give the group and its volumes the layout's UUIDs, which no command of LVM's sets.

    vgcfgrestore takes them, with the time of creation, from a description of the group; what it
    needs to be forced to is thin pools, whose own metadata knows no UUIDs.
    """
    _lvm(inside, "vgchange", "--activate", "n", item.name)
    _lvm(inside, "vgcfgbackup", "--file", _TEXT, item.name)
    text = identified(inside.run(["cat", _TEXT]), item, epoch)
    inside.run(["tee", _TEXT], stdin=text)
    _lvm(inside, "vgcfgrestore", "--force", "--file", _TEXT, item.name)
    inside.run(["rm", _TEXT])


def identified(text: str, item: VolumeGroup, epoch: int) -> str:
    """Return LVM's description of a group (vgcfgbackup) with UUIDs and times of ours."""
    uuids = {volume.name: volume.uuid for volume in item.volumes}
    head, mark, volumes = text.partition("\tlogical_volumes {\n")
    head = re.sub(r'(?m)^\tid = ".*"$', f'\tid = "{_id(item.uuid)}"', head)

    def own(found: re.Match[str]) -> str:
        name = found["name"]
        return f'{found["start"]}id = "{_id(uuids.get(name) or _derived(item, name))}"'

    volumes = re.sub(
        r'(?m)(?P<start>^\t\t(?P<name>[^\s{}]+) \{\n\t\t\t)id = ".*"$', own, volumes,
    )
    return re.sub(r"creation_time = \d+", f"creation_time = {epoch}", head + mark + volumes)


def _id(identity: str) -> str:
    """Return a UUID as LVM writes it: 32 letters and digits in groups of 6-4-4-4-4-4-6."""
    plain = identity.replace("-", "")
    return "-".join(plain[start:end] for start, end in pairwise((0, 6, 10, 14, 18, 22, 26, 32)))


def _derived(item: VolumeGroup, what: str) -> str:
    """Return the UUID of a part of the group that the layout doesn't name."""
    return str(uuid.uuid5(_NAMESPACE, f"{item.uuid}\n{what}"))


def _lvm(inside: Inside, *words: str, udev: bool = True) -> None:
    """Run one of LVM's commands; it answers its own questions with yes."""
    command, *options = words
    inside.run(
        ["lvm", command, "--yes", "--config", _CONFIG, *options],
        None if udev else {"DM_DISABLE_UDEV": "1"},
    )
