"""Checks on accounts, owners and what lies in homes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from specs.kind import Check, GuestGlob, Names


class AccountsConsistent(Check):
    """passwd, group, shadow and gshadow agree: names and numbers once, groups and lines there."""

    kind: Literal["accounts_consistent"] = "accounts_consistent"


class AccountShells(Check):
    """Accounts below first_person_uid have one of these shells, but for `others`."""

    kind: Literal["account_shells"] = "account_shells"
    shells: Names
    others: tuple[str, ...] = ()
    first_person_uid: Annotated[int, Field(gt=0)] = 1000


class AccountIds(Check):
    """These accounts have these numbers; one that is not there is fine, but for root."""

    kind: Literal["account_ids"] = "account_ids"
    ids: dict[str, Annotated[int, Field(ge=0)]] = Field(min_length=1)


class AccountsPeople(Check):
    """The accounts for people are exactly these, with this number, shell, and no password."""

    kind: Literal["accounts_people"] = "accounts_people"
    name: str
    uid: Annotated[int, Field(gt=0)]
    shell: str


class OwnersKnown(Check):
    """Every owner and group of a file is in passwd and group, and not above `max`."""

    kind: Literal["owners_known"] = "owners_known"
    max: int | None = None


class HomeFiles(Check):
    """In no account's home is there anything that matches; paths are from the home."""

    kind: Literal["home_files"] = "home_files"
    absent: list[Annotated[str, Field(pattern=r"^[^/].*$")]] = Field(min_length=1)
    homes_without: tuple[str, ...] = ()


class NoSecrets(Check):
    """No file below these folders holds a private key, a cloud's key or a password.

    allow: paths that may, such as a package's test key.
    """

    kind: Literal["no_secrets"] = "no_secrets"
    below: list[GuestGlob] = Field(min_length=1)
    allow: tuple[GuestGlob, ...] = ()
