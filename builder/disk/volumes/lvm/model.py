"""LVM as data: what is asked for, and what stands in the layout."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from builder.disk.requests import Request, SizedRequest
from builder.disk.volume import Item


class GroupRequest(Request):
    """One `volgroup` line; reserved_…: the room that logical volumes leave free."""

    name: str
    members: tuple[str, ...]
    extent_kib: int = 4096
    reserved_mib: int = 0
    reserved_percent: int = 0
    where: str


class LogicalVolumeRequest(SizedRequest):
    """One `logvol` line.

    percent: how much of what fixed sizes leave of the group, or of the pool, it grows by.
    pool: the thin pool that a thin volume lives in.
    """

    name: str
    group: str
    percent: int | None = None
    role: Literal["linear", "thinpool", "thin"] = "linear"
    pool: str | None = None
    metadata_mib: int | None = None
    chunk_kib: int | None = None


class LogicalVolume(BaseModel):
    """One logical volume: /dev/mapper/GROUP-NAME, hyphens within the names doubled.

    role: a thin volume lives in the thin pool named by `pool`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    size_mib: int
    role: Literal["linear", "thinpool", "thin"] = "linear"
    pool: str | None = None
    metadata_mib: int | None = None
    chunk_kib: int | None = None
    uuid: str


class VolumeGroup(Item):
    """An LVM volume group on `devices` and its logical volumes, pools before what is in them."""

    kind: Literal["lvm"] = "lvm"
    name: str
    devices: tuple[str, ...]
    extent_mib: int = 4
    volumes: tuple[LogicalVolume, ...]
    uuid: str

    def device_of(self, volume: str) -> str:
        """Return the name of a logical volume's device: hyphens within names are doubled."""
        doubled = (name.replace("-", "--") for name in (self.name, volume))
        return "/dev/mapper/" + "-".join(doubled)
