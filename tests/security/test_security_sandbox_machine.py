"""The machine that scripts see: the image's own kernel, none of the build host's facts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from builder.sandbox.machine import RELEASE, kernel_release
from host.beneath.root import Root
from tests.security.sandboxed import a_place, run_pre, small_tree

STATIC = """
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
int main(void) {
    struct utsname name; struct sysinfo info;
    if (uname(&name) || sysinfo(&info)) return 1;
    printf("%s %s %s %lu\\n", name.nodename, name.release, name.version, info.totalram);
    return 0;
}
"""


def with_kernels(root: Path, *versions: str) -> None:
    for version in versions:
        (root / "usr/lib/modules" / version).mkdir(parents=True)
        (root / f"boot/vmlinuz-{version}").touch()


def test_the_newest_kernel_of_the_tree_is_the_running_one(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    assert kernel_release(Root(tmp_path)) == RELEASE
    with_kernels(tmp_path, "6.9.0-1.el10", "6.12.0-9.el10.x86_64", "6.12.0-55.el10.x86_64")
    (tmp_path / "usr/lib/modules/7.0.0-removed").mkdir()
    (tmp_path / "usr/lib/modules/7.0.1-alias").symlink_to("6.9.0-1.el10")
    (tmp_path / "usr/lib/modules/6.9.0-1.el10/vmlinuz").touch()
    assert kernel_release(Root(tmp_path)) == "6.12.0-55.el10.x86_64"
    for path in (tmp_path / "boot").iterdir():
        path.unlink()
    assert kernel_release(Root(tmp_path)) == "6.9.0-1.el10"


def test_a_script_that_spoils_the_kernels_folder_is_still_answered(tmp_path: Path) -> None:
    sandbox = small_tree(tmp_path)
    with_kernels(tmp_path, "6.12.0-55.el10.x86_64", "6.99.²", "9" * 200)
    (tmp_path / "usr").rename(tmp_path / "own")
    (tmp_path / "usr").mkdir()
    said = sandbox.run(["/bin/sh", "-c", (
        "uname -r; rm -rf /own/lib/modules; ln -s modules /own/lib/modules; uname -r")])
    assert said.stdout == f"{RELEASE}\n{RELEASE}\n"
    (tmp_path / "usr").rmdir()
    (tmp_path / "own").rename(tmp_path / "usr")
    assert kernel_release(Root(tmp_path)) == RELEASE


def test_every_program_is_told_the_same(tmp_path: Path) -> None:
    host = os.uname()
    # The tree's own folder of modules can't be seen where the host's /usr is shown.
    sandbox = small_tree(tmp_path)
    with_kernels(tmp_path, "6.12.0-55.el10.x86_64")
    (tmp_path / "static.c").write_text(STATIC)
    subprocess.run(["gcc", "-static", "-O", "-o", tmp_path / "root/static",
                    tmp_path / "static.c"], check=True)
    said = sandbox.run(["/bin/sh", "-c", (
        "uname -r; uname -a; cat /proc/version /proc/sys/kernel/osrelease"
        " /proc/sys/kernel/version /proc/sys/kernel/hostname; hostname; /root/static;"
        "python3 -c 'import os, platform; print(os.uname().release, platform.platform())';"
        "su nobody -s /bin/sh -c 'uname -r' 2>/dev/null; perl -MPOSIX -e 'print +(uname)[2]'")],
        check=False)
    assert said.stdout.splitlines()[0] == "6.12.0-55.el10.x86_64", said.stderr
    assert f"localhost 6.12.0-55.el10.x86_64 #1 SMP PREEMPT_DYNAMIC {4 << 30}" in said.stdout
    assert "x86_64" in said.stdout and said.stdout.count("6.12.0-55.el10.x86_64") >= 6
    for fact in (host.release, host.version, f" {host.nodename} "):
        assert fact not in said.stdout


def test_a_host_name_that_a_script_sets_is_the_scripts_own(tmp_path: Path) -> None:
    before = os.uname().nodename
    sandbox = small_tree(tmp_path)
    said = sandbox.run(["/usr/bin/python3", "-c", (
        "import os, socket\nsocket.sethostname('guest')\n"
        "print(os.uname().nodename, socket.gethostname())\n"
        "try:\n  socket.sethostname('x' * 65)\nexcept OSError: print('too long')")])
    assert said.stdout == "guest guest\ntoo long\n"
    assert sandbox.run(["/bin/hostname"]).stdout == "localhost\n"
    assert os.uname().nodename == before


def test_dracut_for_uname_is_dracut_for_the_image(tmp_path: Path) -> None:
    with a_place(tmp_path) as place:
        with_kernels(place.tree.root, "6.12.0-55.el10.x86_64")
        place.post("%post --erroronfail\n"
                   "echo made > /boot/initramfs-$(uname -r).img\n%end\n")
        assert place.tree.read("/boot/initramfs-6.12.0-55.el10.x86_64.img") == "made\n"


def test_pre_sees_no_kernel_of_the_host(tmp_path: Path) -> None:
    file = tmp_path / "test.ks"
    file.write_text("%pre\nuname -a > /tmp/answer; cat /proc/version >> /tmp/answer\n%end\n")
    found = run_pre(file, tmp_path / "store")
    said = (found.root / "tmp/answer").read_text()
    assert f"Linux localhost {RELEASE} " in said
    assert os.uname().release not in said and os.uname().version not in said


def test_proc_tells_of_no_host(tmp_path: Path) -> None:
    def facts(path: str) -> set[str]:
        return set(re.findall(r"[\w.-]{5,}", Path(path).read_text(errors="replace")))

    said = small_tree(tmp_path).run(["/bin/sh", "-c", (
        "cd /proc; cat filesystems cpuinfo meminfo uptime loadavg partitions cmdline swaps devices"
        " stat sys/kernel/random/boot_id self/cgroup crypto; free -b; uptime")], check=False).stdout
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/cmdline", "/proc/partitions"):
        assert not facts(path) & set(said.split()) - {"major", "minor", "#blocks", "name"}, path
    total = re.findall(r"MemTotal: *(\d+)", Path("/proc/meminfo").read_text())[0]
    assert total not in said and re.search(r"MemTotal: +4194304 kB", said)
    assert "btime 0" in said and "0::/\n" in said
    model = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[0]
    assert model not in said
    assert "btrfs" not in said and "\txfs\n" in said


def test_a_random_number_is_random_every_time(tmp_path: Path) -> None:
    said = small_tree(tmp_path).run(
        ["/bin/cat", "/proc/sys/kernel/random/uuid", "/proc/sys/kernel/random/uuid"]).stdout
    one, other = said.split()
    assert one != other


def test_many_that_ask_at_once_are_answered(tmp_path: Path) -> None:
    said = small_tree(tmp_path).run(["/bin/sh", "-c", (
        "for i in 1 2 3 4 5 6 7 8; do (for j in 1 2 3 4 5; do uname -r; done) & done; wait;"
        "timeout -s KILL 0.1 sh -c 'while :; do uname -r >/dev/null; done'; uname -r")],
        check=False).stdout
    assert said.splitlines() == [RELEASE] * 41


def test_our_own_process_is_not_asked_for(tmp_path: Path) -> None:
    """What is answered for is what was started, not what started it."""
    code = ("import os, sys\nfrom pathlib import Path\n"
            "from builder.sandbox.sandbox import Sandbox\n"
            "Sandbox(Path(sys.argv[1]), 1, binds={'/usr': Path('/usr')}).run(['/bin/true'])\n"
            "print(os.uname().release)")
    small_tree(tmp_path)
    done = subprocess.run([sys.executable, "-c", code, tmp_path], text=True, check=True,
                          capture_output=True, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == os.uname().release


def test_an_address_that_is_none_is_an_error_of_the_caller(tmp_path: Path) -> None:
    said = small_tree(tmp_path).run(["/usr/bin/python3", "-c", (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "for address in (0, 8, 2**63, 2**64 - 1):\n"
        "  for call in (63, 99):\n"
        "    print(libc.syscall(call, ctypes.c_ulong(address)), ctypes.get_errno())\n")]).stdout
    assert said.splitlines() == ["-1 14"] * 8


def test_the_tree_below_an_installer_has_the_kernel(tmp_path: Path) -> None:
    with a_place(tmp_path) as place:
        with_kernels(place.tree.root, "5.14.0-1.el9")
        place.post("%post --nochroot --log=/mnt/sysimage/root/log\nuname -r\n%end\n")
        assert place.tree.read("/root/log") == "5.14.0-1.el9\n"
