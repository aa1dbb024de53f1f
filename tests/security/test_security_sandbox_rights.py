"""The rights of what runs in a sandbox: exactly a list, in a container with few of them, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from host.errors import InputError
from tests.security.sandboxed import Place, a_place, small_tree

KEPT = {0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 27, 28, 29, 31, 33}
"""<linux/capability.h>: what docs/security.md says that scripts have."""

NETWORK = {12}
"""What bubblewrap needs for itself stays in the bounding set; nothing can be had from there, since
no program gains capabilities (NoNewPrivs)."""

LOOK = "cat /proc/self/status"
PROJECT = Path(__file__).parents[2]

# Runs in a process with fewer rights than this one has.
INSIDE = """
import json, sys
from pathlib import Path
from builder.sandbox.sandbox import Sandbox
done = Sandbox(Path(sys.argv[1]), 1, binds={"/usr": Path("/usr")}).run(
    ["/bin/sh", "-c", sys.argv[2]], check=False)
print(json.dumps([done.status, done.stdout, done.stderr]))
"""


def capabilities(status: str) -> dict[str, set[int]]:
    rows = [line.split(":\t") for line in status.splitlines() if line.startswith("Cap")]
    return {name: {bit for bit in range(64) if int(value, 16) >> bit & 1} for name, value in rows}


def ours() -> set[int]:
    found = capabilities(Path("/proc/self/status").read_text())
    return found["CapPrm"] & found["CapBnd"]


def test_a_script_has_the_kept_capabilities_and_no_other(tmp_path: Path) -> None:
    found = capabilities(small_tree(tmp_path).run(["/bin/sh", "-c", LOOK]).stdout)
    for name in ("CapEff", "CapPrm"):
        assert found[name] == KEPT & ours(), name
    assert found["CapBnd"] - NETWORK == KEPT & ours()
    assert found["CapInh"] | found["CapAmb"] <= KEPT


@pytest.mark.parametrize("lacking", [
    ["cap_sys_time"], ["cap_wake_alarm", "cap_mac_admin"],
    ["cap_linux_immutable", "cap_audit_write", "cap_lease", "cap_sys_module", "cap_bpf"],
])
@pytest.mark.parametrize("way", ["bounding set", "permitted set"])
def test_with_fewer_rights_of_our_own_a_script_has_no_more(
    tmp_path: Path, lacking: list[str], way: str,
) -> None:
    small_tree(tmp_path)
    drop = ",".join(f"-{name.removeprefix('cap_')}" for name in lacking)
    words = ["setpriv", f"--bounding-set={drop}", "--"]
    if way == "permitted set":  # root's next program would have them again, but for this
        words = ["setpriv", "--no-new-privs", f"--bounding-set={drop}", "--"]
    said = subprocess.run(
        [*words, sys.executable, "-c", INSIDE, tmp_path, LOOK], cwd=PROJECT, text=True,
        capture_output=True, check=True).stdout
    status, text, errors = json.loads(said)
    assert status == 0, errors
    found = capabilities(text)
    numbers = {"cap_sys_time": 25, "cap_wake_alarm": 35, "cap_mac_admin": 33, "cap_bpf": 39,
               "cap_linux_immutable": 9, "cap_audit_write": 29, "cap_lease": 28,
               "cap_sys_module": 16}
    gone = {numbers[name] for name in lacking}
    for name in ("CapEff", "CapPrm"):
        assert found[name] == (KEPT & ours()) - gone, name
    assert found["CapBnd"] - NETWORK == (KEPT & ours()) - gone


def test_the_first_process_tells_nothing_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2")
    place = small_tree(tmp_path)
    said = place.run(["/bin/sh", "-c", (
        "cat /proc/1/environ; echo; for p in /proc/[0-9]*; do cat $p/environ $p/cmdline; done;"
        "env; ls -l /proc/self/fd/ /proc/1/fd/; readlink /proc/1/cwd /proc/1/exe")],
        env={"INSIDE": "yes"}, check=False).stdout
    assert "INSIDE=yes" in said
    assert "hunter2" not in said and "A_SECRET" not in said
    assert str(tmp_path) not in said and str(PROJECT) not in said
    assert "SSH" not in said and os.environ.get("VIRTUAL_ENV", "/work") not in said


def test_no_descriptor_of_ours_is_inherited(tmp_path: Path) -> None:
    said = small_tree(tmp_path).run(["/usr/bin/python3", "-c", (
        "import os\nfor n in range(3, 1000):\n"
        "  try: print(n, os.readlink(f'/proc/self/fd/{n}'))\n  except OSError: pass")]).stdout
    assert said == ""


def test_proc_has_nothing_of_the_hosts_kernel(tmp_path: Path) -> None:
    said = small_tree(tmp_path).run(["/bin/sh", "-c", (
        "for f in keys key-users kcore kallsyms timer_list sched_debug modules config.gz diskstats"
        " interrupts iomem sysrq-trigger; do [ -s /proc/$f ] && echo $f; done;"
        "for d in fs bus irq acpi driver scsi tty; do [ -e /proc/$d ] && ls /proc/$d; done;"
        "for f in sys/kernel/core_pattern sysrq-trigger sys/vm/drop_caches keys version"
        " self/oom_score_adj 1/mem self/mem; do (: > /proc/$f) 2>/dev/null && echo wrote $f; done;"
        "ls /sys/block /sys/class/net /sys/firmware /sys/fs")], check=False).stdout
    assert set(said.split()) <= {"/sys/block:", "/sys/class/net:", "/sys/firmware:", "/sys/fs:"}


def test_the_first_process_can_not_be_taken_over(tmp_path: Path) -> None:
    """bubblewrap's own has no filter: what gets into it, could make namespaces."""
    said = small_tree(tmp_path).run(["/usr/bin/python3", "-c", """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for name, number in {"ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311,
                     "pidfd_getfd": 438, "process_madvise": 440}.items():
    print(name, libc.syscall(number, 16, 1, 0, 0, 0, 0), ctypes.get_errno())
try:
    os.open("/proc/1/mem", os.O_RDWR)
    print("mem opened")
except OSError:
    pass
"""]).stdout
    assert said.splitlines() == [f"{name} -1 1" for name in (
        "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "process_madvise")]


@pytest.mark.parametrize(("trap", "named"), [
    ("umount -l /proc; rmdir /proc; ln -s {victim} /proc", "/proc"),
    ("umount -l /dev; rmdir /dev; ln -s {victim} /dev", "/dev"),
    ("umount /sys; rmdir /sys; ln -s ../../../../../../{victim} /sys", "/sys"),
    ("umount /sys; rmdir /sys; touch /sys", "/sys"),
    ("umount /sys; rmdir /sys; mkfifo /sys", "/sys"),
])
def test_a_mount_point_that_became_something_else_is_bad_input(
    tmp_path: Path, trap: str, named: str,
) -> None:
    with a_place(tmp_path) as place:
        _refused(place, trap.format(victim=place.victim), named)


def _refused(place: Place, trap: str, named: str) -> None:
    for text in (f"%post\n{trap}\n%end\n", "%post\ntrue\n%end\n"):
        with pytest.raises(InputError, match=named) as caught:
            place.post(text)
        assert caught.value.where == f"{place.folder}/test.ks:1"
    assert place.is_untouched()


@pytest.mark.parametrize("trap", [
    "ln -s {victim} mnt", "ln -s {victim}/new mnt", "ln -s /oldroot{victim} mnt",
    "ln -s ../../../../../../..{victim} mnt", "ln -s /var mnt",
])
def test_missing_mount_points_are_made_in_the_tree_and_vanish(tmp_path: Path, trap: str) -> None:
    with a_place(tmp_path) as place:
        root = place.tree.root
        (root / "mnt").rmdir()
        subprocess.run(["sh", "-c", trap.format(victim=place.victim)], cwd=root, check=True)
        shown = tmp_path / "shown"
        shown.mkdir()
        before = sorted(found.path for found in place.tree.files.walk())
        sandbox = replace(place.tree.sandbox, binds={
            **place.tree.sandbox.binds, "/mnt/a/b/folder": shown,
            "/mnt/c/file": place.victim / "file", "/mnt/d": place.victim / "file"})
        said = sandbox.run(["/bin/sh", "-c", "cat /mnt/c/file /mnt/d; ls -d /mnt/a/b/folder"],
                           check=False)
        assert said.stdout == "hosthost/mnt/a/b/folder\n", said.stderr
        assert sorted(found.path for found in place.tree.files.walk()) == before
        assert place.is_untouched()


def test_an_empty_tree_stays_empty(tmp_path: Path) -> None:
    with a_place(tmp_path) as place:
        root = place.pre_install("%pre-install --erroronfail\nls /mnt/sysimage/proc/self\n%end\n")
        assert list(root.iterdir()) == []


def test_an_empty_tree_with_links_for_mount_points_is_bad_input(tmp_path: Path) -> None:
    with a_place(tmp_path) as place:
        with pytest.raises(InputError, match="/proc"):
            place.pre_install(
                "%pre-install\numount -l /mnt/sysimage/proc /mnt/sysroot/proc\n"
                "rmdir /mnt/sysimage/proc\n"
                f"ln -s {place.victim} /mnt/sysimage/proc\n%end\n%pre-install\ntrue\n%end\n")
        assert place.is_untouched()


@pytest.mark.parametrize("trap", [
    "true", "ln -s ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf",
    "ln -s {victim}/file etc/resolv.conf", "ln -s {victim}/new etc/resolv.conf",
    "echo own > etc/resolv.conf",
])
def test_with_a_network_its_settings_are_shown_and_not_left(tmp_path: Path, trap: str) -> None:
    with a_place(tmp_path) as place:
        root = place.tree.root
        subprocess.run(["sh", "-c", trap.format(victim=place.victim)], cwd=root, check=True)
        before = sorted(found.path for found in place.tree.files.walk())
        sandbox = replace(place.tree.sandbox, network=True)
        said = sandbox.run(["/bin/sh", "-c", "cat /etc/resolv.conf; ls /sys/class/net"])
        assert said.stdout == Path("/etc/resolv.conf").read_text()
        assert sorted(found.path for found in place.tree.files.walk()) == before
        assert place.is_untouched()
        assert place.tree.read("/etc/resolv.conf") == ("own\n" if "own" in trap else "")
