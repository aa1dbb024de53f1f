"""Talks to a started image over SSH, with OpenSSH's client: many questions, one connection."""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from host.errors import HostError
from host.jail import bounded
from host.patterns import number, pattern
from host.run import run
from validate.boot.guest import Answer
from validate.boot.qemu import SSH_PORT, Machine

_CONNECT_S = 60
_COMMAND_S = 90
_BATCH_S = 600
_OUTPUT_BYTES_MAX = 256 << 10
_ALL_BYTES_MAX = 32 << 20


class Ssh:
    """The way to one guest. The first connection learns its host key, later ones insist on it."""

    def __init__(self, folder: Path, machine: Machine, key: Path, user: str) -> None:
        self._known_hosts = folder / "known_hosts"
        self._machine = machine
        self._key = key
        self.user = user

    @property
    def learned_key(self) -> str:
        """The host key ("type base64") that sshd proved to have; "" before a connection."""
        if not self._known_hosts.exists():
            return ""
        words = self._known_hosts.read_text(encoding="ascii").split()
        return " ".join(words[1:3])

    def say(self, command: str, *, stdin: str | None = None, timeout_s: float) -> tuple[int, str]:
        """Run a command as the user; return its status and its output.

        A guest that can't be reached, or does not answer within timeout_s, gives status 255.
        """
        try:
            done = run(
                self._inside([*self._with_key(self.user), command]),
                stdin=stdin, timeout_s=timeout_s, check=False,
            )
        except HostError as error:
            if "did not end" not in error.what:
                raise
            return 255, error.what
        return done.status, done.stdout if done.status == 0 else done.stdout + done.stderr

    def lets_in(self, user: str) -> bool:
        """Say whether another user than ours takes the key."""
        done = run(
            self._inside([*self._with_key(user), "true"]), timeout_s=_CONNECT_S, check=False,
        )
        return done.status == 0

    def ways_in(self, user: str) -> list[str]:
        """Return the ways to log in that sshd offers to whoever shows nothing (RFC 4252, 5.2)."""
        done = run(
            self._inside([
                *self._words(), "-o", "PreferredAuthentications=none", "-o", "BatchMode=yes",
                "-o", "PubkeyAuthentication=no", f"{user}@127.0.0.1", "true"]),
            timeout_s=_CONNECT_S, check=False,
        )
        if done.status == 0:
            return ["none"]
        match = pattern(r"Permission denied \(([^)]*)\)").search(done.stderr)
        return match[1].split(",") if match else [f"unknown: {done.stderr.strip()[-200:]}"]

    def ask(self, commands: Iterable[str]) -> tuple[bool, dict[str, Answer]]:
        """Run commands as root in one go; return whether sudo worked, and the answers.

        Without sudo they are run as the user, so that a report says as much as can be said.
        """
        listed = list(dict.fromkeys(commands))
        mark = secrets.token_hex(8)
        script = _script(listed, mark)
        status, output = self.say(
            "if sudo -n true; then exec sudo -n bash -s; else exec bash -s; fi",
            stdin=script, timeout_s=_BATCH_S,
        )
        lines = output.split("\n")
        return status == 0 and f"{mark} root" in lines, dict(_answers(listed, mark, lines))

    def _with_key(self, user: str) -> list[str]:
        return [
            *self._words(), "-o", "PreferredAuthentications=publickey", "-o", "BatchMode=yes",
            "-i", str(self._key), f"{user}@127.0.0.1",
        ]

    def _inside(self, words: list[str]) -> list[str]:
        return self._machine.inside(bounded(words, _ALL_BYTES_MAX))

    def _words(self) -> list[str]:
        return [
            "ssh", "-F", "/dev/null", "-T", "-p", str(SSH_PORT),
            "-o", f"UserKnownHostsFile={self._known_hosts}", "-o", "GlobalKnownHostsFile=/dev/null",
            "-o", "StrictHostKeyChecking=accept-new", "-o", "UpdateHostKeys=no",
            "-o", "HashKnownHosts=no", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR",
            # Nothing of ours is offered to the guest, and no connection is shared with others.
            "-a", "-x", "-o", "IdentityAgent=none", "-o", "ClearAllForwardings=yes",
            "-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "GSSAPIAuthentication=no",
            "-o", f"ConnectTimeout={_CONNECT_S}", "-o", "ServerAliveInterval=20",
        ]


def _script(commands: list[str], mark: str) -> str:
    """Return a shell script that runs each command apart, bounded in time and in output.

    Commands and answers travel in base64, so that neither can be mistaken for the frame.
    """
    lines = [f'[ "$(id -u)" = 0 ] && echo {mark} root', "export LC_ALL=C.UTF-8 SYSTEMD_PAGER="]
    for place, command in enumerate(commands):
        packed = base64.b64encode(command.encode()).decode()
        lines += [
            f"echo {mark} {place}",
            f'timeout {_COMMAND_S} bash -o pipefail -c "$(echo {packed} | base64 -d)" 2>&1 '
            f"</dev/null | head -c {_OUTPUT_BYTES_MAX} | base64",
            f'echo "{mark} end ${{PIPESTATUS[0]}}"',
        ]
    return "\n".join([*lines, "exit 0"]) + "\n"


def _answers(
    commands: Sequence[str], mark: str, lines: Iterable[str],
) -> Iterator[tuple[str, Answer]]:
    """Yield each command with its answer, as _script() frames them; what has no frame is lost.

    The guest has read the mark, and may say anything.
    """
    command, packed = None, []
    for line in lines:
        words = line.split(" ")
        if words[0] != mark:
            packed.append(line)
            continue
        if words[1:2] == ["end"] and len(words) == 3 and command is not None:
            code, text = number(words[2]), _decoded("".join(packed))
            if code is not None and text is not None:
                yield command, Answer(text, code)
        place = number(words[1]) if len(words) == 2 else None
        command = commands[place] if place is not None and place < len(commands) else None
        packed = []


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace").strip()
    except binascii.Error:
        return None
