"""A release that images are made for: its repositories, keys, dialect and place on the server."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from images.record import Name

Architecture = Literal["x86_64", "aarch64", "ppc64le", "s390x"]


class SigningKey(BaseModel):
    """A public key that signs packages: fetched from `url`, trusted by `fingerprint` alone.

    A rehearsal's key is made on this host, so its fingerprint can't be known here: there the
    file itself, in the user's own cache, is what is trusted, and `fingerprint` is absent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    fingerprint: str | None = Field(default=None, pattern=r"^[0-9A-F]{40}$")


class Repository(BaseModel):
    """A package repository and the mirrors that serve it, tried in this order.

    `{arch}` and `{rehearsal}` in a URL stand for the architecture and the folder of the
    rehearsal distribution.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    mirrors: list[str] = Field(min_length=1)
    signed_metadata: bool = False


class Release(BaseModel):
    """One file of images/releases/*.yaml.

    distribution: how published file names begin, such as CentOS-Stream.
    dialect: the version of the kickstart language, as pykickstart names it (RHEL10).
    public_path: the folder below the release tree's root, such as centos/10-stream.
    rpm_database: where the target's rpm keeps its database.
    xfs_options: what mkfs.xfs must be told so that the target's kernel and GRUB can read it.
    rehearsal: made on this host by `ccis rehearsal`, not by CentOS.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    distribution: Name
    version: Name
    dialect: str
    public_path: str
    rpm_database: Literal["/usr/lib/sysimage/rpm", "/var/lib/rpm"]
    architectures: list[Architecture] = Field(min_length=1)
    key: SigningKey
    repositories: list[Repository] = Field(min_length=1)
    composes: str | None = None
    xfs_options: list[str] = []
    rehearsal: bool = False
