"""Starts an image and proves a spec's boot rules on it."""

from __future__ import annotations

import platform
import time
from datetime import date
from pathlib import Path

from host.errors import CheckFailedError, InputError
from host.progress import Progress
from host.scratch import scratch_folder
from images.record import BuildRecord
from specs.kinds.guest import GuestUser
from specs.model import Firmware, Rule, Spec
from validate.artefact import inspect, unreadable
from validate.boot.guest import Guest
from validate.boot.qemu import Machine, started
from validate.boot.seed import Seed, make_seed
from validate.boot.ssh import Ssh
from validate.judge import judge
from validate.key import Key
from validate.registry import questions
from validate.report import Report, result, waived

LIMIT_S = {"kvm": 240.0, "tcg": 900.0}
"""From power-on to the end of cloud-init: a minute on an idle host under TCG, and much more on
one that does other work as well."""

_POLL_S = 1.0
_SILENT_CONSOLE_S = 120.0
_MUTE_S = {"kvm": 90.0, "tcg": 300.0}
"""A loader or a kernel has said something by then, or never will: GRUB does so within seconds."""
# Whom cloud-init makes on Enterprise Linux, where it is not who the spec expects.
_DEFAULT_USERS = (
    "cloud-user", "ec2-user", "centos", "rocky", "almalinux", "opc", "azureuser", "fedora",
    "vagrant",
)
_DONE = "cloud-init status --wait >/dev/null 2>&1; echo done"


class _TooSlowError(CheckFailedError):
    """An emulated guest waited for a device in vain: for 90 s (systemd.device(5))."""


def boot(
    artefact: Path, firmware: Firmware, spec: Spec, record: BuildRecord | None,
    progress: Progress, *, limit_s: float | None = None, keep_log: Path | None = None,
    key: Key | None = None,
) -> Report:
    """Start an artefact by one firmware and check the rules of the tier `boot`.

    The artefact stays untouched: an overlay takes the changes. Two boots may run at once.
    record: the build.json of its build. limit_s: time for the boot, instead of LIMIT_S.
    keep_log: where to copy the serial console to, whatever happens.
    key: typed when the guest asks for the passphrase of its disk.
    An emulated guest that waited in vain for a device is started a second time, which is said.
    Raises InputError when the guest asks for a passphrase and there is no key that can be typed,
    or it names other files.
    Raises CheckFailedError, with the console's last lines, when the guest does not get to the
    end of cloud-init or can't be reached; HostError when QEMU or the firmware is missing.
    """
    begun = time.monotonic()
    step = f"boot {firmware}"
    progress.start(step, limit_s, "s")
    facts = inspect(artefact)
    if not facts.self_contained:
        raise InputError("names other files, so it is not started", where=str(artefact))
    if broken := unreadable(facts):
        raise InputError("can't be started", where=str(artefact), why=broken)
    passphrase = key.typed if key else None
    arch = record.arch if record else platform.machine()
    rules = spec.of_tier("boot")
    applying = [
        rule for rule in rules if rule.applies_to.covers(
            arch=arch, image_format=facts.format, shape="disk", firmware=firmware,
            version=record.version if record else None,
            rehearsal=record is not None and record.is_rehearsal,
        )
    ]

    def once() -> tuple[Guest, str]:
        with scratch_folder("boot") as folder:
            seed = make_seed(folder)
            try:
                with started(facts, arch, firmware, seed, folder, passphrase) as machine:
                    started_s = time.time()
                    ssh = Ssh(folder, machine, seed.private_key, _user(spec))
                    _wait(machine, ssh, limit_s or LIMIT_S[machine.accelerator], progress, step)
                    guest = _examine(machine, ssh, seed, applying, firmware, started_s, record)
                    progress.advance(step, time.monotonic() - begun, "power button")
                    guest.shut_down = machine.press_power_button()
                    return guest, machine.accelerator
            finally:
                if keep_log is not None and (folder / "serial.log").exists():
                    keep_log.write_bytes((folder / "serial.log").read_bytes())

    try:
        guest, accelerator = once()
    except _TooSlowError as error:
        progress.say(f"{step}: {error.what}; emulated, and on a busy host, it may only have been "
                     "slow: it is started again")
        guest, accelerator = once()
    results = [
        judge(rule, guest) if rule in applying else result(rule, None) for rule in rules
    ]
    results = waived(results, spec.waivers, date.today())
    progress.finish(step, note=f"{sum(one.status == 'passed' for one in results)} passed")
    return Report(
        artefact=artefact.name, spec=spec.name, firmware=firmware, accelerator=accelerator,
        duration_s=time.monotonic() - begun, results=results,
        labels=[label.text for label in record.labels] if record else [],
    )


def _user(spec: Spec) -> str:
    """Return the user that the spec expects cloud-init to make."""
    names = [rule.check.name for rule in spec.rules if isinstance(rule.check, GuestUser)]
    return names[0] if names else "cloud-user"


def _wait(
    machine: Machine, ssh: Ssh, limit_s: float, progress: Progress, step: str,
) -> None:
    """Wait until cloud-init is done; a guest that fails, ends or is late is an error at once.

    cloud-init says on the console that it is done. Where an image does not let it say so, its
    login prompt and a while of silence are taken for the same, and it is asked over SSH.
    """
    begun = time.monotonic()
    prompt_at: float | None = None
    while not machine.console.ready.wait(_POLL_S):
        spent_s = time.monotonic() - begun
        progress.advance(step, spent_s, machine.console.last_line.strip()[:120])
        if machine.console.unanswered:
            raise InputError(
                f"{step}: the guest asks for a passphrase", why=machine.console.unanswered,
                remedy="give the file that holds it: --key FILE",
            )
        if machine.console.fatal:
            raise _failed(machine, machine.console.fatal, step)
        if not machine.running:
            raise _failed(machine, "QEMU ended by itself", step)
        if not machine.console.last_line and spent_s > _MUTE_S[machine.accelerator]:
            raise _failed(machine, f"nothing was said on the console for {spent_s:.0f} s", step)
        if spent_s > limit_s:
            raise _failed(machine, f"cloud-init was not done after {limit_s:.0f} s", step)
        if prompt_at is None and machine.console.prompt:
            prompt_at = spent_s
        if prompt_at is not None and spent_s - prompt_at > _SILENT_CONSOLE_S:
            break
    while True:
        late = time.monotonic() - begun > limit_s
        status, said = ssh.say(_DONE, timeout_s=max(limit_s - (time.monotonic() - begun), 90.0))
        if status == 0:
            return
        if not machine.running:
            raise _failed(machine, "QEMU ended by itself", step)
        if machine.console.fatal:
            raise _failed(machine, machine.console.fatal, step)
        if "Permission denied" in said and (other := _let_in(ssh)):
            ssh.user = other  # the image's own default user; the rules say whether it may be
            continue
        # Once cloud-init is done, whoever is not let in will never be.
        if late or (machine.console.ready.is_set() and "Permission denied" in said):
            raise _failed(machine, f"{ssh.user} can't log in: {said.strip()[-300:]}", step)
        time.sleep(_POLL_S)


def _let_in(ssh: Ssh) -> str | None:
    """Return a usual default user that takes the key, None when none does."""
    return next((user for user in _DEFAULT_USERS if user != ssh.user and ssh.lets_in(user)), None)


def _failed(machine: Machine, why: str, step: str) -> CheckFailedError:
    console = machine.console
    tail = "\n".join(console.tail) or "(nothing)"
    first = "".join(f"{line}\n" for line in console.troubles)
    said = f"{first}the serial console's last lines:\n{tail}"
    if machine.accelerator == "tcg" and console.waited_in_vain:
        return _TooSlowError(
            f"{step}: {why}", why=said,
            remedy="where the device is in the image, this host is too busy to emulate a machine: "
                   "start fewer at a time, or on a host with KVM",
        )
    return CheckFailedError(f"{step}: {why}", why=said)


def _examine(
    machine: Machine, ssh: Ssh, seed: Seed, rules: list[Rule], firmware: Firmware,
    started_s: float, record: BuildRecord | None,
) -> Guest:
    commands = [command for rule in rules for command in questions(rule.check)]
    as_root, answers = ssh.ask(commands)
    return Guest(
        firmware=firmware, hostname=seed.hostname, user=ssh.user,
        public_key=seed.private_key.with_suffix(".pub").read_text(encoding="ascii").strip(),
        answers=answers, as_root=as_root,
        ways_in={user: ssh.ways_in(user) for user in ("root", ssh.user)},
        console_keys=machine.console.host_keys, connected_key=ssh.learned_key,
        disk_bytes=machine.disk_bytes, started_s=started_s, record=record,
    )
