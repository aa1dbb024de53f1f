"""Guests that do not come up: noticed from the console, ended, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from host.errors import CheckFailedError, InputError
from host.kvm import kvm_works
from host.progress import Silent
from host.scratch import scratch_folder
from specs.model import Firmware, load
from tests.validate.disks import talking_disk
from validate.boot.console import Console
from validate.boot.run import boot
from validate.boot.seed import make_seed


def console_of(folder: Path, text: bytes) -> Console:
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        console = Console(pipe, folder / "serial.log", "ready-1")
        console.join()
    return console


@pytest.mark.parametrize(("line", "meaning"), [
    (b"[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs\n", "panicked"),
    (b"You are in emergency mode. After logging in, type\n", "emergency"),
    (b"Warning: Could not boot.\n", "initramfs"),
    (b"\x1b[0mgrub rescue> ", "GRUB"),
    (b"UEFI Interactive Shell v2.2\n", "UEFI"),
])
def test_a_failed_boot_is_known_by_its_words(tmp_path: Path, line: bytes, meaning: str) -> None:
    assert meaning in str(console_of(tmp_path, b"Linux version 6\n" + line).fatal)


def test_what_failed_first_is_kept_and_a_device_that_was_late_is_known(tmp_path: Path) -> None:
    late = "[ TIME ] Timed out waiting for device dev-disk-by.device - /dev/disk/by-uuid/8A58"
    other = "[DEPEND] Dependency failed for boot-efi.mount - /boot/efi."
    rest = "".join(f"[  OK  ] Reached target {number}\n" for number in range(60))
    console = console_of(
        tmp_path, f"\x1b[0;1;31m{late}\r\n{other}\n{rest}You are in emergency mode\n".encode())
    assert console.troubles == [late, other]
    assert console.waited_in_vain
    assert late not in console.tail, "it is long gone from the last lines"
    failed = console_of(tmp_path, b"[FAILED] Failed to start sshd.service.\n")
    assert len(failed.troubles) == 1 and not failed.waited_in_vain


def test_a_prompt_is_seen_though_its_line_has_no_end(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        console = Console(pipe, tmp_path / "serial.log", "ready-1")
        os.write(writing, b"error: no such device\ngrub rescue> ")
        for _ in range(100):
            if console.fatal:
                break
            time.sleep(0.05)
        seen = console.fatal
        os.close(writing)
        console.join()
    assert "GRUB" in str(seen)


def test_a_good_boot_is_not_taken_for_a_failed_one(tmp_path: Path) -> None:
    console = console_of(
        tmp_path, b"[ 1.0] panic=30 on the command line\r\n[  OK  ] Reached target Multi-User\n"
        b"cloud-init[5]: ready-1\n")
    assert console.fatal is None
    assert console.ready.is_set()


def test_host_keys_are_read_from_the_console(tmp_path: Path) -> None:
    console = console_of(
        tmp_path, b"-----BEGIN SSH HOST KEY KEYS-----\r\nssh-ed25519 AAAA+/= root@x\r\n"
        b"[   9.1] noise\n-----END SSH HOST KEY KEYS-----\nssh-rsa BBBB not-a-host-key\n")
    assert console.host_keys == ["ssh-ed25519 AAAA+/="]


def test_the_console_is_bounded_and_without_escapes(tmp_path: Path) -> None:
    console = console_of(tmp_path, b"\x1b[1;31mred\x1b[0m\n" + b"x" * 50_000)
    assert console.tail[0] == "red"
    assert all(len(line) <= 4096 for line in console.tail)


ASKED = (b"\xf0\x9f\x94\x90 Please enter passphrase for disk virtio (luks-1): "
         b"(press TAB for no echo) ")


class Asking:
    """A guest that asks for its passphrase: what it prints, and what was typed to it."""

    def __init__(self, folder: Path, answer: bytes | None) -> None:
        reading, self.printing = os.pipe()
        self.typed, typing = os.pipe()
        self.log = folder / "serial.log"
        self.console = Console(
            os.fdopen(reading, "rb"), self.log, "ready-1", keyboard=os.fdopen(typing, "wb"),
            answer=answer)

    def prints(self, text: bytes) -> None:
        os.write(self.printing, text)

    def reads(self) -> bytes:
        return os.read(self.typed, 100)


@pytest.mark.parametrize("question", [
    ASKED, b"Enter passphrase for /dev/vda3: ", b"Password (/dev/vda3): ",
    b"Enter passphrase for hd0,gpt3 (1234): ",
])
def test_a_guest_that_asks_gets_the_passphrase(tmp_path: Path, question: bytes) -> None:
    guest = Asking(tmp_path, b"open sesame")
    guest.prints(b"[  1.0] booting\n" + question)
    assert guest.reads() == b"open sesame\r"


def test_the_passphrase_is_in_no_log_though_the_guest_echoes_it(tmp_path: Path) -> None:
    guest = Asking(tmp_path, b"open sesame")
    guest.prints(ASKED)
    guest.prints(guest.reads().replace(b"\r", b"\r\n") + b"ready-1\n")
    os.close(guest.printing)
    guest.console.join()
    assert guest.console.ready.is_set()
    assert "***" in guest.log.read_text() and "sesame" not in guest.log.read_text()
    assert "sesame" not in "".join(guest.console.tail)


def test_a_guest_that_asks_again_and_again_has_another_key(tmp_path: Path) -> None:
    guest = Asking(tmp_path, b"wrong")
    for _ in range(3):
        guest.prints(ASKED)
        assert guest.reads() == b"wrong\r"
        guest.prints(b"\n")
    guest.prints(ASKED)
    os.close(guest.printing)
    guest.console.join()
    assert guest.console.fatal == "the key does not open the disk"


def test_a_question_without_a_key_is_noticed(tmp_path: Path) -> None:
    guest = Asking(tmp_path, None)
    guest.prints(ASKED)
    os.close(guest.printing)
    guest.console.join()
    assert "passphrase for disk virtio (luks-1)" in str(guest.console.unanswered)


@pytest.mark.integration
def test_an_encrypted_image_without_a_key_is_an_input_error(tmp_path: Path) -> None:
    disk = talking_disk(tmp_path / "luks.raw", "Please enter passphrase for disk vda3: ")
    with pytest.raises(InputError, match="asks for a passphrase") as caught:
        boot(disk, "bios", load("baseline"), None, Silent(), limit_s=60)
    assert "--key FILE" in str(caught.value)


def test_the_seed_is_a_nocloud_disk(tmp_path: Path) -> None:
    seed = make_seed(tmp_path)
    listed = subprocess.run(
        ["xorriso", "-indev", str(seed.iso), "-find", "/", "-type", "f"],
        capture_output=True, text=True, check=True)
    assert "'/meta-data'" in listed.stdout
    assert "'/user-data'" in listed.stdout
    assert seed.iso.read_bytes()[32808:32814].lower() == b"cidata"
    assert seed.private_key.stat().st_mode & 0o077 == 0


@pytest.mark.integration
def test_a_panic_ends_the_boot_at_once(tmp_path: Path) -> None:
    disk = talking_disk(tmp_path / "panic.raw", "Kernel panic - not syncing: no init\n")
    started = time.monotonic()
    with pytest.raises(CheckFailedError) as caught:
        boot(disk, "bios", load("baseline"), None, Silent(), limit_s=120)
    assert time.monotonic() - started < 60
    assert "the kernel panicked" in caught.value.what
    assert "not syncing: no init" in str(caught.value.why)


class Listener(Silent):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.integration
def test_an_emulated_guest_that_waited_in_vain_for_a_device_is_started_a_second_time(
    tmp_path: Path,
) -> None:
    late = "[ TIME ] Timed out waiting for device /dev/vda2."
    disk = talking_disk(tmp_path / "late.raw", f"{late}\nYou are in emergency mode\n")
    listener = Listener()
    with pytest.raises(CheckFailedError) as caught:
        boot(disk, "bios", load("baseline"), None, listener, limit_s=120)
    emulated = not kvm_works()[0]
    assert ["started again" in one for one in listener.said] == [True] * emulated
    assert str(caught.value.why).startswith(late)
    assert ("KVM" in str(caught.value.remedy)) == emulated


@pytest.mark.integration
def test_a_hanging_boot_ends_with_its_last_words(tmp_path: Path) -> None:
    disk = talking_disk(tmp_path / "hang.raw", "waiting for godot\n")
    log = tmp_path / "serial.log"
    with pytest.raises(CheckFailedError) as caught:
        boot(disk, "bios", load("baseline"), None, Silent(), limit_s=15, keep_log=log)
    assert "not done after 15 s" in caught.value.what
    assert "waiting for godot" in str(caught.value.why)
    assert b"waiting for godot" in log.read_bytes()


@pytest.mark.integration
def test_uefi_without_a_loader_is_named(tmp_path: Path) -> None:
    disk = talking_disk(tmp_path / "none.raw", "never run by UEFI\n")
    with pytest.raises(CheckFailedError, match="boot uefi"):
        boot(disk, "uefi", load("baseline"), None, Silent(), limit_s=45)


@pytest.mark.integration
def test_two_boots_at_once_do_not_meet_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CCIS_CACHE", str(tmp_path / "cache"))
    said: dict[Firmware, str] = {}

    def start(firmware: Firmware) -> None:
        disk = talking_disk(tmp_path / f"{firmware}.raw", "Kernel panic - not syncing\n")
        try:
            boot(disk, firmware, load("baseline"), None, Silent(), limit_s=30)
        except CheckFailedError as error:
            said[firmware] = str(error)

    threads = [threading.Thread(target=start, args=(one,)) for one in ("bios", "uefi")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "panicked" in said["bios"]
    assert "boot uefi" in said["uefi"]
    assert list((tmp_path / "cache/scratch/boot").iterdir()) == []
    assert processes_with(tmp_path) == []


@pytest.mark.integration
def test_a_killed_boot_leaves_no_guest_and_the_next_one_sweeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CCIS_CACHE", str(tmp_path / "cache"))
    disk = talking_disk(tmp_path / "hang.raw", "here I am\n")
    script = (
        "from pathlib import Path\nfrom host.progress import Silent\n"
        "from specs.model import load\nfrom validate.boot.run import boot\n"
        f"boot(Path({str(disk)!r}), 'bios', load('baseline'), None, Silent(), limit_s=120)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2])
    scratch = tmp_path / "cache/scratch/boot"
    while not any(b"here I am" in log.read_bytes() for log in scratch.glob("*/serial.log")):
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.wait()
    time.sleep(0.5)
    assert processes_with(tmp_path) == []
    with scratch_folder("boot") as folder:
        assert [one for one in scratch.iterdir() if one.is_dir()] == [folder]


def processes_with(path: Path) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if str(path) in line]
