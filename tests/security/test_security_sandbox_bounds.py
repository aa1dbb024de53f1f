"""What a script may use of the host: each bound is met, named with its line, and ends all of it."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.errors import CcisError, HostError, InputError, LimitError
from host.growth import RESERVE_BYTES
from host.mounts import mounted, private_mounts
from host.output import LINE_CHARS, shortened
from host.process_group import enter, is_full, process_group
from host.run import run
from images.bounds import Bounds
from images.image import Image
from tests.security.sandboxed import MIB, Place, a_place, run_pre, small_tree

FORKS = ":(){ :|:& }; :; sleep 100"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with a_place(tmp_path) as made:
        yield made


def broken(place: Place, script: str, bounds: Bounds) -> CcisError:
    """Run a script that goes on when it fails, and return what ends the build."""
    with pytest.raises(CcisError) as caught:
        place.post(f"text\n%post --interpreter=/bin/bash\n{script}\n%end\n", bounds)
    assert caught.value.where == f"{place.folder}/test.ks:2"
    return caught.value


def inside(marker: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("bomb", [
    FORKS, "while :; do sleep 100 & done", "while :; do setsid sleep 100 & done",
    "trap '' TERM INT HUP; while :; do (trap '' TERM; sleep 100) & done",
])
def test_a_fork_bomb_ends_and_leaves_no_process(place: Place, bomb: str) -> None:
    marker = f"sleep 77{os.getpid()}"
    error = broken(place, f"{marker} & {bomb}", Bounds(processes=200, minutes=2))
    assert isinstance(error, InputError)
    assert error.what == "the %post script started more than 200 processes"
    assert error.remedy and "`bounds: processes:`" in error.remedy
    assert inside(marker.replace(" ", "\0")) == []


def test_without_control_groups_the_watch_alone_ends_it(tmp_path: Path) -> None:
    """In a process that sees no control groups, as in most containers."""
    code = (
        "import ctypes, sys\nfrom pathlib import Path\n"
        "from host.mounts import private_mounts\nfrom host.process_group import process_group\n"
        "private_mounts()\n"
        "ctypes.CDLL(None).umount2(b'/sys/fs/cgroup', 2)\n"
        "with process_group(10) as group: assert group is None\n"
        "from images.bounds import Bounds\nfrom tests.security.sandboxed import small_tree\n"
        "from dataclasses import replace\n"
        "sandbox = replace(small_tree(Path(sys.argv[1])), bounds=Bounds(processes=100))\n"
        "try: sandbox.run(['/bin/sh', '-c', 'while :; do sleep 100 & done'])\n"
        "except Exception as error: print(type(error).__name__, error.what)\n")
    said = subprocess.run([sys.executable, "-c", code, tmp_path], text=True, check=True,
                          capture_output=True, cwd=Path(__file__).parents[2]).stdout
    assert said == "InputError /bin/sh started more than 100 processes\n"


def test_a_control_group_goes_with_the_sandbox(tmp_path: Path) -> None:
    with process_group(5) as group:
        if group is None:
            pytest.skip("this host lets nobody make a control group")
        with subprocess.Popen(
            ["sh", "-c", "read x; for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait"],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:
            enter(group, process.pid)
            _, said = process.communicate("go\n")
        assert "Cannot fork" in said and is_full(group)
        subprocess.run(["sleep", "1"], check=True)
    assert not group.exists()
    killed = group.with_name("ccis-999999999-left")
    killed.mkdir()
    with process_group(5):
        assert not killed.exists()


def test_threads_count_as_processes(place: Place) -> None:
    script = ("python3 -c 'import threading, time\n"
              "for _ in range(300): threading.Thread(target=time.sleep, args=(100,)).start()'")
    assert "200 processes" in broken(place, script, Bounds(processes=200)).what


@pytest.mark.parametrize("use", [
    "python3 -c 'x = bytearray(400 << 20); import time; time.sleep(60)'",
    "for i in 1 2 3 4; do python3 -c 'x = b\"x\" * (100 << 20); import time; time.sleep(60)' &"
    " done; wait",
    "head -c 400M /dev/zero > /dev/shm/file; sleep 60",
    "head -c 400M /dev/zero > /run/file; sleep 60",
    "python3 -c 'import mmap, time\n"
    "m = mmap.mmap(-1, 400 << 20)\n"
    "for at in range(0, len(m), 4096): m[at] = 1\n"
    "time.sleep(60)'",
])
def test_memory_is_bounded_however_it_is_used(place: Place, use: str) -> None:
    error = broken(place, use, Bounds(memory="256 MiB", minutes=2))
    assert error.what == "the %post script used more than 256 MiB of memory"


def test_memory_that_forks_share_is_counted_once(place: Place) -> None:
    place.post("%post --erroronfail --interpreter=/usr/bin/python3\nimport os, time\n"
               "x = b'x' * (100 << 20)\nfor _ in range(8):\n  if os.fork() == 0:\n"
               "    time.sleep(1.5); os._exit(0)\n"
               "for _ in range(8): os.wait()\n%end\n", Bounds(memory="256 MiB"))


@pytest.mark.parametrize("printing", [
    "yes", "cat /dev/zero", "yes '' >&2", "head -c 3M /dev/zero | tr '\\0' x",
    "printf '%1500000000s' x",
])
def test_output_is_bounded_with_or_without_lines(place: Place, printing: str) -> None:
    started_s = time.monotonic()
    error = broken(place, f"{printing}; sleep 60", Bounds(output="2 MiB"))
    assert error.what == "the %post script printed more than 2 MiB"
    assert time.monotonic() - started_s < 30


def test_output_takes_little_memory_and_log(tmp_path: Path) -> None:
    """Measured in a process of its own: a line of 1.5 GB, and as many lines as can be."""
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.security.sandboxed import small_tree\n"
        "for text in ('head -c 1500M /dev/zero', 'yes \"\"'):\n"
        "  try: small_tree(Path(sys.argv[1]) / text[:3].strip()).run(['/bin/sh', '-c', text])\n"
        "  except Exception as error: print(type(error).__name__, error)\n"
        # getrusage(2) would tell the peak of the process that forked this one, too.
        "peak = [line for line in open('/proc/self/status') if line.startswith('VmHWM')]\n"
        "print(int(peak[0].split()[1]) // 1024)\n")
    said = subprocess.run([sys.executable, "-c", code, tmp_path], text=True, check=True,
                          capture_output=True, cwd=Path(__file__).parents[2]).stdout
    lines = said.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["InputError", "InputError"], said
    assert int(lines[-1]) < 400, "MiB"


def test_a_script_with_many_words_still_says_all(
    place: Place, caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "ccis.script"):
        place.post("%post --erroronfail --log=/root/log\n"
                   "seq 1 5000; head -c 100000 /dev/zero | tr '\\0' x; echo; printf end\n%end\n")
    text = place.tree.read("/root/log")
    assert text.splitlines()[:5000] == [str(number) for number in range(1, 5001)]
    assert len(text.splitlines()[5000]) == 100000 and text.endswith("end\n")
    assert max(len(message) for message in caplog.messages) < LINE_CHARS + 200
    long = shortened("x" * 5000 + "the reason")
    assert "… (1010 characters more) …" in long and long.endswith("the reason")


@pytest.mark.parametrize("filling", [
    "for i in 1 2 3 4 5 6 7 8 9; do head -c 60M /dev/urandom > /root/file$i; done; sleep 60",
    "exec 9> /root/x; rm /root/x; head -c 400M /dev/urandom >&9; sleep 60",
    "mkdir -p /var/a/b; while :; do head -c 1M /dev/urandom >> /var/a/b/file; done",
])
def test_space_is_bounded(place: Place, filling: str) -> None:
    error = broken(place, filling, Bounds(space="200 MiB", minutes=2))
    assert error.what == "the %post script wrote more than 200 MiB"


def test_files_are_bounded(place: Place) -> None:
    script = ("python3 -c 'import os\nos.mkdir(\"/root/many\")\n"
              "for n in range(1000000): os.close(os.open(f\"/root/many/{n}\", os.O_CREAT))'")
    error = broken(place, script, Bounds(files=3000, minutes=5))
    assert error.what == "the %post script made more than 3000 files"


def test_what_others_write_is_not_a_scripts(place: Place) -> None:
    other = place.victim / "other"
    writer = subprocess.Popen(["sh", "-c", f"sleep 0.5; head -c 300M /dev/zero > {other}"])
    place.post("%post --erroronfail\nsleep 2\n%end\n", Bounds(space="100 MiB"))
    assert writer.wait() == 0 and other.stat().st_size == 300 * MIB


def test_the_hosts_disk_does_not_run_full(tmp_path: Path) -> None:
    private_mounts()
    point = tmp_path / "disk"
    point.mkdir()
    size_bytes = RESERVE_BYTES * 3
    with mounted("tmpfs", point, "tmpfs", [f"size={size_bytes}"]), a_place(point) as place:
        error = broken(place, "while head -c 8M /dev/zero >> /root/file; do sleep 0.02; done;"
                              " sleep 60", Bounds(minutes=2))
        assert isinstance(error, HostError)
        assert error.what == "the %post script nearly filled the host's disk"


def test_time_is_bounded_and_says_how_to_raise_it(place: Place) -> None:
    error = broken(place, "sleep 100 & sleep 100", Bounds(minutes=1 / 60))
    assert isinstance(error, HostError)
    assert error.what == "the %post script did not end within 1 s"
    assert error.remedy and "`bounds: minutes:`" in error.remedy


def test_pre_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "test.ks"
    file.write_text(f"%pre --interpreter=/bin/bash\n{FORKS}\n%end\n")
    with pytest.raises(InputError, match="%pre script started more than 100 processes") as caught:
        run_pre(file, tmp_path / "store", Bounds(processes=100))
    assert caught.value.where == f"{file}:1"


def test_a_program_of_the_tree_is_bounded_like_a_script(tmp_path: Path) -> None:
    sandbox = small_tree(tmp_path)
    with pytest.raises(InputError, match="/bin/sh printed more than 64 MiB"):
        sandbox.run(["/bin/sh", "-c", "yes"])


def test_no_limit_can_be_raised_from_inside(place: Place) -> None:
    """The layout's disk has 1 GiB: no file may be larger."""
    place.post("%post --erroronfail --interpreter=/bin/bash\n"
               "! ulimit -f unlimited; ! truncate -s 2G /root/file; truncate -s 1G /root/file\n"
               "! chrt -f 1 true; ! nice -n -5 true 2>/dev/null || [ $(nice -n -5 nice) = 0 ]\n"
               "%end\n")


def test_a_tool_of_ours_is_bounded_too() -> None:
    with pytest.raises(LimitError) as caught:
        run(["yes"], output_bytes=1 << 20)
    assert caught.value.bound == "output"
    done = run(["seq", "1", "1000"], output_bytes=1 << 20)
    assert done.stdout.split()[-1] == "1000" and list(done.tail)[-1] == "1000"


def test_bounds_are_written_in_the_image_file() -> None:
    image = Image.model_validate({
        "name": "x", "flavour": "X", "summary": "x", "kickstart": "x.ks", "disk_size": "4 GiB",
        "formats": ["raw"], "bounds": {"minutes": 90, "memory": "1 GiB", "space": "100 MiB"}})
    bounds = image.bounds
    assert (bounds.time_s, bounds.memory_bytes, bounds.space_bytes) == (5400, 1 << 30, 100 * MIB)
    assert bounds.processes == Bounds().processes
    with pytest.raises(ValueError, match=re.escape("'lots' is not a size")):
        Bounds(memory="lots")
