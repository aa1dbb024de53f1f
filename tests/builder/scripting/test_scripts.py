"""%post, --nochroot and %pre-install: the script beside what it leaves in tree and table."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.disk.layout import Layout, PartitionRequest, plan_layout
from builder.kickstart.read import read
from builder.sandbox.sandbox import Sandbox
from builder.scripting.disk import changed_layout
from builder.scripting.scripts import Setting, run_after_failure, run_post, run_pre_install
from builder.tree import labels
from builder.tree.tree import Tree
from host.errors import HostError, InputError
from images.bounds import Bounds

Run = Callable[..., Path]
PROGRAMS = ("chcon", "hostnamectl", "fixfiles", "findmnt", "df", "blkid")


@pytest.fixture
def layout() -> Layout:
    def part(mountpoint: str, **more: object) -> PartitionRequest:
        return PartitionRequest(mountpoint=mountpoint, where="t.ks:1", **more)  # type: ignore[arg-type]

    return plan_layout(
        [part("biosboot", size_mib=1, fstype="biosboot"),
         part("/", size_mib=200, fstype="ext4", grow=True)], 1 << 30, "gpt", "seed")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A tree with the host's programs; those that are stood in for are its own files, too."""
    root = tmp_path / "tree"
    for folder in ("usr/bin", "usr/sbin", "dev", "proc", "sys", "run", "etc", "root", "mnt",
                   "usr/lib/grub/i386-pc"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").mkdir(mode=0o1777)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for name in PROGRAMS:
        for folder in ("usr/bin", "usr/sbin"):
            if Path("/", folder, name).is_file():
                shutil.copy(Path("/", folder, name), root / folder / name)
    return Tree(root, Sandbox(root, 1, binds={"/usr": Path("/usr")}))


@pytest.fixture
def run(tree: Tree, layout: Layout, tmp_path: Path) -> Run:
    """Run a kickstart's scripts and return the folder of the step's result."""
    def run(text: str, **more: object) -> Path:
        setting = make(text, layout, tmp_path, **more)
        run_post(tree, setting)
        return setting.results

    return run


def make(text: str, layout: Layout, tmp_path: Path, **more: object) -> Setting:
    path = tmp_path / "test.ks"
    path.write_text(text)
    for name in ("scratch", "results"):
        (tmp_path / name).mkdir()
    settings: dict[str, object] = {"before": None, "arguments": "", **more}
    kickstart = read(path, "RHEL10")
    scripts = kickstart.scripts_of("%post", "%pre-install")
    return Setting(scripts, kickstart.scripts_of("%onerror"), layout,
                   scratch=tmp_path / "scratch", results=tmp_path / "results", **settings)  # type: ignore[arg-type]


def test_a_script_changes_the_tree_and_leaves_no_trace_of_itself(run: Run, tree: Tree) -> None:
    run("%post --log=/root/logs/post.log\n"
        "echo out; echo $0; echo err >&2; pwd > /etc/where\n%end\n")
    assert tree.read("/etc/where") == "/\n"
    logged = tree.read("/root/logs/post.log").split()
    assert sorted(logged)[1:] == ["err", "out"] and "/tmp/ks-script-" in sorted(logged)[0]
    assert list((tree.root / "tmp").iterdir()) == []


def test_both_outputs_are_in_the_order_in_which_they_were_written(
    run: Run, tree: Tree, tmp_path: Path,
) -> None:
    lines = [str(number) for number in range(40)]
    with pytest.raises(InputError, match="status 1") as caught:
        run("%post --log=/root/post.log --erroronfail\n"
            "for n in $(seq 0 2 38); do echo $n; echo $((n + 1)) >&2; done; exit 1\n%end\n")
    assert tree.read("/root/post.log").split() == lines
    assert caught.value.why == "; ".join(lines[-4:])


def test_output_is_live_in_the_log_with_file_and_line(
    run: Run, caplog: pytest.LogCaptureFixture, tmp_path: Path,
) -> None:
    with caplog.at_level(logging.INFO, "ccis.script"):
        run("text\n%post --interpreter=/usr/bin/python3\nprint(6 * 7)\n%end\n")
    assert f"{tmp_path}/test.ks:2: 42" in caplog.messages


def test_run_can_be_unmounted_and_is_the_trees_own_then(run: Run, tree: Tree) -> None:
    run("%post --erroronfail\ntouch /run/lost\numount /run\ntouch /run/kept\n%end\n")
    assert [path.name for path in (tree.root / "run").iterdir()] == ["kept"]


def test_nochroot_sees_the_installer_and_the_tree(run: Run, tree: Tree, tmp_path: Path) -> None:
    run("%post --nochroot --erroronfail --log=/mnt/sysimage/root/nochroot.log\n"
        "umount /mnt/sysimage/run\n"
        "test -e /mnt/sysimage/proc/self -a -e /mnt/sysroot/dev/null -a ! -e /etc/only-in-tree\n"
        "cat /proc/cmdline\n"
        "echo x > /mnt/sysroot/etc/only-in-tree\n"
        "%end\n"
        "%post --erroronfail\ntest -e /etc/only-in-tree\n%end\n", arguments="role=web")
    assert tree.read("/root/nochroot.log") == (
        "inst.ks=file:/run/install/ks.cfg inst.text role=web\n")
    assert tree.read("/etc/only-in-tree") == "x\n"


def test_nochroot_finds_what_pre_left_and_the_store_stays_as_it_is(
    run: Run, tree: Tree, tmp_path: Path,
) -> None:
    from builder.scripting import installer
    before = tmp_path / "before"
    before.mkdir()
    installer.prepare(before)
    (before / "tmp/answer").write_text("from pre\n")
    run("%post --nochroot\nmv /tmp/answer /mnt/sysimage/root/\n%end\n", before=before)
    assert tree.read("/root/answer") == "from pre\n"
    assert (before / "tmp/answer").exists()


def test_flags_names_and_types_of_partitions_are_kept(run: Run, layout: Layout) -> None:
    results = run("%post --erroronfail\n"
                  "parted -s /dev/vda set 2 legacy_boot on\n"
                  "parted -s /dev/sda name 2 ROOT\n"
                  "parted -s /dev/vda disk_set pmbr_boot off\n%end\n")
    before, after = layout.partitions, changed_layout(layout, results).partitions
    assert after[0] == before[0]
    assert (after[1].attributes, after[1].part_name) == ("LegacyBIOSBootable", "ROOT")
    assert (after[1].start_bytes, after[1].part_uuid, after[1].fs_uuid) == (
        before[1].start_bytes, before[1].part_uuid, before[1].fs_uuid)


def test_a_script_that_touches_no_disk_changes_no_layout(run: Run, layout: Layout) -> None:
    assert changed_layout(layout, run("%post\ntrue\n%end\n")) is layout


def test_partitions_can_not_be_removed_in_post(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="changed the partitions") as caught:
        run("%post\nparted -s /dev/vda rm 2\n%end\n")
    assert caught.value.where == f"{tmp_path}/test.ks:1"


def test_erroronfail_ends_the_build_after_onerror(run: Run, tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="failed with status 3") as caught:
        run("%onerror\necho seen > /mnt/sysimage/root/onerror\n%end\n"
            "%post\nexit 1\n%end\n"
            "%post --erroronfail\nexit 3\n%end\n"
            "%post\ntouch /never\n%end\n")
    assert caught.value.where == f"{tmp_path}/test.ks:7"
    assert tree.read("/root/onerror") == "seen\n"
    assert not tree.exists("/never")


def test_time_is_bounded(run: Run, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="the %post script did not end within 1 s") as caught:
        run("%post\nsleep 100 & sleep 100\n%end\n", bounds=Bounds(minutes=1 / 60))
    assert caught.value.where == f"{tmp_path}/test.ks:1"


@pytest.mark.parametrize(("options", "file"), [("", "/zeroes"), (" --nochroot", "/tmp/zeroes")])
def test_filling_the_disk_with_zeroes_ends_at_its_size_and_fills_no_host(
    run: Run, tree: Tree, options: str, file: str,
) -> None:
    root = "/mnt/sysimage" if options else ""
    run(f"%post --erroronfail{options}\n"
        f"dd if=/dev/zero of={file} bs=1M seek=1020 count=100 2>&1 && exit 1\n"
        f"stat -c %s {file} > {root}/size; rm -f {file}\n%end\n")
    assert tree.read("/size") == f"{1 << 30}\n"


def test_hostnamectl_works_without_a_bus(run: Run, tree: Tree) -> None:
    if not tree.exists("/usr/bin/hostnamectl"):
        pytest.skip("the host has no hostnamectl")
    run("%post --erroronfail\nhostnamectl set-hostname web.example\n"
        "hostnamectl --static > /root/said || hostnamectl hostname > /root/said\n%end\n")
    assert tree.read("/etc/hostname") == "web.example\n"
    assert "web.example" in tree.read("/root/said")


def test_systemctl_works_without_systemd(run: Run, tree: Tree) -> None:
    (tree.root / "etc/systemd/system").mkdir(parents=True)
    run("%post --erroronfail\nsystemctl mask foo.service\nsystemctl daemon-reload\n"
        "systemctl set-default multi-user.target\n%end\n")
    folder = tree.root / "etc/systemd/system"
    assert (folder / "foo.service").readlink() == Path("/dev/null")
    assert (folder / "default.target").readlink().name == "multi-user.target"


def test_what_chcon_set_by_hand_is_noted_and_given_back(run: Run, tree: Tree) -> None:
    label = "system_u:object_r:bin_t:s0"
    results = run(f"%post --erroronfail\ncd /etc; touch mine\nchcon {label} mine\n"
                  "chcon -t lib_t /etc/mine\n%end\n")
    kept = os.getxattr(tree.root / "etc/mine", "security.selinux")
    assert kept.rstrip(b"\0") == b"system_u:object_r:lib_t:s0"
    os.setxattr(tree.root / "etc/mine", "security.selinux", b"policy_u:object_r:policy_t:s0")
    labels.restore_set_by_hand(tree, results)
    assert os.getxattr(tree.root / "etc/mine", "security.selinux") == kept


def test_pre_install_writes_below_the_packages_and_keeps_the_installer(
    layout: Layout, tmp_path: Path,
) -> None:
    setting = make("%pre-install --log=/tmp/pi.log\nmkdir /mnt/sysimage/etc\n"
                   "echo x > /mnt/sysimage/etc/early\necho y > /root/left\necho said\n%end\n",
                   layout, tmp_path)
    root = tmp_path / "layer"
    root.mkdir()
    run_pre_install(root, setting)
    assert [str(path.relative_to(root)) for path in sorted(root.rglob("*"))] == ["etc", "etc/early"]
    kept = setting.results / "installer"
    assert (kept / "root/left").read_text() == "y\n"
    assert (kept / "tmp/pi.log").read_text() == "said\n"


def test_a_kickstart_without_post_needs_no_disk(tree: Tree, layout: Layout, tmp_path: Path) -> None:
    setting = Setting((), (), layout, None, "", tmp_path, tmp_path)
    run_post(tree, setting)
    assert not (tmp_path / "disk-image").exists()


def test_onerror_runs_when_another_step_fails(layout: Layout, tmp_path: Path) -> None:
    seen: list[str] = []
    setting = make("%onerror\necho $PWD; ls /mnt/sysimage; exit 7\n%end\n", layout, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builder.scripting.scripts.progress_say", lambda _: seen.append)
        run_after_failure(setting)
    assert seen == [f"{tmp_path}/test.ks:1: %onerror without --erroronfail: status 7: /"]


@pytest.mark.parametrize("where", ["", " --nochroot"])
def test_terminals_take_what_is_printed_and_nobody_types(
    where: str, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    """As in Foreman's template, which many kickstarts are made of."""
    with caplog.at_level(logging.INFO, "ccis.script"):
        run(f"text\n%post{where} --erroronfail\nset -e\n"
            "for t in /dev/console /dev/ttyS0 /dev/tty; do test -c $t; echo at $t >$t; done\n"
            "exec </dev/tty3 >/dev/tty3\n"
            "test -t 0 -a -t 1; test \"$(tty)\" = /dev/tty3\n"
            "if read -r line; then exit 4; fi\n"
            "( echo seen ) 2>&1 | tee /tmp/log\n"
            "%end\n")
    said = [line.removeprefix(f"{tmp_path}/test.ks:2: ") for line in caplog.messages]
    assert said == ["at /dev/console", "at /dev/ttyS0", "at /dev/tty", "seen"]


CHVT = """
import fcntl, os, struct
for name in ("/dev/tty0", "/dev/console"):
    console = os.open(name, os.O_RDWR)
    kind, state = bytearray(1), bytearray(6)
    fcntl.ioctl(console, 0x4B33, kind)  # KDGKBTYPE
    fcntl.ioctl(console, 0x5606, 3)  # VT_ACTIVATE
    fcntl.ioctl(console, 0x5607, 3)  # VT_WAITACTIVE
    fcntl.ioctl(console, 0x5603, state)  # VT_GETSTATE
    assert kind == bytes([2]) and struct.unpack("=3H", state) == (1, 0, 2)
for number, command in ((os.open("/dev/null", os.O_RDWR), 0x4B33), (99, 0x4B33), (console, 0x5401)):
    try:
        fcntl.ioctl(number, command, bytearray(64))
        print("yes")
    except OSError as error:
        print(error.strerror)
"""


def test_chvt_is_told_that_terminals_are_consoles(run: Run, tree: Tree) -> None:
    run(f"%post --interpreter=/usr/bin/python3 --erroronfail --log=/root/log{CHVT}%end\n")
    assert tree.read("/root/log").splitlines() == [
        "Inappropriate ioctl for device", "Bad file descriptor", "yes"]


def test_what_is_printed_on_a_terminal_counts_as_output(run: Run) -> None:
    with pytest.raises(InputError, match="printed more than"):
        run("%post\nexec >/dev/tty1\nwhile :; do echo 0123456789; done\n%end\n",
            bounds=Bounds(output="1 MiB"))


OWN = ("sh", "basename", "chmod", "cp", "mkdir", "mv", "rm", "sed", "tr")


def test_stand_ins_lie_before_the_trees_programs_and_never_over_them(
    tree: Tree, layout: Layout, tmp_path: Path,
) -> None:
    """As `rpm -V`, `rpm -e` and AIDE would notice."""
    folder = tree.root / "usr/bin"
    for name in OWN:
        shutil.copy(Path("/usr/bin", name), folder / name)
    (tree.root / "usr/sbin/grub2-mkconfig").write_text(
        '#!/bin/sh -e\nsbindir=/usr/sbin\nself=$(basename $0)\n'
        'grub_probe="${sbindir}/grub2-probe"\n'
        'echo "$self $($grub_probe --target=fs_uuid /) $($grub_mkrelpath /boot/x)"\n')
    for name in ("grub2-mkconfig", "grub2-probe", "grub2-mkrelpath"):
        (tree.root / "usr/sbin" / name).touch()
        (tree.root / "usr/sbin" / name).chmod(0o755)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    sandbox = Sandbox(tree.root, 1, binds={
        path: Path(path) for path in ("/usr/lib", "/usr/lib64") if Path(path).is_dir()})
    run_post(Tree(tree.root, sandbox), make(
        "%post --erroronfail --log=/root/log\nset -e\n"
        "command -v chcon\n/usr/bin/chcon --version >/dev/null\n"
        "cp /usr/bin/df /root/df\nmv /usr/bin/chcon /usr/bin/chcon.own\n"
        "rm /usr/bin/hostnamectl\n"
        "findmnt -no SOURCE /\ngrub2-mkconfig\n%end\n", layout, tmp_path))
    assert tree.read("/root/log").splitlines() == [
        "/dev/.stand-ins/chcon", "/dev/vda2",
        f"grub2-mkconfig {layout.root.fs_uuid} /boot/x"]
    assert (tree.root / "root/df").read_bytes() == before["df"]
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    before["chcon.own"] = before.pop("chcon")
    del before["hostnamectl"]
    assert after == before


@pytest.mark.parametrize(("interpreter", "text", "line"), [
    ("/bin/sh", "true\n\ncat < /nowhere/x\nexit 7", 5),
    ("/bin/bash", "true\n. /nowhere\nexit 7", 4),
    ("/usr/bin/python3", "import os\nraise SystemError", 4), ("/bin/sh", "true\nexit 7", 2),
])
def test_the_line_that_the_interpreter_complained_of_is_named(
    interpreter: str, text: str, line: int, run: Run, tmp_path: Path,
) -> None:
    with pytest.raises(InputError) as caught:
        run(f"text\n%post --erroronfail --interpreter={interpreter}\n{text}\n%end\n")
    assert caught.value.where == f"{tmp_path}/test.ks:{line}"
