"""What the scripts and scriptlets of an image may use of the host that builds it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from images.sizes import parse_size


class Bounds(BaseModel):
    """`bounds:` of images/*.yaml. One that is broken ends the build, whatever the script says.

    The defaults are several times what the largest kickstarts that we know use. They are no part
    of any digest: with other bounds, a build that succeeds makes the same.

    minutes: how long a script may run; for the package transaction, twice as long.
    processes: of a script and all that it started, at the same time; threads count.
    memory: of all of these together, with what lies in /run, /dev and /dev/shm.
    output: what a script prints.
    space, files: what a script may leave in the tree, beside what the steps before left there;
    for the package transaction, the whole tree.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    minutes: float = Field(default=30, gt=0)
    processes: int = Field(default=4096, ge=1)
    memory: str = "8 GiB"
    output: str = "64 MiB"
    space: str = "32 GiB"
    files: int = Field(default=500_000, ge=1)

    @field_validator("memory", "output", "space")
    @classmethod
    def _is_a_size(cls, value: str) -> str:
        parse_size(value)
        return value

    @property
    def time_s(self) -> float:
        """How long a script may run."""
        return self.minutes * 60

    @property
    def memory_bytes(self) -> int:
        """The memory."""
        return parse_size(self.memory)

    @property
    def output_bytes(self) -> int:
        """The output."""
        return parse_size(self.output)

    @property
    def space_bytes(self) -> int:
        """The space."""
        return parse_size(self.space)


DEFAULTS = Bounds()
