"""Starts an image under QEMU, on a copy-on-write overlay, and always ends and reaps it."""

from __future__ import annotations

import json
import logging
import os
import platform
import shlex
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any

from host import block
from host.errors import HostError
from host.jail import need
from host.kvm import EMULATORS, kvm_works
from host.run import environment, going, guarded, kill_group
from specs.model import Firmware
from validate.artefact import ArtefactFacts
from validate.boot.console import Console
from validate.boot.firmware import uefi_firmware
from validate.boot.seed import Seed

log = logging.getLogger("ccis.boot")

GROWTH_BYTES = 4 << 30
"""By how much the disk is larger than the image, to prove that the root file system grows."""

SSH_PORT = 2222
"""Where the guest's sshd is, on 127.0.0.1 of the network that QEMU runs in."""

MEMORY_MIB = 2048
_STOP_S = 90.0
_TCG_CPU = {"x86_64": "max", "aarch64": "max,pauth-impdef=on"}
"""CentOS 10 needs x86-64-v3. Arm's own pointer authentication costs half the speed of TCG."""


@dataclass
class Machine:
    """A running guest. accelerator: kvm or tcg. Its sshd is at SSH_PORT inside its network."""

    process: subprocess.Popen[bytes]
    console: Console
    accelerator: str
    disk_bytes: int
    control: socket.socket

    def inside(self, argv: Sequence[str | Path]) -> list[str]:
        """Return a command line that runs in the guest's network, the only way to reach it."""
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", f"--target={self.process.pid}", "--net", *user, "--", *map(str, argv)]

    @property
    def running(self) -> bool:
        """Whether QEMU is still there."""
        return self.process.poll() is None

    def press_power_button(self) -> bool:
        """Press the ACPI power button and wait; tell whether the guest shut itself down."""
        try:
            _qmp(self.control, "system_powerdown")
        except OSError:
            return not self.running
        with suppress(subprocess.TimeoutExpired):
            return self.process.wait(_STOP_S) == 0
        return False


@contextmanager
def started(
    facts: ArtefactFacts, arch: str, firmware: Firmware, seed: Seed, folder: Path,
    passphrase: bytes | None = None,
) -> Iterator[Machine]:
    """Start an image for the block; QEMU is killed at its end, or at ours, if it still runs.

    folder: takes the overlay and serial.log. passphrase: typed on the serial console when the
    guest asks for one. Raises HostError when QEMU or firmware is missing.
    """
    emulator = EMULATORS.get(arch)
    if emulator is None or shutil.which(emulator.program) is None:
        raise HostError(
            f"there is no QEMU for {arch} on this host",
            remedy="run tools/setup (Debian: qemu-system; CentOS: qemu-kvm)",
        )
    need("ip", "nsenter", "qemu-img", "ssh", "unshare")
    kvm, reason = kvm_works()
    kvm = kvm and arch == platform.machine()
    log.debug("boot under %s: %s", "KVM" if kvm else "TCG", reason)
    disk_bytes = facts.virtual_size_bytes + GROWTH_BYTES
    overlay = folder / "disk.qcow2"
    block.overlay(overlay, facts.path.resolve(), facts.format, disk_bytes)
    # No paths in a file system, so none that is too long.
    control, theirs = socket.socketpair()
    firmware_end, their_firmware_end = socket.socketpair()
    argv = [
        emulator.program, "-nodefaults", "-no-user-config", "-display", "none",
        "-machine", emulator.machine, *(["-accel", "kvm", "-cpu", "host"] if kvm else
                                        ["-accel", "tcg,thread=multi", "-cpu", _TCG_CPU[arch]]),
        "-uuid", str(uuid.uuid4()),  # or every guest would have the same, and a machine id of it
        "-smp", str(min(2, os.cpu_count() or 1)), "-m", str(MEMORY_MIB),
        "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        *_disk("disk", block.overlay_node(overlay, facts.path.resolve(), facts.format)),
        "-device", "virtio-blk-pci,drive=disk,bootindex=1,write-cache=on",
        *_disk("seed", block.node(seed.iso, "raw")), "-device", "virtio-blk-pci,drive=seed",
        "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{SSH_PORT}-:22",
        "-device", "virtio-rng-pci", "-device", "virtio-net-pci,netdev=net,romfile=",
        "-chardev", f"socket,id=control,fd={theirs.fileno()}",
        "-mon", "chardev=control,mode=control", "-serial", "stdio",
        *_firmware(arch, firmware, folder, their_firmware_end),
    ]
    try:
        process = _start(argv, [theirs, their_firmware_end])
    finally:
        theirs.close()
        their_firmware_end.close()
    assert isinstance(process.stdout, BufferedReader)
    assert isinstance(process.stdin, BufferedWriter)
    console = Console(
        process.stdout, folder / "serial.log", seed.marker, keyboard=process.stdin,
        answer=passphrase,
    )
    going.add(process)
    said = firmware_end.makefile("rb")
    console.listen(said)
    try:
        yield Machine(process, console, "kvm" if kvm else "tcg", disk_bytes, control)
    finally:
        kill_group(process)  # before the pipes are closed, which waits for their readers
        going.discard(process)
        console.join()
        said.close()
        firmware_end.close()
        process.stdout.close()
        with suppress(OSError):
            process.stdin.close()
        control.close()


def _firmware(
    arch: str, firmware: Firmware, folder: Path, messages: socket.socket,
) -> list[str]:
    if firmware == "bios":
        if arch != "x86_64":
            raise HostError(f"there is no BIOS on {arch}", remedy="boot it by UEFI")
        # SeaBIOS tells its debug port as well what it shows on the screen (its docs, "Debugging").
        return ["-chardev", f"socket,id=firmware,fd={messages.fileno()}",
                "-device", "isa-debugcon,iobase=0x402,chardev=firmware"]
    code, template = uefi_firmware(arch)
    variables = folder / "variables.fd"
    shutil.copyfile(template, variables)
    return [
        *_disk("code", block.node(code, "raw")),
        *_disk("variables", {"driver": "raw", "file": {
            "driver": "file", "filename": str(variables)}}),
        "-machine", "pflash0=code,pflash1=variables",
    ]


def _disk(name: str, node: Mapping[str, Any]) -> list[str]:
    """Return the words that give QEMU a block node, nothing of which it has to guess."""
    return ["-blockdev", json.dumps({"node-name": name, **node})]


def _start(argv: Sequence[str], ends: Sequence[socket.socket]) -> subprocess.Popen[bytes]:
    """Start QEMU in a network of its own: with a loopback device and nothing else.

    QEMU's user network would let a guest reach whatever this host reaches: services on its
    loopback, and the metadata service with the credentials of the machine we run on.
    """
    apart = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    words = [*apart, "--", *guarded(["sh", "-c", 'ip link set lo up && exec "$@"', "sh", *argv])]
    log.debug("+ %s", shlex.join(words))
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, pass_fds=[end.fileno() for end in ends], env=environment(),
    )
    with suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
    if process.poll() is None:
        return process
    assert process.stdout is not None
    said = process.stdout.read().decode(errors="replace")
    process.stdout.close()
    raise HostError(
        "QEMU did not start", why=said.strip()[-500:],
        remedy="run as root if it may not make a network of its own; see `ccis doctor`",
    )


def _qmp(control: socket.socket, command: str) -> None:
    """Give QEMU one command of its machine protocol (QEMU's docs/interop/qmp-spec)."""
    control.settimeout(10)
    with control.makefile("rw", encoding="utf-8") as stream:
        stream.readline()
        for name in ("qmp_capabilities", command):
            stream.write(json.dumps({"execute": name}) + "\n")
            stream.flush()
            stream.readline()
