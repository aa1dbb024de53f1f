"""Content that no Debian package holds and that is built on the host, by maker's name."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.makers import certificates, grub, locales, selinux
from rehearsal.makers.making import Making
from rehearsal.model import PackagedFile

# A maker gets the files that the package has so far and returns more; it may change them too.
Maker = Callable[[Making, list[PackagedFile]], list[PackagedFile]]

MAKERS: dict[str, Maker] = {
    "certificates": certificates.bundle,
    "grub-efi": grub.efi_image,
    "locale-en": locales.english,
    "selinux-policy": selinux.policy,
    "shim-fallback": grub.shim_fallback,
}

__all__ = ["MAKERS", "Maker", "Making"]
