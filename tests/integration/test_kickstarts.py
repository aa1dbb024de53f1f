"""Kickstarts as people have them, built unchanged: what they ask for is in the image.

tests/integration/kickstarts holds them, in our own words, with the commands of the public ones in
the same combinations; each test names the lines that it is about.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.sandbox.sandbox import Sandbox
from host.appliance import Drive, open_appliance
from images.specs import adapted
from specs.kinds import KINDS
from specs.model import Rule, load
from tests.integration.conftest import Command
from tests.integration.kickstart_images import (
    HERE,
    PASSPHRASE,
    RELEASE,
    Made,
    build,
    fields,
    fstab,
    key_file,
    names,
    table,
    target,
    view_of_image,
)
from validate.judge import judge
from validate.view import View

Builder = Callable[[str], Made]


@pytest.fixture(scope="module")
def made(ccis: Command, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Build a kickstart of that name, once; the store shares what they have in common."""
    known: dict[str, Made] = {}

    def make(name: str) -> Made:
        if name not in known:
            path = HERE / f"{name}.ks"
            if "@REPOSITORY@" in (text := path.read_text()):
                folder = ccis("rehearsal", "path", RELEASE).stdout.strip()
                path = tmp_path_factory.mktemp("ks") / path.name
                path.write_text(text.replace("@REPOSITORY@", f"file://{folder}/BaseOS/x86_64/os/"))
            known[name] = build(ccis, path, tmp_path_factory.mktemp(name))
        return known[name]

    return make


@pytest.fixture(scope="module")
def view(
    request: pytest.FixtureRequest, made: Builder, tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[View]:
    """The inside of the image of a kickstart; pytest runs the tests of one image together."""
    key = key_file(tmp_path_factory.mktemp("key"))
    encrypted = request.param == "lvm-on-luks"
    yield from view_of_image(made(request.param).image, key if encrypted else None)


def of(name: str) -> pytest.MarkDecorator:
    """Say which kickstart a test is about."""
    return pytest.mark.parametrize("view", [name], indirect=True)


# ── GenericCloud: %pre cuts the disk, --onpart takes it ─────────────────────────────────────────
@of("generic-cloud-onpart")
def test_partitions_are_those_that_pre_made(view: View) -> None:
    assert table(view) == [
        ("efi-system", 100, "vfat", "/boot/efi"),   # mkpart primary fat32 1MiB 101MiB; boot on
        ("data", 600, "xfs", "/boot"),
        ("prep-boot", 4, "", ""),
        ("bios-boot", 1, "", ""),
        ("data", 9533, "xfs", "/"),                 # 706MiB 100%
    ]
    assert view.disk is not None and view.disk.mounted["/boot"].label == "boot"
    assert fstab(view) == [
        ("UUID", "/", "xfs", "defaults"), ("UUID", "/boot", "xfs", "defaults"),
        ("UUID", "/boot/efi", "vfat", "umask=0077,shortname=winnt"),
    ]


@of("generic-cloud-onpart")
def test_mkfs_options_reach_mkfs(view: View, made: Builder) -> None:
    # --mkfsoptions "-m bigtime=0,inobtcount=0"
    with open_appliance([Drive(made("generic-cloud-onpart").image, "qcow2")], readonly=True) as g:
        said = g.debug("sh", ["xfs_db -r -c version $(readlink -f "
                              "/dev/disk/by-path/*-scsi-0:0:0:0-part5) 2>&1"])
    assert "CRC" in said and "BIGTIME" not in said and "INOBTCNT" not in said


@of("generic-cloud-onpart")
def test_post_has_removed_what_it_removes(view: View) -> None:
    assert not {"linux-firmware", "firewalld", "plymouth"} & names(view)
    assert {"kernel", "cloud-init", "grub2-pc", "cockpit-ws"} <= names(view)


@of("generic-cloud-onpart")
def test_services_are_as_asked(view: View) -> None:
    enabled = "/etc/systemd/system/multi-user.target.wants"
    assert target(view, f"{enabled}/sshd.service") is not None
    assert target(view, f"{enabled}/chronyd.service") is not None
    assert target(view, f"{enabled}/kdump.service") is None
    assert target(view, "/etc/systemd/system/default.target") == (
        "/lib/systemd/system/multi-user.target")


@of("generic-cloud-onpart")
def test_root_has_no_password(view: View) -> None:
    # rootpw --iscrypted thereisnopasswordanditslocked, then passwd -d and -l in %post
    assert fields(view, "/etc/shadow", "root")[1].startswith("!")


@of("generic-cloud-onpart")
def test_grub_install_in_post_leaves_boot_code(view: View) -> None:
    assert _passes(view, {"kind": "bios_boot"})
    assert _passes(view, {"kind": "kernel_complete"})
    assert _passes(view, {"kind": "kernel_arguments", "root_on_disk": True,
                          "present": ["console=ttyS0,115200n8", r"net\.ifnames=0"]})
    assert _passes(view, {"kind": "present", "paths": ["/boot/efi/EFI/BOOT/BOOTX64.EFI"]})


@of("generic-cloud-onpart")
def test_labels_are_right_after_fixfiles(view: View) -> None:
    rule = next(one for one in load("baseline").rules if one.id == "security.selinux-labels")
    found = judge(rule, view)
    assert found.status == "passed", found.found


# ── EC2: only a label from %pre, ext4 with options of xfs ───────────────────────────────────────
@of("ec2")
def test_options_of_another_file_system_are_dropped_and_said(view: View, made: Builder) -> None:
    assert table(view) == [("bios-boot", 1, "", ""), ("data", 6144, "ext4", "/")]
    assert "bigtime=0,inobtcount=0" in made("ec2").said
    assert "user=root is left out" in made("ec2").said


@of("ec2")
def test_ec2_post_did_what_it_says(view: View) -> None:
    assert "ec2-user\tALL=(ALL)\tNOPASSWD: ALL" in (view.text("/etc/sudoers") or "")
    assert "name: ec2-user" in (view.text("/etc/cloud/cloud.cfg") or "")
    assert view.text("/etc/dracut.conf.d/sgdisk.conf") == 'install_items+=" sgdisk "\n'
    assert view.tree.get("/data") is not None
    assert not {"linux-firmware", "firewalld"} & names(view)


@of("ec2")
def test_the_record_lists_what_post_left(view: View, made: Builder) -> None:
    assert sorted(one.nevra for one in made("ec2").record.packages) == \
        sorted(one.nevra for one in view.packages if not one.is_key)


@of("ec2")
def test_dracut_in_post_remakes_the_initramfs(view: View) -> None:
    # KERNEL_VERSION=$(rpm -q kernel --qf '%{V}-%{R}.%{arch}'); dracut -f /boot/initramfs-$…
    (kernel,) = [one for one in view.packages if one.name == "kernel"]
    remade = f"/boot/initramfs-{kernel.version}-{kernel.release}.{kernel.arch}.img"
    assert view.tree.get(remade) is not None
    assert _passes(view, {"kind": "kernel_complete"})


# ── Vagrant: known passwords, a user, swap in a file ────────────────────────────────────────────
@of("vagrant")
def test_all_firmwares_get_their_partition(view: View) -> None:
    assert table(view) == [
        # What firmware reads comes first, as Anaconda places it.
        ("bios-boot", 1, "", ""), ("prep-boot", 4, "", ""),
        ("efi-system", 100, "vfat", "/boot/efi"),
        ("data", 1000, "xfs", "/boot"), ("data", 3000, "xfs", "/"),
    ]


@of("vagrant")
def test_the_user_is_there_with_password_home_and_key(view: View) -> None:
    # user --name=vagrant --plaintext --password vagrant
    assert fields(view, "/etc/passwd", "vagrant")[2:] == [
        "1000", "1000", "", "/home/vagrant", "/bin/bash"]
    assert fields(view, "/etc/shadow", "vagrant")[1].startswith("$6$")
    assert fields(view, "/etc/shadow", "root")[1].startswith("$6$")
    key = view.tree.get("/home/vagrant/.ssh/authorized_keys")
    assert key is not None and (key.permissions, key.uid, key.gid) == ("0600", 1000, 1000)


@of("vagrant")
def test_swap_in_a_file_is_in_fstab(view: View) -> None:
    assert fstab(view)[-1] == ("/swapfile", "none", "swap", "defaults")
    swap = view.tree.get("/swapfile")
    assert swap is not None and (swap.permissions, swap.size_bytes) == ("0600", 64 << 20)


@of("vagrant")
def test_dracut_without_a_version_or_for_uname_takes_the_image_s_kernel(view: View) -> None:
    assert view.tree.get("/var/lib/initramfs-remade") is not None
    assert view.tree.get("/var/lib/initramfs-by-uname") is not None
    assert _passes(view, {"kind": "kernel_complete"})


@of("vagrant")
def test_labels_that_post_sets_are_kept(view: View) -> None:
    label = view.tree.get("/etc/modprobe.d/nofloppy.conf")
    assert label is not None and label.label.startswith("system_u:object_r:modules_conf_t")
    assert view.text("/etc/hostname") in ("localhost.localdomain\n", None)


# ── AlmaLinux: /dev/sda, quoted names, grub2-probe ──────────────────────────────────────────────
@of("alma-gencloud")
def test_sda_is_the_disk_as_well(view: View) -> None:
    assert view.disk is not None
    assert [one.name for one in view.disk.partitions] == [
        "biosboot", "EFI System Partition", "boot", "root"]
    assert [(purpose, point) for purpose, _, _, point in table(view)] == [
        ("bios-boot", ""), ("efi-system", "/boot/efi"), ("data", "/boot"), ("data", "/")]
    assert _passes(view, {"kind": "bios_boot"})
    assert view.text("/etc/ssh/sshd_config.d/01-permitrootlogin.conf") == "PermitRootLogin yes\n"


# ── Volumes ─────────────────────────────────────────────────────────────────────────────────────
@of("lvm-onpart")
def test_a_volume_group_on_a_partition_of_pre(view: View) -> None:
    assert view.disk is not None
    root = view.disk.mounted["/"]
    assert (root.kinds, root.partitions, root.names[1]) == (
        ("lvm",), ("/dev/sda4",), "/dev/rocky/root")
    assert [line for line in fstab(view) if line[1] in ("/", "none")] == [
        ("/dev/mapper/rocky-root", "/", "xfs", "defaults"),
        ("/dev/mapper/rocky-swap", "none", "swap", "defaults")]
    assert _passes(view, {"kind": "kernel_arguments", "root_on_disk": True,
                          "present": ["root=/dev/mapper/rocky-root", r"rd\.lvm\.lv=rocky/root"]})


@pytest.mark.full  # its files are hashed within the appliance: 3 minutes
@of("lvm-on-luks")
def test_lvm_on_luks_meets_the_baseline_but_for_what_the_kickstart_wants(view: View) -> None:
    assert view.disk is not None
    assert view.disk.mounted["/"].kinds == ("crypt", "lvm")
    assert [miss.partition(":")[0] for miss in _misses_of_baseline(view)] == [
        "boot.fstab-only", "boot.no-swap", "boot.no-stray-arguments",  # a volume for swap
        "services.enabled-within"]  # LVM's own


@of("lvm-on-luks")
def test_the_passphrase_is_nowhere_in_the_image(view: View, made: Builder) -> None:
    texts = [view.text(one.path) or "" for one in view.tree.find("/etc/**")
             if one.is_file and one.size_bytes < 1 << 20]
    assert not any(PASSPHRASE in text for text in texts)
    image = made("lvm-on-luks")
    assert PASSPHRASE not in image.said
    assert PASSPHRASE not in (image.folder / "build.json").read_text()


@of("btrfs-subvolumes")
def test_btrfs_subvolumes_are_mounted_where_they_belong(view: View) -> None:
    assert view.disk is not None
    mounted = view.disk.mounted
    assert {point: one.subvolume for point, one in mounted.items() if one.type == "btrfs"} == {
        "/": "root", "/home": "home"}


@pytest.mark.full  # its files are hashed within the appliance: 3 minutes
@of("btrfs-subvolumes")
def test_btrfs_subvolumes_meet_the_baseline(view: View) -> None:
    assert _misses_of_baseline(view) == []


# ── %include of what %pre wrote ─────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("engine", ["direct", "guestfs"])
def test_a_pre_that_partitions_and_includes_its_output_builds_with_both_engines(
    ccis: Command, tmp_path: Path, engine: str,
) -> None:
    made = build(ccis, HERE / "include-of-pre.ks", tmp_path, "--engine", engine)
    assert made.record.engine == engine
    for view in view_of_image(made.image):
        assert table(view) == [
            ("bios-boot", 1, "", ""), ("efi-system", 100, "vfat", "/boot/efi"),
            ("data", 10137, "ext4", "/")]
        assert view.disk is not None
        assert view.disk.mounted["/"].label == "pre-made"
        assert view.disk.partitions[0].attributes == "LegacyBIOSBootable", "set in %post"
        assert view.text("/etc/made-by-post") == "made by %post\n"
        assert view.text("/etc/locale.conf") == 'LANG="en_US.UTF-8"\n', "include/locale.ks"


# ── Containers: a tree, no kernel ───────────────────────────────────────────────────────────────
@of("container-base")
def test_a_container_is_a_tree_without_kernel(view: View) -> None:
    assert not {"kernel", "kernel-core", "grub2-pc", "firewalld"} & names(view)
    assert {"bash", "yum", "tar"} <= names(view)
    assert view.tree.children("/boot") == []
    assert view.text("/etc/dnf/vars/infra") == "container\n"
    assert view.text("/etc/made-outside") == "from the installer's side\n", "%post --nochroot"
    assert target(view, "/etc/systemd/system/getty.target") == "/dev/null"


@of("container-minimal")
def test_old_spellings_mean_the_same(view: View) -> None:
    # install, --instLangs, --excludeWeakdeps, --isUtc, bootloader --disabled
    assert {"microdnf", "bash"} <= names(view) and "kernel" not in names(view)
    assert target(view, "/etc/localtime") == "../usr/share/zoneinfo/UTC"
    assert fields(view, "/etc/passwd", "none")[5:] == ["/home/none", "/bin/bash"]


def test_a_program_of_a_container_runs(made: Builder, tmp_path: Path) -> None:
    packed, tree = tmp_path / "tree.tar", tmp_path / "tree"
    tree.mkdir()
    with open_appliance([Drive(made("container-base").image, "qcow2")], readonly=True) as g:
        (root,) = [device for device, kind in g.list_filesystems().items() if kind == "ext4"]
        g.mount_ro(root, "/")
        g.tar_out("/", str(packed))
    subprocess.run(["tar", "-xf", packed, "-C", tree], check=True)
    said = Sandbox(root=tree, epoch=0).run(
        ["/bin/bash", "-c", ". /etc/os-release; echo $ID; rpm -q --qf '%{name}' bash"])
    assert said.stdout == "centos\nbash"


def _passes(view: View, check: dict[str, object]) -> bool:
    rule = Rule.model_validate({"id": "a.b", "title": "t", "rationale": "r", "check": check})
    found = judge(rule, view)
    assert found.status == "passed", f"{KINDS[str(check['kind'])].__name__}: {found.found}"
    return True


def _misses_of_baseline(view: View) -> list[str]:
    rules = adapted(load("baseline"), rehearsal=True).of_tier("offline")
    return [f"{one.rule}: {one.found}" for one in (judge(rule, view) for rule in rules if
            rule.applies_to.covers(arch="x86_64", image_format="qcow2", shape="disk",
                                   version="10", rehearsal=True))
            if one.fails]
