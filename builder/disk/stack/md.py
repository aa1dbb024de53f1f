"""Software RAID. The kernel gives each member a random id; all else is as told."""

from __future__ import annotations

from builder.disk.inside import Inside
from builder.disk.model import Array

title = "software RAID"
programs = {"mdadm": "mdadm"}

_MODULES = {
    "linear": "linear", "0": "raid0", "1": "raid1", "4": "raid456", "5": "raid456",
    "6": "raid456", "10": "raid10",
}
# Lowest to highest: levels that have no redundancy have nothing to record in a bitmap.
_WITHOUT_BITMAP = ("0", "linear")


def modules(item: Array) -> tuple[str, ...]:
    """Return the kernel modules that it needs."""
    return ("md_mod", _MODULES[_level(item)])


def devices(item: Array) -> tuple[str, ...]:
    """Return what the array is called in the guest."""
    return (f"/dev/md/{item.name}",)


def make(inside: Inside, item: Array, *, zeroed: bool, epoch: int) -> None:
    """Create the array.

    Members of zeroes are in step from the start, parity included, so nothing is synchronised;
    where they hold noise, the kernel does that once the guest runs. The home host `any` makes
    every machine take the array for its own: it is /dev/md/NAME there and not /dev/md/NAME_0
    (mdadm(8), --homehost).
    """
    level = _level(item)
    options = [f"--metadata={item.metadata}", f"--uuid={item.uuid}"]
    if item.metadata.startswith("1"):  # 0.90 knows no names
        options += [f"--name={item.name}", "--homehost=any"]
    if level not in _WITHOUT_BITMAP:
        options.append("--bitmap=internal")
        options += ["--assume-clean"] if zeroed else []
    if item.chunk_kib and level not in ("1", "linear"):
        options.append(f"--chunk={item.chunk_kib}")
    active = len(item.devices) - item.spares
    inside.run([
        "mdadm", "--create", f"/dev/md/{item.name}", "--run", "--quiet", f"--level={level}",
        f"--raid-devices={active}", *([f"--spare-devices={item.spares}"] if item.spares else []),
        *options, *map(inside.device, item.devices),
    ])


def stop(inside: Inside, item: Array) -> None:
    """Stop it, which marks it as clean."""
    inside.run(["mdadm", "--stop", f"/dev/md/{item.name}"])


def _level(item: Array) -> str:
    """Return the level as mdadm's number or word, from `raid1`, `RAID1` or `1`."""
    return item.level.lower().removeprefix("raid")
