"""A small tree that media can be made of, with the host's own GRUB and shell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from builder.artefact import About

EPOCH = 1_700_000_000
GRUB = Path("/usr/lib/grub/i386-pc")


def about(**more: object) -> About:
    return About(**{  # type: ignore[arg-type]
        "title": "CentOS Stream 10 Test", "image": "test", "flavour": "Test",
        "distribution": "CentOS-Stream", "version": "10", "arch": "x86_64", "epoch": EPOCH, **more})


def said(*argv: str | Path) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def contents(medium: Path, folder: Path) -> Path:
    """Unpack a medium without mounting it."""
    said("xorriso", "-osirrox", "on", "-indev", medium, "-extract", "/", folder)
    said("chmod", "-R", "u+w", folder)
    return folder


def make_medium_tree(root: Path) -> Path:
    """Make a tree with the host's shell and GRUB, and files in place of kernel and initramfs."""
    for folder in ("dev", "proc", "sys", "run", "tmp", "etc/default", "etc/pki/rpm-gpg",
                   "usr/bin", "usr/lib/grub", "usr/lib/modules/6.1.0-9", "usr/lib/modules/6.1.0-10",
                   "boot/efi/EFI/centos", "boot/efi/EFI/BOOT"):
        (root / folder).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to("usr/lib" if name != "bin" else "usr/bin")
    for program, inside in (("/bin/dash", "sh"), ("/usr/bin/grub-mkimage", "grub2-mkimage")):
        shutil.copy(program, root / "usr/bin" / inside)
        for word in said("ldd", program).split():
            if word.startswith("/") and not (target := root / word.lstrip("/")).exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(word, target)
    shutil.copytree(GRUB, root / "usr/lib/grub/i386-pc")
    for version in ("6.1.0-9", "6.1.0-10"):
        (root / f"boot/vmlinuz-{version}").write_text(f"kernel {version}")
        (root / f"boot/initramfs-{version}.img").write_text(f"initramfs {version}")
    (root / "boot/efi/EFI/BOOT/BOOTX64.EFI").write_text("shim")
    (root / "boot/efi/EFI/BOOT/fbx64.efi").write_text("fallback")
    (root / "boot/efi/EFI/centos/grubx64.efi").write_text("grub")
    (root / "etc/default/grub").write_text(
        'GRUB_TIMEOUT=3\nGRUB_CMDLINE_LINUX="rd.lvm.lv=cs/root console=ttyS0,115200n8 quiet"\n')
    return root
