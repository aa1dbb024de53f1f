"""An image that we ship: kickstart, disk, the formats it comes in, the spec it must meet."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def parse_size(text: str) -> int:
    """Return the bytes that "10 GiB" means; raises ValueError for anything else."""
    number, _, unit = text.strip().partition(" ")
    if unit not in _UNITS or not number.isdigit() or int(number) == 0:
        raise ValueError(f"{text!r} is not a size such as '10 GiB' ({', '.join(_UNITS)})")
    return int(number) * _UNITS[unit]


class Image(BaseModel):
    """One file of images/*.yaml.

    name: how the command line calls it, equal to the file's name.
    flavour: the word in the published file names, such as GenericCloud.
    kickstart: a file in kickstarts/, the same one for every release.
    disk_size: the virtual size of the disk, such as "10 GiB".
    formats: the artefacts that a build makes unless told otherwise.
    spec: a file in specs/, without its ending.
    network_in_post: whether %post may use the network, which is then the host's own with all its
    sockets; off unless the image needs it.
    installer_arguments: what %pre and --nochroot scripts find in /proc/cmdline behind inst.ks,
    as if it had been typed at the installer's boot prompt, such as "inst.lang=de_DE role=web".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    flavour: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    summary: str
    kickstart: str
    disk_size: str
    formats: list[str] = Field(min_length=1)
    spec: str = "baseline"
    network_in_post: bool = False
    installer_arguments: str = Field(default="", pattern=r"^[^\n]*$")

    @field_validator("disk_size")
    @classmethod
    def _is_a_size(cls, value: str) -> str:
        parse_size(value)
        return value

    @property
    def disk_size_bytes(self) -> int:
        """The virtual size of the disk."""
        return parse_size(self.disk_size)
