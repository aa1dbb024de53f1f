"""The Xen image starts: by the PVH entry point, and as a guest of a real Xen by its xl files.

The hypervisor runs inside QEMU, without any help by the processor. What is shown and what is not
stands in docs/xen.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from host.run import run
from tests.integration.conftest import Command
from tests.integration.formats import kernels, xen_host
from tests.integration.formats.consoles import drive, overlay, watched

# Measured on two cores with five times as much to do as they can: 150 s by QEMU's entry point,
# 480 s as a PV guest, 600 s as a PVH guest.
LIMIT_S = 900

# A processor without extras: under QEMU's `max`, Xen's first guest crashes. PVH needs AMD's
# virtualisation, which QEMU emulates, too.
PROCESSORS = {"pv": "qemu64", "pvh": "qemu64,+svm,+npt"}

# Where GRUB for a kind of guest comes from, and how xen.yaml's files call it.
LOADERS = {"pv": ("x86_64-xen", "pvgrub.bin"), "pvh": ("i386-xen_pvh", "pvhgrub.bin")}

# What the kernel says that it runs on ("bare hardware" where there is no hypervisor that it knows).
BANNERS = {"pv": "Booting kernel on Xen\n", "pvh": "Booting paravirtualized kernel on Xen PVH\n"}

XEN = (
    "console=com1 com1=115200,8n1 noreboot dom0_mem=512M,max:512M dom0_max_vcpus=1 "
    "xpti=off spec-ctrl=no"
)


@pytest.fixture(scope="module")
def image(ccis: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the Xen image; after the run for all targets, the store has it."""
    out = tmp_path_factory.mktemp("xen")
    (report,) = ccis.json("build", "xen", "--release", "rehearsal-10", "--out", out)
    return Path(report["folder"])


@pytest.fixture(scope="module")
def raw(image: Path) -> Path:
    (file,) = image.glob("*.raw")
    return file


@pytest.fixture(scope="module")
def boot(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> kernels.Boot:
    return kernels.take_out(raw, tmp_path_factory.mktemp("kernel"))


@pytest.fixture(scope="module")
def vmlinux(boot: kernels.Boot) -> Path:
    target = boot.kernel.with_name("vmlinux")
    kernels.unpack(boot.kernel, target)
    return target


def test_the_menu_gives_the_kernel_xens_console(boot: kernels.Boot) -> None:
    assert boot.arguments.split()[-1] == "console=hvc0"


def test_it_starts_by_the_pvh_entry_point_of_qemu(
    raw: Path, boot: kernels.Boot, vmlinux: Path, tmp_path: Path,
) -> None:
    """QEMU starts a bare ELF kernel by this entry point or not at all (hw/i386/x86.c)."""
    assert kernels.XEN_ELFNOTE_PHYS32_ENTRY in kernels.notes(vmlinux)
    # There is no Xen, so no hvc0: the last console is where the login prompt comes.
    arguments = f"{boot.arguments} console=ttyS0"
    argv: list[str | Path] = ["-cpu", "max", "-m", "1024", "-kernel", vmlinux,
            "-initrd", boot.initramfs, "-append", arguments, *drive(overlay(raw, tmp_path))]
    with watched(argv, tmp_path) as machine:
        shown = machine.until_login(LIMIT_S)
    assert f"Command line: {arguments}" in shown
    assert "(ttyS0)" in shown


@pytest.mark.full  # a machine in an emulated machine: 6 minutes
@pytest.mark.parametrize("kind", ["pv", "pvh"])
def test_a_guest_of_xen_starts_from_its_disk_by_its_xl_file(
    kind: str, image: Path, raw: Path, boot: kernels.Boot, vmlinux: Path, tmp_path: Path,
) -> None:
    """xl, in the dom0 of a real hypervisor, starts GRUB, GRUB what the image's menu says."""
    disk = overlay(raw, tmp_path)
    if kind == "pv":
        # GRUB's loader for PV kernels unpacks gzip, xz and lzo; the rehearsal's kernel, one of
        # Debian's, is packed by lz4. So the same kernel lies there unpacked.
        kernels.replace(disk, boot.place, vmlinux)
    host = xen_host.xen_host()
    guest = tmp_path / "guest"
    guest.mkdir()
    (configuration,) = image.glob(f"*.{kind}.cfg")
    (first_steps,) = image.glob("*.pvgrub.cfg")
    (guest / "xl.cfg").write_bytes(configuration.read_bytes())
    platform, loader = LOADERS[kind]
    modules = host.tree / "usr/lib/grub" / platform
    run(["grub-mkimage", "-O", platform, "-p", "/boot/grub2", "-c", first_steps,
         "-o", guest / loader, "-d", modules, *sorted(modules.glob("*.mod"))])
    # All is where the file says that it is; dom0 has no bridge, and little memory to give.
    (guest / "start").write_text(
        f"mkdir -p /var/lib/xen/images && cd /var/lib/xen/images && mv /guest/{loader} . &&\n"
        f"ln -s /dev/vda '{raw.name}' && xl create /guest/xl.cfg 'vif=[]' 'memory=768'\n")
    xen_host.initramfs(host, guest, tmp_path / "dom0.cpio")
    argv: list[str | Path] = [
        "-cpu", PROCESSORS[kind], "-m", "2048", "-kernel", host.hypervisor, "-append", XEN,
        "-initrd", f"{host.kernel} console=hvc0 quiet,{tmp_path / 'dom0.cpio'}", *drive(disk),
    ]
    with watched(argv, tmp_path) as machine:
        shown = machine.until_login(LIMIT_S, dead_end="dom0: gave up")
    assert "Xen version 4.17" in shown  # says the hypervisor
    assert f"dom0: started {image.name}" in shown
    assert "Loading Linux" in shown  # GRUB, from the menu in the image
    guest_says = shown.split("dom0: started")[1]
    assert BANNERS[kind] in guest_says
    assert "blkfront: xvda" in guest_says
    assert "(hvc0)" in guest_says
