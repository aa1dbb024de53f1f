"""A target's layer and what it does to the tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.sandbox.sandbox import Sandbox
from builder.tree.adapt import adapt
from builder.tree.tree import Tree
from host.errors import InputError
from images.target import Layer

KERNEL = "6.1.0-99"
MENU = f"""set timeout=1
menuentry 'CentOS' {{
\tsearch --fs-uuid --set=root abc
\tlinux\t/boot/vmlinuz-{KERNEL} root=UUID=abc ro console=ttyS0
\tinitrd\t/boot/initramfs-{KERNEL}.img
}}
"""
ENTRY = f"title CentOS\nlinux /boot/vmlinuz-{KERNEL}\noptions root=UUID=abc ro console=ttyS0\n"


def write(root: Path, inside: str, text: str = "") -> Path:
    path = root / inside.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A tree with the files of a boot loader; its programs and units are the host's, read-only."""
    root = tmp_path / "root"
    for folder in ("bin", "sbin", "lib", "lib64"):
        (root / folder).parent.mkdir(exist_ok=True)
        (root / folder).symlink_to(f"usr/{folder}")
    (root / "etc").mkdir()
    write(root, f"/boot/vmlinuz-{KERNEL}")
    write(root, "/boot/grub2/grub.cfg", MENU)
    write(root, "/boot/loader/entries/one.conf", ENTRY)
    write(root, "/etc/cloud/cloud.cfg")
    write(root, "/etc/default/grub",
          "GRUB_TIMEOUT=1\nGRUB_CMDLINE_LINUX='console=ttyS0'\nGRUB_ENABLE_BLSCFG=true\n")
    write(root, "/etc/kernel/cmdline", "root=UUID=abc ro console=ttyS0\n")
    return Tree(root, Sandbox(root, 0, binds={"/usr": Path("/usr")}))


@pytest.fixture
def with_kernel(tree: Tree) -> Tree:
    (tree.root / f"usr/lib/modules/{KERNEL}").mkdir(parents=True)
    return Tree(tree.root, Sandbox(tree.root, 0))


def test_the_list_of_data_sources_is_one_line_that_ds_identify_reads(tree: Tree) -> None:
    adapt(tree, Layer(data_sources=["Azure", "NoCloud", "None"]), "azure.yaml")
    place = "/etc/cloud/cloud.cfg.d/91-azure_datasource.cfg"
    assert tree.read(place) == "datasource_list: [ Azure, NoCloud, None ]\n"
    assert tree.files.stat(place).st_mode & 0o777 == 0o644


def test_settings_of_a_data_source_are_beside_the_list(tree: Tree) -> None:
    layer = Layer(data_sources=["Ec2"], data_source_settings={"Ec2": {"strict_id": False}})
    adapt(tree, layer, "eucalyptus.yaml")
    assert tree.read("/etc/cloud/cloud.cfg.d/91-ec2_datasource.cfg") == (
        "datasource_list: [ Ec2 ]\ndatasource:\n  Ec2:\n    strict_id: false\n")


def test_data_sources_need_cloud_init(tree: Tree) -> None:
    tree.remove("/etc/cloud/cloud.cfg")
    with pytest.raises(InputError, match="no cloud-init") as caught:
        adapt(tree, Layer(data_sources=["Azure"]), "azure.yaml")
    assert caught.value.where == "azure.yaml"


def test_kernel_arguments_reach_every_place_that_keeps_them(with_kernel: Tree) -> None:
    tree = with_kernel
    adapt(tree, Layer(kernel_arguments=["console=ttyS0", "console=hvc0"]), "xen.yaml")
    assert tree.read("/boot/grub2/grub.cfg") == MENU.replace(
        "ro console=ttyS0", "ro console=ttyS0 console=hvc0")
    assert tree.read("/boot/loader/entries/one.conf") == ENTRY.replace(
        "ro console=ttyS0", "ro console=ttyS0 console=hvc0")
    assert tree.read("/etc/kernel/cmdline") == "root=UUID=abc ro console=ttyS0 console=hvc0\n"
    assert tree.read("/etc/default/grub") == (
        "GRUB_TIMEOUT=1\nGRUB_CMDLINE_LINUX=\"console=ttyS0 console=hvc0\"\n"
        "GRUB_ENABLE_BLSCFG=true\n")


def test_an_empty_line_of_arguments_is_filled(with_kernel: Tree) -> None:
    write(with_kernel.root, "/etc/kernel/cmdline", "\n")
    write(with_kernel.root, "/etc/default/grub", "GRUB_TIMEOUT=1\n")
    adapt(with_kernel, Layer(kernel_arguments=["quiet"]), "xen.yaml")
    assert with_kernel.read("/etc/kernel/cmdline") == "quiet\n"
    assert 'GRUB_CMDLINE_LINUX="quiet"\n' in with_kernel.read("/etc/default/grub")


def test_kernel_arguments_need_a_kernel(tree: Tree) -> None:
    with pytest.raises(InputError, match="no kernel"):
        adapt(tree, Layer(kernel_arguments=["console=hvc0"]), "xen.yaml")


def test_services_are_enabled_by_the_systemctl_of_the_tree(tree: Tree) -> None:
    adapt(tree, Layer(services=["systemd-networkd.service"]), "lxc.yaml")
    wanted = tree.root / "etc/systemd/system/multi-user.target.wants/systemd-networkd.service"
    assert wanted.is_symlink()


def test_a_service_that_is_not_there_names_the_target(tree: Tree) -> None:
    with pytest.raises(InputError, match=r"no nowhere\.service") as caught:
        adapt(tree, Layer(services=["nowhere.service"]), "lxc.yaml")
    assert caught.value.where == "lxc.yaml"


def test_an_empty_layer_changes_nothing(tree: Tree) -> None:
    before = sorted(path for path in tree.root.rglob("*"))
    adapt(tree, Layer(), "kvm.yaml")
    assert sorted(path for path in tree.root.rglob("*")) == before
