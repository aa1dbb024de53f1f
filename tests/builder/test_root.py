"""The root tree's helpers that need no tree: the seccomp filter, GRUB's answers, kernel plugins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from builder.booting import kernel_plugins
from builder.booting.bootloader import kernel_options, probe_script
from builder.disk.layout import Layout, PartitionRequest, plan_layout
from builder.sandbox.filters import filter_file
from builder.sandbox.sandbox import Sandbox
from builder.tree.tree import Tree


@pytest.fixture
def layout() -> Layout:
    def part(mountpoint: str, **more: object) -> PartitionRequest:
        return PartitionRequest(mountpoint=mountpoint, where="t.ks:1", **more)  # type: ignore[arg-type]

    return plan_layout(
        [part("biosboot", size_mib=1), part("/boot/efi", size_mib=100, fstype="efi"),
         part("/boot", size_mib=500, fstype="ext4"), part("/", size_mib=1000, fstype="xfs",
                                                          grow=True)],
        4 << 30, "gpt", "seed")


def test_the_probe_answers_from_the_layout(layout: Layout, tmp_path: Path) -> None:
    script = tmp_path / "grub2-probe"
    script.write_text(probe_script(layout))
    script.chmod(0o755)

    def ask(*words: str) -> str:
        return subprocess.run([script, *words], capture_output=True, text=True,
                              check=True).stdout.strip()

    root, boot = layout.root, layout.at("/boot")
    assert boot is not None
    assert ask("--target=device", "/") == f"/dev/vda{root.number}"
    assert ask("--target=fs_uuid", "--device", f"/dev/vda{root.number}") == root.fs_uuid
    assert ask("-t", "fs", "/boot/grub2") == "ext2"
    assert ask("--target=fs", "/") == "xfs"
    assert ask("--device", f"/dev/vda{boot.number}", "--target=fs_uuid") == boot.fs_uuid
    assert ask("--target=partmap", "/") == "gpt"
    assert subprocess.run([script, "--target=nonsense", "/"], check=False).returncode == 1


def test_kernel_options_name_the_root_by_uuid(layout: Layout) -> None:
    assert kernel_options(layout, "console=ttyS0") == \
        f"root=UUID={layout.root.fs_uuid} ro console=ttyS0"


def test_under_the_filter_fsync_does_nothing_and_all_else_works(tmp_path: Path) -> None:
    code = ("import os; f = os.open('/tmp/x', os.O_CREAT | os.O_WRONLY); os.write(f, b'x');"
            "os.close(f); os.fsync(f); print('a closed file was synced')")
    words = ["bwrap", "--ro-bind", "/", "/", "--tmpfs", "/tmp"]
    with filter_file("packages") as descriptor:
        filtered = subprocess.run([*words, "--seccomp", str(descriptor), "python3", "-c", code],
                                  pass_fds=[descriptor], capture_output=True, text=True)
    plain = subprocess.run([*words, "python3", "-c", code], capture_output=True, text=True)
    assert filtered.stdout == "a closed file was synced\n", filtered.stderr
    assert "Bad file descriptor" in plain.stderr


def test_suppressing_the_initramfs_leaves_no_plugin_behind(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    tree = Tree(tmp_path, Sandbox(tmp_path, 0))
    kernel_plugins.suppress(tree)
    plugin = tmp_path / "etc/kernel/install.d/50-dracut.install"
    assert plugin.readlink() == Path("/dev/null")
    kernel_plugins.allow(tree)
    assert list((tmp_path / "etc/kernel/install.d").iterdir()) == []


def test_the_binding_still_loads_one_asking_filter_in_a_process() -> None:
    """Why builder.sandbox.filters.listen() makes a call of its own; if this fails, it need not.

    A second filter that the binding loads gets no descriptor: it shows the first one's again, and
    a call that is asked about fails, for nobody is asked.
    """
    code = """
import os, seccomp, threading
def load():
    asking = seccomp.SyscallFilter(seccomp.ALLOW)
    asking.add_rule(seccomp.NOTIFY, "uname")
    asking.load()
    found.append(asking.get_notify_fd())
    if len(found) == 2:
        try:
            os.uname()
        except OSError as error:
            print(error.strerror)
found = []
for _ in range(2):
    thread = threading.Thread(target=load)
    thread.start()
    thread.join()
print(len(set(found)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["Function not implemented", "1"]
