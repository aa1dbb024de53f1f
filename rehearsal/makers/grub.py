"""GRUB's EFI image, which CentOS ships ready-made and signed under /boot/efi."""

from __future__ import annotations

from host.beneath.root import Root
from host.run import run
from rehearsal.makers.making import Making, regular
from rehearsal.model import PackagedFile

# The set that CentOS's grub2.spec builds in, as far as Debian's GRUB has it.
MODULES = """
all_video boot blscfg btrfs cat configfile cryptodisk echo ext2 f2fs fat font gcry_rijndael
gcry_rsa gcry_serpent gcry_sha256 gcry_twofish gcry_whirlpool gfxmenu gfxterm gzio
halt hfsplus http increment iso9660 jpeg keystatus linux linuxefi loadenv loopback luks luks2 lvm
mdraid09 mdraid1x minicmd net normal part_apple part_gpt part_msdos password_pbkdf2 peimage
pgp png probe reboot regexp search search_fs_file search_fs_uuid search_label serial sleep
squash4 syslinuxcfg test tftp version video xfs zstd efi_gop efi_uga efinet efifwsetup chain
efi_netfs backtrace usb usbserial_common usbserial_pl2303 usbserial_ftdi usbserial_usbdebug
keylayouts at_keyboard terminal true read tpm
""".split()  # noqa: SIM905 - as a list it is no easier to compare
SBAT = """\
sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md
grub,4,Free Software Foundation,grub,2.06,https://www.gnu.org/software/grub/
grub.rehearsal,1,CCIS rehearsal,grub2,2.06,https://localhost/
"""


def efi_image(making: Making, files: list[PackagedFile]) -> list[PackagedFile]:
    """Return grubx64.efi, made of Debian's modules, that reads /EFI/centos/grub.cfg."""
    folder = making.unpack("grub-efi-amd64-bin", "/usr/lib/grub/") / "usr/lib/grub/x86_64-efi"
    there = [name for name in MODULES if Root(folder).is_file(f"/{name}.mod")]
    sbat = making.scratch / "sbat.csv"
    sbat.write_text(SBAT)
    image = making.scratch / "grubx64.efi"
    run(["grub-mkimage", "-O", "x86_64-efi", "-d", folder, "-p", "/EFI/centos", "-s", sbat,
         "-o", image, *there])
    return [regular("/boot/efi/EFI/centos/grubx64.efi", image.read_bytes(), 0o700)]


def shim_fallback(making: Making, files: list[PackagedFile]) -> list[PackagedFile]:
    """Return the fallback loader BOOTX64.EFI, which is shim, and the list that it boots from."""
    (shim,) = [file for file in files if file.path == "/boot/efi/EFI/centos/shimx64.efi"]
    entry = "shimx64.efi,CentOS Stream,,This is the boot entry for CentOS Stream\n"
    return [
        regular("/boot/efi/EFI/BOOT/BOOTX64.EFI", shim.content, 0o700),
        regular("/boot/efi/EFI/centos/BOOTX64.CSV", entry.encode("utf-16"), 0o700),
    ]
