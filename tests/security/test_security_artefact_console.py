"""A guest that floods, asks for ever, or is no guest at all: noticed early, in little memory."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest

from host.errors import CheckFailedError
from host.progress import Silent
from specs.model import load
from tests.validate.disks import MIB
from validate.boot import console as consoles
from validate.boot.console import Console
from validate.boot.run import boot
from validate.boot.ssh import Ssh

KEY = b"ssh-ed25519 " + b"A" * 3000 + b"\n"


def _heard(tmp_path: Path, pieces: Iterator[bytes], **more: object) -> Console:
    """A console that was told all of it."""
    read_end, write_end = os.pipe()

    def write() -> None:
        with os.fdopen(write_end, "wb") as stream:
            for piece in pieces:
                stream.write(piece)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(read_end, "rb") as pipe:
        console = Console(pipe, tmp_path / "serial.log", "mark", **more)
        writer.join(120)
        console.join()
    return console


FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "keys": lambda: iter([b"-----BEGIN SSH HOST KEY KEYS-----\n", *[KEY] * 10_000]),
    "no line's end": lambda: iter([b"x" * 4096] * 5000),
    "newlines": lambda: iter([b"\n" * MIB] * 20),
    "escapes": lambda: iter([b"\x1b[" * (MIB // 2)] * 20),
    "questions": lambda: iter([b"Please enter passphrase for \r" * 4096] * 200),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_is_named_and_kept_in_bounds(tmp_path: Path, flood: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    console = _heard(tmp_path, FLOODS[flood]())
    assert time.monotonic() - begun < 60
    assert console.fatal in ("the guest floods its console",
                             "the guest asks for passphrases without an end")
    assert len(console.host_keys) <= 16
    assert (tmp_path / "serial.log").stat().st_size <= consoles.LOG_BYTES_MAX + (64 << 10)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 100 << 10


def test_questions_without_an_end_are_one_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consoles, "_TYPE_AFTER_S", 0.0)
    pieces = (b"\nPlease enter passphrase for disk %d: " % number for number in range(400))

    def slowly() -> Iterator[bytes]:
        for piece in pieces:
            yield piece
            time.sleep(0.002)

    # Unbuffered, so that each question is seen without its line's end.
    read_end, write_end = os.pipe()
    typed = BytesIO()
    with os.fdopen(read_end, "rb") as pipe:
        console = Console(pipe, tmp_path / "serial.log", "mark", answer=b"x",
                          keyboard=typed)
        for piece in slowly():
            os.write(write_end, piece)
        os.close(write_end)
        console.join()
    assert console.fatal in ("the guest asks for passphrases without an end",
                             "the key does not open the disk")
    assert len(console._asked) <= 13
    assert typed.getvalue().count(b"x") <= 13


@pytest.mark.integration
def test_a_bios_that_finds_an_empty_disk_ends_at_once_and_says_so(tmp_path: Path) -> None:
    disk = tmp_path / "empty.raw"
    disk.write_bytes(bytes(MIB))
    begun = time.monotonic()
    with pytest.raises(CheckFailedError, match="the firmware found nothing to boot"):
        boot(disk, "bios", load("baseline"), None, Silent())
    assert time.monotonic() - begun < 60


@pytest.mark.integration
def test_a_guest_that_says_nothing_is_given_up_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("validate.boot.run._MUTE_S", {"kvm": 3.0, "tcg": 3.0})
    disk = tmp_path / "mute.raw"
    disk.write_bytes(b"\xfa\xf4\xeb\xfd".ljust(510, b"\0") + b"\x55\xaa" + bytes(MIB - 512))
    with pytest.raises(CheckFailedError, match="nothing was said on the console"):
        boot(disk, "bios", load("baseline"), None, Silent())


@pytest.mark.integration
def test_a_guest_that_floods_its_console_is_given_up(tmp_path: Path) -> None:
    # cli; xor ax,ax; mov ds,ax; start: mov si,text; next: lodsb; test al,al; jz start;
    # mov dx,0x3f8; out dx,al; jmp next
    code = bytes.fromhex("fa31c08ed8be177cac84c074f8baf803eeebf5").ljust(0x17, b"\x90")
    disk = tmp_path / "flood.raw"
    disk.write_bytes((code + b"ssh-rsa AAAA\n\0").ljust(510, b"\0") + b"\x55\xaa" + bytes(MIB))
    begun = time.monotonic()
    with pytest.raises(CheckFailedError, match="floods its console"):
        boot(disk, "bios", load("baseline"), None, Silent())
    assert time.monotonic() - begun < 180


def test_ssh_takes_nothing_of_the_caller_s_and_offers_nothing() -> None:
    words = Ssh(Path("/nowhere"), None, Path("/key"), "x")._words()
    joined = " ".join(words)
    for wanted in ("-F /dev/null", "IdentitiesOnly=yes", "IdentityAgent=none", "-a -x",
                   "ClearAllForwardings=yes", "ControlPath=none",
                   "UserKnownHostsFile=/nowhere/known_hosts"):
        assert wanted in joined
