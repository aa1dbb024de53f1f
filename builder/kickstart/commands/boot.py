"""bootloader and zipl: what starts the kernel; the step `bootloader` reads most of it."""

from __future__ import annotations

import hashlib

from builder.kickstart.model import Kickstart
from builder.kickstart.registry import after_all, honoured_by, meaningless
from builder.tree.tree import Tree
from host.errors import InputError

_ONE_DISK = "an image has one disk, and the boot loader is on it"
_ROUNDS = 10_000

honoured_by(
    "bootloader", "bootloader",
    meaningless={
        "--boot-drive": _ONE_DISK, "--driveorder": _ONE_DISK,
        "--leavebootorder": "the boot order is a setting of the machine, not of its disk",
        "--default": "the newest kernel is the default",
    },
    refused={
        "--nombr": "the image would not start by BIOS; --location=none leaves out the boot loader",
        "--extlinux": "the boot loader is GRUB", "--sdboot": "the boot loader is GRUB",
        "--upgrade": "the builder always installs anew",
        "--md5pass": "GRUB 2 takes no MD5 passwords; use --password",
    },
)
meaningless("secure boot of a mainframe is a setting of the machine", "zipl")


@after_all
def password(kickstart: Kickstart, tree: Tree) -> None:
    """`bootloader --password` writes /boot/grub2/user.cfg, as grub2-setpassword does.

    A plain password is hashed by PBKDF2 with 10,000 rounds, as grub2-mkpasswd-pbkdf2 does; the
    salt is that of the build, so that two builds are the same. Raises InputError for
    --location=partition: its sectors are not there before the file system is.
    """
    commands = kickstart.find("bootloader")
    if not commands:
        return
    data = commands[-1].data
    if data.location in ("partition", "boot"):
        raise InputError(
            f"bootloader --location={data.location} is not honoured", where=commands[-1].where,
            remedy="mbr puts it where BIOS looks; none leaves it out",
        )
    text = data.password or ""
    if not text:
        return
    if not (data.isCrypted or text.startswith("grub.pbkdf2.")):
        salt = hashlib.sha512(f"grub {tree.sandbox.epoch}".encode()).digest()
        key = hashlib.pbkdf2_hmac("sha512", text.encode(errors="surrogateescape"), salt, _ROUNDS)
        text = f"grub.pbkdf2.sha512.{_ROUNDS}.{salt.hex().upper()}.{key.hex().upper()}"
    tree.write("/boot/grub2/user.cfg", f"GRUB2_PASSWORD={text}\n", mode=0o600)
