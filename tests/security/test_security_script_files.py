"""A script's own file and its log: whatever an earlier script put in their places, no way out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from host.errors import InputError
from tests.security.sandboxed import Place, a_place, run_pre


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with a_place(tmp_path) as made:
        yield made


SECOND = "%post --erroronfail\necho ran > /root/answer\necho $0 > /root/name\n%end\n"


@pytest.mark.parametrize("trap", [
    "ln -s {victim}/file /tmp/{name}", "ln -s {victim}/new /tmp/{name}", "mkfifo /tmp/{name}",
    "mkdir -p /tmp/{name}/deep; ln -s {victim} /tmp/{name}/link",
    "rm -rf /tmp; ln -s {victim} /tmp", "rm -rf /tmp; ln -s ../../../../../..{victim} /tmp",
    "rm -rf /tmp", "touch /root/same; ln /root/same /tmp/{name}",
])
def test_the_scripts_file_is_written_in_the_tree(place: Place, trap: str) -> None:
    place.post(f"%post\ntrue\n%end\n{SECOND}")  # an attacker knows the name beforehand
    name = PurePosixPath(place.tree.read("/root/name").strip()).name
    place.tree.write("/root/answer", "")
    first = trap.format(victim=place.victim, name=name)
    place.post(f"%post --erroronfail\n{first}\n%end\n{SECOND}")
    assert place.tree.read("/root/answer") == "ran\n"
    assert place.is_untouched()
    assert place.tree.read("/root/same") == ""
    names = [found.path for found in place.tree.files.walk() if "ks-script-" in found.path]
    assert names == []


@pytest.mark.parametrize("trap", [
    "rm -rf /tmp; mkfifo /tmp", "rm -rf /tmp; touch /tmp", "rm -rf /tmp; ln -s /dev/shm /tmp",
])
def test_a_tmp_that_is_no_folder_is_bad_input_and_names_the_script(
    place: Place, trap: str,
) -> None:
    with pytest.raises(InputError) as caught:
        place.post(f"%post --erroronfail\n{trap}\n%end\n%post\ntrue\n%end\n")
    assert caught.value.where == f"{place.folder}/test.ks:4"


def test_a_tmp_that_is_a_loop_names_the_script_that_made_it(place: Place) -> None:
    with pytest.raises(InputError, match="loop") as caught:
        place.post("%post\nrm -rf /tmp; ln -s tmp /tmp\n%end\n%post\ntrue\n%end\n")
    assert caught.value.where == f"{place.folder}/test.ks:1"


@pytest.mark.parametrize(("trap", "log", "kept"), [
    ("ln -s {victim}/file /root/log", "/root/log", None),
    ("ln -s {victim} /root/logs", "/root/logs/new", None),
    ("ln -s {victim} /root/logs", "/root/logs/file", None),
    ("ln -s /var/elsewhere /root/log", "/root/log", "/var/elsewhere"),
    ("mkdir /var/logs; ln -s /var/logs /root/logs", "/root/logs/deep/log", "/var/logs/deep/log"),
    ("mkfifo /root/log", "/root/log", "/root/log"),
    ("mknod /root/log c 1 5", "/root/log", "/root/log"),
    ("echo old > /root/log; ln /root/log /root/same", "/root/log", "/root/log"),
    ("true", "/dev/vda", None), ("true", "/dev/tty3", None), ("true", "/run/gone", None),
    ("true", "/proc/sys/kernel/core_pattern", None),
    ("true", "/root/../var/log/x", "/var/log/x"),
])
def test_the_log_is_a_regular_file_of_the_tree(
    place: Place, trap: str, log: str, kept: str | None,
) -> None:
    trap = trap.format(victim=place.victim)
    place.post(f"%post --erroronfail\n{trap}\n%end\n%post --log={log}\necho said\n%end\n")
    assert place.is_untouched()
    if kept:
        status = place.tree.files.stat(kept)
        assert status is not None and stat.S_ISREG(status.st_mode) and status.st_nlink == 1
        assert place.tree.read(kept) == "said\n"
    assert not any((place.tree.root / name).exists()
                   for name in ("dev/vda", "dev/tty3", "run/gone"))


@pytest.mark.parametrize("trap", ["mkdir -p /root/log", "mkfifo /root/f; ln -s f/log /root/log",
                                  "ln -s log /root/log"])
def test_a_log_that_can_be_no_file_is_bad_input(place: Place, trap: str) -> None:
    with pytest.raises(InputError) as caught:
        place.post(f"%post --erroronfail\n{trap}\n%end\n%post --log=/root/log\ntrue\n%end\n")
    assert caught.value.where == f"{place.folder}/test.ks:4"
    assert place.is_untouched()


def test_what_takes_the_logs_place_meanwhile_gets_nothing(place: Place) -> None:
    place.post("%post --erroronfail --log=/root/log\necho one\nrm /root/log\n"
               f"ln -s {place.victim}/file /root/log\necho two\n%end\n")
    assert place.is_untouched()
    assert place.tree.files.is_link("/root/log")


@pytest.mark.parametrize(("trap", "log", "kept"), [
    ("true", "/mnt/sysimage/root/log", "/root/log"),
    ("ln -s {victim} /mnt/sysimage/root/logs", "/mnt/sysimage/root/logs/file", None),
    ("ln -s /mnt/sysimage/root /tmp/there", "/tmp/there/log", "/root/log"),
    ("ln -s ../../../../../../..{victim} /mnt/sysroot/root/logs", "/mnt/sysroot/root/logs/file",
     None),
    ("mkfifo /mnt/sysimage/root/log", "/mnt/sysimage/root/log", "/root/log"),
    ("true", "/usr/bin/true", None),
])
def test_the_log_of_a_script_outside_the_tree_stays_inside_both(
    place: Place, trap: str, log: str, kept: str | None,
) -> None:
    trap = trap.format(victim=place.victim)
    place.post(f"%post --nochroot --erroronfail\n{trap}\n%end\n"
               f"%post --nochroot --log={log}\necho said\n%end\n")
    assert place.is_untouched()
    if kept:
        assert place.tree.read(kept) == "said\n"


def test_pre_can_not_have_its_log_on_a_device_of_the_host(tmp_path: Path) -> None:
    nodes = [path for path in Path("/dev").glob("[lvs][od]*[a0]") if path.is_block_device()]
    number = nodes[0].stat().st_rdev
    file = tmp_path / "test.ks"
    file.write_text(
        f"%pre\nmknod /tmp/node b {os.major(number)} {os.minor(number)}; "
        f"mknod /tmp/null c 1 3\n%end\n"
        "%pre --log=/tmp/node\necho said\n%end\n%pre --log=/tmp/null\necho said\n%end\n")
    found = run_pre(file, tmp_path / "store")
    for name in ("node", "null"):
        assert (found.root / "tmp" / name).read_text() == "said\n"
        assert (found.root / "tmp" / name).is_file()


def test_pre_writes_no_file_of_the_host_by_the_name_of_the_next_script(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("host")
    second = "%pre\n\necho $0 > /tmp/name\n%end\n"
    file, store = tmp_path / "test.ks", tmp_path / "store"
    file.write_text(f"%pre\ntrue\n%end\n{second}")
    found = run_pre(file, store)
    name = (found.root / "tmp/name").read_text().strip()
    file.write_text(f"%pre\nln -s {victim} {name}\n%end\n{second}")
    run_pre(file, store)
    assert victim.read_text() == "host"
    assert stat.S_IMODE(victim.stat().st_mode) != 0o700
