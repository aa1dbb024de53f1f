"""Proofs by a plain command in the guest, and on packages by rpm itself."""

from __future__ import annotations

from host.patterns import pattern
from specs.kinds.guest import GuestCommand, GuestPackages
from validate.boot.guest import Guest
from validate.checks.packages import compare
from validate.registry import Finding, proves

_RPM = "rpm -qa"


@proves(GuestCommand, asks=lambda check: [check.run])
def guest_command(check: GuestCommand, guest: Guest) -> Finding:
    """Compare what it printed."""
    answer = guest.answer(check.run)
    expected = [f"`{check.run}` prints"]
    expected.append("nothing" if check.empty else " and ".join(check.matches) or "anything")
    good = check.status is None or answer.status == check.status
    if check.status is not None:
        expected.append(f"and ends with {check.status}")
    if check.empty:
        good = good and not answer.output
    good = good and all(pattern(f"(?m){one}").search(answer.output) for one in check.matches)
    found = answer.output or "nothing"
    if answer.status != (check.status or 0):
        found += f" (status {answer.status})"
    return Finding(good, found, " ".join(expected))


@proves(GuestPackages, asks=lambda _check: [_RPM])
def guest_packages(check: GuestPackages, guest: Guest) -> Finding:
    """Compare rpm's own list with build.json."""
    if guest.record is None:
        return Finding(None, "no build.json was given", "the packages of build.json")
    answer = guest.answer(_RPM)
    if answer.status != 0:
        return Finding(False, f"rpm -qa: {answer.output}", "the packages of build.json")
    return compare(guest.record, answer.output.splitlines())
