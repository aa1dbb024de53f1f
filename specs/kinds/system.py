"""Checks on systemd's units, accounts and SELinux labels."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from specs.kind import Check, GuestGlob, GuestPath, Names


class UnitEnabled(Check):
    """Each unit is wanted or required by another and not masked; "a|b": either of them."""

    kind: Literal["unit_enabled"] = "unit_enabled"
    units: Names


class UnitOff(Check):
    """No unit wants or requires these (not there, masked or disabled are all fine)."""

    kind: Literal["unit_off"] = "unit_off"
    units: Names


class PasswordsLocked(Check):
    """No account in /etc/shadow can be entered with a password, an empty one least of all."""

    kind: Literal["passwords_locked"] = "passwords_locked"


class Accounts(Check):
    """Only root has user number 0, and no account for a person is there before first boot.

    first_person_uid: persons' accounts begin here (login.defs(5), UID_MIN).
    last_person_uid: and end here; above are nobody and the like.
    """

    kind: Literal["accounts"] = "accounts"
    first_person_uid: Annotated[int, Field(gt=0)] = 1000
    last_person_uid: Annotated[int, Field(gt=0)] = 60000


class SelinuxLabels(Check):
    """Every file carries an SELinux label, and these paths the type given.

    unlabelled_ok: paths that nobody labels, such as file systems that can't hold a label.
    """

    kind: Literal["selinux_labels"] = "selinux_labels"
    types: dict[GuestPath, Annotated[str, Field(pattern=r"^[a-z0-9_]+_t(\|[a-z0-9_]+_t)*$")]]
    unlabelled_ok: tuple[GuestGlob, ...] = ()
