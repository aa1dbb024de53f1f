"""LUKS containers. Their keys and salts are random: no two builds of one are the same bytes."""

from __future__ import annotations

from builder.disk.inside import Inside
from builder.disk.model import Encryption

title = "LUKS encryption"
programs = {"cryptsetup": "cryptsetup-bin; cryptsetup on CentOS"}

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


def modules(item: Encryption) -> tuple[str, ...]:
    """Return the kernel modules that it needs."""
    return ("dm_crypt",)


def devices(item: Encryption) -> tuple[str, ...]:
    """Return what its inside is called in the guest."""
    return (f"/dev/mapper/{item.name}",)


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
