"""What boot checks see of a started image: answers to shell commands, and what was seen outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from host.errors import InputError
from images.record import BuildRecord
from specs.model import Firmware


@dataclass(frozen=True)
class Answer:
    """What a command printed, without spaces at both ends, and its exit status."""

    output: str
    status: int


@dataclass
class Guest:
    """A started image.

    answers: by command, run as root. as_root: whether the user could use sudo to become root.
    user: who came in over SSH. ways_in: by user, the ways to log in that sshd offers.
    console_keys: public host keys from the console; connected_key: the one that sshd proved.
    started_s: when QEMU was started, seconds since 1970. shut_down: what the power button did.
    """

    firmware: Firmware
    hostname: str
    user: str
    public_key: str
    answers: Mapping[str, Answer]
    as_root: bool
    ways_in: Mapping[str, list[str]]
    console_keys: list[str]
    connected_key: str
    disk_bytes: int
    started_s: float
    shut_down: bool | None = None
    record: BuildRecord | None = None

    def answer(self, command: str) -> Answer:
        """Return what a command said; raises InputError when the guest did not get to it."""
        if command not in self.answers:
            raise InputError(f"the guest did not answer: {command}")
        return self.answers[command]
