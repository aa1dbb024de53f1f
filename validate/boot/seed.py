"""The seed of a first boot: a NoCloud disk that names the machine and brings an SSH key.

Format: cloud-init's documentation, "NoCloud": a file system labelled `cidata` with `meta-data`
and `user-data`.
"""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from host.errors import HostError
from host.run import run

_MAKERS = ("xorriso", "genisoimage", "mkisofs")


@dataclass(frozen=True)
class Seed:
    """What the guest is told. marker: what cloud-init prints on the console when it is done."""

    iso: Path
    private_key: Path
    hostname: str
    marker: str


def make_seed(folder: Path) -> Seed:
    """Write a key pair and a seed disk into `folder`; both are good for one boot only.

    Raises HostError when ssh-keygen, or a program that makes ISO images, is missing.
    """
    token = secrets.token_hex(4)
    hostname, marker = f"ccis-{token}", f"ccis-ready-{token}"
    key = folder / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", hostname, "-f", key])
    user_data = {
        "ssh_authorized_keys": [key.with_suffix(".pub").read_text(encoding="ascii").strip()],
        "final_message": marker,
    }
    content = folder / "seed"
    content.mkdir()
    (content / "meta-data").write_text(
        json.dumps({"instance-id": hostname, "local-hostname": hostname}), encoding="utf-8",
    )
    # JSON is YAML, and can't be broken by what stands in a value.
    (content / "user-data").write_text(
        f"#cloud-config\n{json.dumps(user_data)}\n", encoding="utf-8",
    )
    iso = folder / "seed.iso"
    run([*_maker(), "-quiet", "-output", iso, "-volid", "cidata", "-joliet", "-rock", content])
    return Seed(iso, key, hostname, marker)


def _maker() -> list[str]:
    for name in _MAKERS:
        if shutil.which(name):
            return [name, "-as", "genisoimage"] if name == "xorriso" else [name]
    raise HostError(
        "no program here makes ISO images", remedy="run tools/setup (Debian, CentOS: xorriso)",
    )
