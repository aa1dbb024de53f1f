"""LUKS containers. Their keys and salts are random: no two builds of one are the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from builder.disk.ids import derive
from builder.disk.parts import Disk, FileSystem
from builder.disk.requests import Request
from builder.disk.sizes import MIB
from builder.disk.volume import File, Item, Member, Opener, Program

if TYPE_CHECKING:
    from builder.disk.inside import Inside

name, rank = "luks", 1
label, title = "LUKS", "LUKS encryption"
done = "encrypted"
# The header alone takes 16 MiB (cryptsetup(8)).
member = Member("luks", prefix=None, minimum_mib=17, signature="crypto_LUKS", has_id=True)
programs = (Program("cryptsetup", "cryptsetup-bin", "cryptsetup", flag="--version"),)
opener = Opener("cryptsetup", "cryptsetup", "crypt", argument="rd.luks")
encrypts = True
read_by_grub = ""

# The headers before the data: cryptsetup(8), "luks2-metadata-size", and LUKS1's payload offset.
_HEADER_BYTES = {"luks1": 2 * MIB, "luks2": 16 * MIB}
# Anaconda's cipher, and the key that blivet takes for it: two AES-256 keys, one of them XTS's.
_CIPHER = "aes-xts-plain64"
_XTS_KEY_BITS = 512
# cryptsetup would measure how much work the machine at hand does in two seconds. An emulated
# processor would get by with too little, a large build host take memory that a small guest has
# not. So: what RFC 9106 (section 4) recommends where memory is scarce, at four passes, the
# fewest that cryptsetup takes; and for PBKDF2 OWASP's count with SHA-256.
_COSTS = {
    "argon2": {
        "--pbkdf-force-iterations": "4", "--pbkdf-memory": "65536", "--pbkdf-parallel": "4",
    },
    "pbkdf2": {"--hash": "sha256", "--pbkdf-force-iterations": "600000"},
}


class EncryptionRequest(Request):
    """LUKS around something: --passphrase, --luks-version, --cipher and the --pbkdf options.

    options: words for `cryptsetup luksFormat`.
    """

    passphrase: str = Field(repr=False)
    version: Literal["luks1", "luks2"] = "luks2"
    cipher: str | None = None
    options: tuple[str, ...] = ()


class Encryption(Item):
    """A LUKS container: `device` is encrypted, what is inside shows as /dev/mapper/`name`.

    options: more words for `cryptsetup luksFormat`.
    passphrase: never shown and never part of the layout as data; Layout.secrets() has it.
    """

    kind: Literal["luks"] = "luks"
    device: str
    name: str
    uuid: str
    version: Literal["luks1", "luks2"] = "luks2"
    cipher: str | None = None
    options: tuple[str, ...] = ()
    passphrase: str = Field(default="", exclude=True, repr=False)


model, request = Encryption, EncryptionRequest


def around(
    wish: EncryptionRequest, device: str, size_bytes: int, seed: str, where: str,
) -> tuple[Encryption, str, int]:
    """Return the container around a device, and what is inside."""
    identity = str(derive(seed, f"luks {device}"))
    item = Encryption(
        device=device, name=f"luks-{identity}", uuid=identity, version=wish.version,
        cipher=wish.cipher, options=wish.options, passphrase=wish.passphrase, where=where,
    )
    return item, f"/dev/mapper/{item.name}", size_bytes - _HEADER_BYTES[item.version]


def stands_on(item: Encryption) -> tuple[str, ...]:
    """Return the one device that is encrypted."""
    return (item.device,)


def devices(item: Encryption) -> tuple[str, ...]:
    """Return what its inside is called in the guest."""
    return (f"/dev/mapper/{item.name}",)


def is_content(item: Encryption, place: FileSystem) -> bool:
    """Never: file systems are on what is inside."""
    return False


def kernel_arguments(item: Encryption, device: str) -> list[str]:
    """Return what has dracut ask for the passphrase."""
    return [f"{opener.argument}.uuid={item.name}"]


def files(items: Sequence[Encryption], disk: Disk) -> list[File]:
    """Return /etc/crypttab (crypttab(5)), as blivet's CryptTab writes it."""
    lines = [f"{item.name} UUID={item.uuid} none discard\n" for item in items]
    return [File("/etc/crypttab", "".join(lines), mode=0o600)]


def grub_drive(item: Encryption, device: str) -> str:
    """Return GRUB's name of what is inside."""
    return "cryptouuid/" + item.uuid.replace("-", "")


def grub_modules(item: Encryption) -> list[str]:
    """Return GRUB's modules that read it."""
    return ["cryptodisk", "luks2" if item.version == "luks2" else "luks"]


def is_read_by_grub(item: Encryption) -> bool:
    """Not by the core image that is made here, which asks for no passphrase."""
    return False


def secrets(item: Encryption) -> tuple[str, ...]:
    """Return its passphrase."""
    return (item.passphrase,)


def describe(item: Encryption) -> str:
    """Return it in one line."""
    return f"{item.version} {item.name} on {item.device}"


def modules(item: Encryption) -> tuple[str, ...]:
    """Return the kernel modules that the appliance needs."""
    return ("dm_crypt",)


def make(inside: Inside, item: Encryption, *, zeroed: bool, epoch: int) -> None:
    """Encrypt the device and open it; item.options are luksFormat's, each as --NAME=VALUE."""
    device = inside.device(item.device)
    with inside.key_file(item.passphrase) as key:
        inside.run([
            "cryptsetup", "luksFormat", "--batch-mode", f"--type={item.version}",
            f"--uuid={item.uuid}", f"--key-file={key}", *_options(item), device,
        ])
        inside.run(["cryptsetup", "open", "--type=luks", f"--key-file={key}", device, item.name])


def stop(inside: Inside, item: Encryption) -> None:
    """Close it."""
    inside.run(["cryptsetup", "close", item.name], {"DM_DISABLE_UDEV": "1"})


def _options(item: Encryption) -> list[str]:
    """Return what the kickstart says, and what it doesn't say of cipher and cost."""
    named = dict(option.partition("=")[::2] for option in item.options)
    cipher = item.cipher or _CIPHER
    options = {"--cipher": cipher}
    if "-xts-" in cipher:
        options["--key-size"] = str(_XTS_KEY_BITS)
    if item.version == "luks2":
        options["--pbkdf"] = "argon2id"
    function = named.get("--pbkdf", options.get("--pbkdf", "pbkdf2"))
    options |= _COSTS["pbkdf2" if function == "pbkdf2" else "argon2"]
    if "--iter-time" in named:
        del options["--pbkdf-force-iterations"]  # one or the other
    return [f"{name}={value}" for name, value in options.items() if name not in named] + list(
        item.options)
