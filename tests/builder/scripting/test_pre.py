"""%pre: the script beside the partition table and the files that it leaves."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

from builder.kickstart.layout import layout_of
from builder.kickstart.model import Script
from builder.kickstart.read import read, read_pre
from builder.planner import run_pre
from builder.steps import pre as step
from builder.store.store import Store
from host.errors import HostError, InputError
from images.bounds import Bounds
from images.catalogue import release

MIB = 1 << 20
SIZE_BYTES = 10 << 30
GPT_EFI = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
GPT_LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
GPT_BIOS = "21686148-6449-6E6F-744E-656564454649"
GPT_LVM = "E6D6D379-F507-44C2-A23C-238F2A3DF928"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", 1 << 40)


def script(text: str, **more: object) -> Script:
    settings: dict[str, object] = {
        "kind": "%pre", "interpreter": "/bin/sh", "in_chroot": False, "stop_on_error": True,
        "log": None, "where": "t.ks:1", **more}
    return Script(text=text, **settings)  # type: ignore[arg-type]


def inputs(scripts: list[Script], arguments: str) -> step.Inputs:
    return step.Inputs(epoch=1, scripts=tuple(scripts), disk_size_bytes=SIZE_BYTES,
                       arguments=arguments)


def run(store: Store, text: str, **more: object) -> step.Result:
    return run_pre(inputs([script(text, **more)], ""), store)


def rows(result: step.Result) -> list[tuple[int, int, int, str, str | None]]:
    assert result.table is not None
    return [(p.number, p.start_bytes // MIB, p.size_bytes // MIB, p.type_id, p.part_name)
            for p in result.table.partitions]


def loop_partitions() -> list[str]:
    return sorted(path.name for path in Path("/dev").glob("loop*p*"))


def test_the_shell_is_bash_as_in_an_installer(store: Store) -> None:
    result = run(store, """\
function word { local all=$1; echo "${all:0:6}"; }
if [[ $(word fedora-41) == fedora ]]; then echo yes > /tmp/said; fi
printf '#!/bin/sh\n[[ a == a ]] && echo inner >> /tmp/said\n' > /tmp/inner
chmod +x /tmp/inner && /tmp/inner
""")
    assert (result.root / "tmp/said").read_text() == "yes\ninner\n"


def test_parted_makes_the_table_that_onpart_refers_to(store: Store) -> None:
    before = loop_partitions()
    result = run(store, (
        "set -e\n"
        "dd if=/dev/zero of=/dev/vda bs=512 count=1\n"
        "/usr/sbin/parted -s /dev/vda mklabel gpt\n"
        "parted -s -a optimal /dev/sda -- mkpart biosboot 1MiB 2MiB set 1 bios_grub on\n"
        "parted -s -a optimal /dev/sda -- mkpart '\"EFI System Partition\"' fat32 2MiB 202MiB "
        "set 2 esp on\n"
        "parted -s /dev/vda mkpart primary xfs 1106MiB 10.7GB\n"
        "parted -s /dev/vda set 3 lvm on\n"
        "/usr/sbin/partprobe /dev/vda\nudevadm settle\n"
        "[ -b /dev/vda ] && [ -b /dev/sda ]\n"
    ))
    assert result.table is not None and result.table.table == "gpt"
    assert rows(result) == [
        (1, 1, 1, GPT_BIOS, "biosboot"),
        (2, 2, 200, GPT_EFI, "EFI System Partition"),
        (3, 1106, 9133, GPT_LVM, "primary"),
    ]
    assert (result.table.disk_uuid, result.table.partitions[0].part_uuid) == (None, None)
    assert loop_partitions() == before
    attached = subprocess.run(["losetup", "-a"], capture_output=True, text=True).stdout
    assert str(store.root) not in attached


def test_sfdisk_with_identifiers_that_are_kept_because_the_script_says_them(store: Store) -> None:
    one, disk = "0A1B2C3D-0000-4000-8000-000000000001", "0A1B2C3D-0000-4000-8000-0000000000FF"
    result = run(store, (
        "wipefs -af /dev/vda\n"
        "sfdisk /dev/vda <<EOF\n"
        f"label: gpt\nlabel-id: {disk}\n"
        f"size=512M, type=uefi, uuid={one.lower()}\nsize=1G, type=linux\n"
        "EOF\n"
    ))
    assert rows(result) == [(1, 1, 512, GPT_EFI, None), (2, 513, 1024, GPT_LINUX, None)]
    assert result.table is not None
    assert result.table.disk_uuid == disk
    assert [p.part_uuid for p in result.table.partitions] == [one, None]


def test_sgdisk_and_a_dos_table(store: Store) -> None:
    assert rows(run(store, "sgdisk -Z /dev/vda; sgdisk -n 1:0:+2M -t 1:ef02 /dev/vda\n")) == [
        (1, 1, 2, GPT_BIOS, None)]
    dos = run(store, "parted -s /dev/vda mklabel msdos mkpart primary ext4 1MiB 100% set 1 boot on")
    assert dos.table is not None
    (part,) = dos.table.partitions
    assert (dos.table.table, part.type_id, part.bootable) == ("msdos", "83", True)


def test_no_table_is_no_table(store: Store) -> None:
    assert run(store, "true\n").table is None


@pytest.mark.parametrize(("command", "prints"), [
    ("blockdev --getsize64 /dev/vda", "10737418240"),
    ("list-harddrives", "vda 10240.0"),
    ("lsblk -dno NAME", "vda"),
    ("lsblk -nb -o SIZE /dev/vda1", str(5 * MIB)),
    ("lsblk -rno NAME,TYPE,PKNAME /dev/sda", "vda disk \nvda1 part vda"),
    ("lsblk -J -o NAME /dev/vda | tr -d ' \\n'",
     '{"blockdevices":[{"name":"vda","children":[{"name":"vda1"}]}]}'),
    ("cat /sys/block/vda/size", "20971520"),
    ("cat /proc/cmdline", "inst.ks=file:/run/install/ks.cfg inst.text inst.lang=C"),
    ("tail -n 1 /proc/partitions | awk '{print $4}'", "vda"),
    ("udevadm info --query=property --name=/dev/vda | head -n 1", "DEVNAME=/dev/vda"),
    ("id -un", "root"),
])
def test_programs_answer_as_in_an_installer(store: Store, command: str, prints: str) -> None:
    text = ("sfdisk -q /dev/vda <<EOF\nlabel: gpt\nsize=5M\nEOF\n"
            f"{command} > /tmp/answer\n")
    result = run_pre(inputs([script(text)], "inst.lang=C"), store)
    assert (result.root / "tmp/answer").read_text().rstrip("\n") == prints


def test_pre_writes_what_the_kickstart_includes(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "test.ks"
    path.write_text(
        "%include /tmp/parts.ks\n%pre --interpreter=/usr/bin/python3\n"
        "open('/tmp/parts.ks', 'w').write('part / --onpart=vda1\\n')\n%end\n")
    result = run_pre(inputs(read_pre(path, "RHEL10"), ""), store)
    (command,) = read(path, "RHEL10", result.root).commands
    assert (command.name, command.where, command.data.onPart) == (
        "part", "/tmp/parts.ks:1", "vda1")


def test_onpart_takes_what_pre_made(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "test.ks"
    path.write_text(
        "%include /tmp/parts.ks\nbootloader --location=none\n"
        "%pre --erroronfail\n"
        "parted -s /dev/vda mklabel gpt mkpart boot ext4 1MiB 513MiB mkpart root xfs 513MiB 100%\n"
        "echo 'part / --fstype=xfs --onpart=vda2' > /tmp/parts.ks\n"
        "echo 'part /boot --fstype=ext4 --onpart=/dev/vda1' >> /tmp/parts.ks\n%end\n")
    pre = run_pre(inputs(read_pre(path, "RHEL10"), ""), store)
    layout = layout_of(read(path, "RHEL10", pre.root), SIZE_BYTES, release("rehearsal-10"), "seed",
                       existing=pre.table)
    found = [(p.number, p.mountpoint, p.fstype, p.start_bytes // MIB) for p in layout.partitions]
    assert found == [(1, "/boot", "ext4", 1), (2, "/", "xfs", 513)]
    again = layout_of(read(path, "RHEL10", pre.root), SIZE_BYTES, release("rehearsal-10"), "seed",
                      existing=pre.table)
    assert layout == again


def test_what_was_run_once_is_not_run_again(store: Store) -> None:
    first = run(store, "date +%s%N > /tmp/x\n")
    again = run(store, "date +%s%N > /tmp/x\n")
    assert (first.root / "tmp/x").read_text() == (again.root / "tmp/x").read_text()
    other = run(store, "date +%s%N > /tmp/x # other\n")
    assert first.root == again.root != other.root


def test_a_failing_script_ends_the_build_only_with_erroronfail(
    store: Store, caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "ccis.script"):
        assert run(store, "echo hello; exit 3\n", stop_on_error=False).table is None
    assert "t.ks:1: hello" in caplog.messages
    with pytest.raises(InputError, match="failed with status 4") as caught:
        run(store, "echo why >&2; exit 4\n")
    assert (caught.value.where, caught.value.why) == ("t.ks:1", "why")


def test_the_log_is_written_in_the_installer(store: Store) -> None:
    result = run(store, "echo out; echo err >&2\n", log="/var/log/deep/pre.log")
    assert sorted((result.root / "var/log/deep/pre.log").read_text().split()) == ["err", "out"]


def test_a_script_that_never_ends_is_ended(store: Store) -> None:
    with pytest.raises(HostError, match="did not end within 1 s"):
        run_pre(inputs([script("sleep 60 & sleep 60\n")], "").model_copy(
            update={"bounds": Bounds(minutes=1 / 60)}), store)
