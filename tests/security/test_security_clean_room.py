"""What a process inherits from its caller reaches neither us nor the programs that we start."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from host.clean_room import enter  # noqa: F401 – it must be there to be started below
from host.variables import of_programs, ours

PROJECT = Path(__file__).parents[2]

# Our own facts, then those of a program that we start.
FACTS = """
import os, resource, signal, stat, sys, tempfile
from host import clean_room
clean_room.enter()
import json
from host.run import run
shown = "umask; ulimit -n; ulimit -f; ulimit -c; ulimit -v; ulimit -s; id -u; id -g; id -G"
print(json.dumps({
    "program": run(["sh", "-c", shown + "; uname -m"]).stdout.split(),
    "variables": dict(line.split("=", 1) for line in run(["env"]).stdout.splitlines()),
    "signals": [line for line in run(["cat", "/proc/self/status"]).stdout.splitlines()
                if line.startswith(("SigIgn", "SigBlk"))],
    "descriptors": run(["ls", "/proc/self/fd"]).stdout.split(),
    "own": dict(os.environ), "optimize": sys.flags.optimize, "cwd": os.getcwd(),
    "encoding": sys.getfilesystemencoding(), "folder": tempfile.gettempdir(),
    "personality": open("/proc/self/personality").read().strip(),
    "standard": [stat.S_ISCHR(os.fstat(number).st_mode) for number in (0, 2)],
    "hup": clean_room.is_ignored(signal.SIGHUP), "paths": sys.path,
    "opened": sorted(map(int, os.listdir("/proc/self/fd"))),
}))
"""


def _hearing() -> None:
    """Hear SIGHUP, even where these tests were started by nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def facts(
    tmp_path: Path, *, env: Mapping[str, str] | None = None,
    before: Callable[[], object] = _hearing, prefix: list[str] | None = None,
    close_fds: bool = True, **more: Any,
) -> dict[str, Any]:
    """Return what such a process finds when it was started as told."""
    outside = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT),
               "CCIS_CACHE": str(tmp_path / "cache"), **(env or {})}
    done = subprocess.run(
        [*(prefix or []), sys.executable, "-c", FACTS], env=outside, capture_output=True,
        text=True, check=False, preexec_fn=before, close_fds=close_fds, timeout=60, **more)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return facts(tmp_path_factory.mktemp("plain"))


def test_a_plain_start(plain: dict[str, Any]) -> None:
    assert plain["program"][:2] == ["0022", "4096"]
    assert set(plain["variables"]) == {"PATH", "HOME", "TMPDIR", "TERM", "LC_ALL", "LANG", "TZ"} \
        | ({"PWD", "SHLVL", "_"} & set(plain["variables"]))
    assert plain["folder"].startswith(plain["own"]["CCIS_CACHE"])
    assert not Path(plain["folder"]).exists(), "it is gone with the process"


VARIABLES = {
    "LANG": "de_DE.ISO-8859-1", "LC_ALL": "tr_TR", "LC_COLLATE": "de_DE", "LANGUAGE": "de",
    "TZ": "Pacific/Kiritimati", "TMPDIR": "/nowhere", "TMP": "/nowhere", "TEMP": "/nowhere",
    "HOME": "/nowhere", "XDG_CONFIG_HOME": "/nowhere", "XDG_CACHE_HOME": "/nowhere",
    "XDG_RUNTIME_DIR": "/nowhere", "LD_LIBRARY_PATH": "/nowhere", "LD_BIND_NOW": "1",
    "GLIBC_TUNABLES": "glibc.malloc.check=3", "MALLOC_PERTURB_": "17", "PYTHONPATH": "/nowhere",
    "PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error", "PYTHONHASHSEED": "7", "PYTHONUTF8": "0",
    "PYTHONHOME": "", "PYTHONIOENCODING": "latin-1", "PYTHONSAFEPATH": "", "PERL5LIB": "/nowhere",
    "PERL5OPT": "-w", "GREP_OPTIONS": "-v", "TAR_OPTIONS": "--exclude=etc", "GZIP": "-1",
    "XZ_OPT": "-0", "XZ_DEFAULTS": "-0", "ZSTD_CLEVEL": "1", "ZSTD_NBTHREADS": "1", "PIGZ": "-1",
    "RPM_CONFIGDIR": "/nowhere", "MTOOLSRC": "/nowhere", "MKE2FS_CONFIG": "/nowhere",
    "E2FSPROGS_FAKE_TIME": "1", "BASH_ENV": "/nowhere", "ENV": "/nowhere", "IFS": "/",
    "POSIXLY_CORRECT": "1", "BLOCKSIZE": "1", "GNUPGHOME": "/nowhere", "AWS_SECRET_ACCESS_KEY": "x",
    "SSH_AUTH_SOCK": "/nowhere", "SQLITE_TMPDIR": "/nowhere", "MAGIC": "/nowhere", "LS_COLORS": "x",
    "XORRISO_OPTIONS": "x", "MKISOFSRC": "/nowhere", "UNZIP": "-q", "_CCIS_WORK": "/nowhere",
    "http_proxy": "http://user:secret@proxy:3128", "CCIS_STORE": "/elsewhere",
}


def test_no_variable_gets_to_a_program(tmp_path: Path, plain: dict[str, Any]) -> None:
    found = facts(tmp_path, env={**VARIABLES, "PYTHONPATH": f"/nowhere:{PROJECT}"})
    different = ("HOME", "TMPDIR")  # folders of that process
    for name in different:
        assert found["variables"].pop(name).startswith(str(tmp_path))
    assert found["variables"] == {
        name: value for name, value in plain["variables"].items() if name not in different}
    assert found["optimize"] == 0 and found["encoding"] == "utf-8"
    assert "/nowhere" not in found["paths"]


def test_of_our_own_only_what_is_listed_comes_in() -> None:
    inside = ours(VARIABLES)
    assert {name for name in VARIABLES if inside.get(name) == VARIABLES[name]} == {
        "GNUPGHOME", "http_proxy", "CCIS_STORE"}


@pytest.mark.parametrize(("given", "expected"), [
    ({"PATH": "/usr/bin:/bin"}, "system"), ({}, "system"), ({"PATH": ""}, "system"),
    ({"PATH": "/home/me/wrappers:.:/usr/bin"}, "system"), ({"PATH": ".:bin"}, "system"),
    ({"PATH": "/run/current-system/sw/bin:."}, "/run/current-system/sw/bin"),
    ({"PATH": "/usr/bin", "CCIS_PATH": "/opt/tools:x:/usr/bin"}, "/opt/tools:/usr/bin"),
])
def test_programs_are_looked_for_in_known_places(given: dict[str, str], expected: str) -> None:
    found = of_programs(Path("/work"), given)["PATH"]
    assert found == (of_programs(Path("/work"), {})["PATH"] if expected == "system" else expected)
    assert "/usr/sbin" in found or expected != "system"


def test_names_of_our_folders_are_made_absolute(tmp_path: Path) -> None:
    found = facts(tmp_path, env={"CCIS_CACHE": "cache", "CCIS_STORE": "../store"}, cwd=tmp_path)
    assert found["own"]["CCIS_CACHE"] == str(tmp_path / "cache")
    assert Path(found["own"]["CCIS_STORE"]).resolve() == tmp_path.parent / "store"


LIMITS = {resource.RLIMIT_NOFILE: 64, resource.RLIMIT_FSIZE: 1 << 20,
          resource.RLIMIT_STACK: 1 << 20, resource.RLIMIT_CPU: 60, resource.RLIMIT_AS: 1 << 30}


def test_a_home_that_may_not_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "closed/home").mkdir(parents=True)
    (tmp_path / "closed").chmod(0)
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c",
         "from host.variables import ours; import os; print(ours(os.environ).get('HOME'))"],
        env={"HOME": str(tmp_path / "closed/home"), "PYTHONPATH": str(PROJECT)}, text=True,
        capture_output=True, check=True, cwd="/")
    assert done.stdout == "None\n"


def _limited() -> None:
    os.umask(0o077)
    for kind, value in LIMITS.items():
        resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)


def test_umask_and_limits(tmp_path: Path, plain: dict[str, Any]) -> None:
    assert facts(tmp_path, before=_limited)["program"] == plain["program"]


def test_a_limit_that_may_not_be_raised_is_named(tmp_path: Path) -> None:
    """Root may raise it, but in a container without CAP_SYS_RESOURCE."""
    code = ("from host import clean_room; clean_room.enter(); from host.errors import HostError\n"
            "try:\n    clean_room.need_limits(); print('fine')\n"
            "except HostError as error:\n    print(error)")
    said = subprocess.run(
        ["prlimit", "--fsize=1048576:1048576", sys.executable, "-c", code], text=True, check=True,
        capture_output=True, env={"PYTHONPATH": str(PROJECT), "CCIS_CACHE": str(tmp_path)}).stdout
    assert said == "fine\n" or "ulimit -f" in said


def test_root_is_root_whatever_groups_it_was_given(tmp_path: Path, plain: dict[str, Any]) -> None:
    prefix = ["setpriv", "--regid", "50", "--groups", "50,100", "--"]
    assert facts(tmp_path, prefix=prefix)["program"] == plain["program"]


@pytest.mark.parametrize("prefix", [["setarch", "-R"], ["setarch", "linux32"]])
def test_a_personality_is_undone(tmp_path: Path, plain: dict[str, Any], prefix: list[str]) -> None:
    found = facts(tmp_path, prefix=prefix)
    assert found["program"] == plain["program"]
    assert int(found["personality"], 16) == 0


def _deaf() -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD,
                   signal.SIGUSR1, signal.SIGALRM, signal.SIGTSTP, signal.SIGRTMIN + 2):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def test_programs_hear_every_signal_and_nohup_is_respected(
    tmp_path: Path, plain: dict[str, Any],
) -> None:
    found = facts(tmp_path, before=_deaf)
    assert found["signals"] == plain["signals"]
    assert all(int(line.split()[1], 16) == 0 for line in found["signals"])
    assert found["hup"] and not plain["hup"]


def test_signals_of_the_c_library_are_heard(tmp_path: Path, plain: dict[str, Any]) -> None:
    """make(1) may hand them down as ignored; signal(2) of the library refuses to set them."""
    rt_sigaction = {"x86_64": 13, "aarch64": 134}[os.uname().machine]

    def deafen() -> None:
        ignore = ctypes.create_string_buffer(b"\x01" + bytes(63))
        for number in (32, 33):
            assert ctypes.CDLL(None).syscall(rt_sigaction, number, ignore, None, 8) == 0

    assert facts(tmp_path, before=deafen)["signals"] == plain["signals"]
    assert all(int(line.split()[1], 16) == 0 for line in plain["signals"])


def test_closed_and_stray_descriptors(tmp_path: Path, plain: dict[str, Any]) -> None:
    secret = os.open(tmp_path, os.O_RDONLY)
    stray = os.dup2(secret, 77, inheritable=True)

    def close() -> None:
        os.close(0)
        os.close(2)

    try:
        found = facts(tmp_path, before=close, close_fds=False)
    finally:
        os.close(stray)
        os.close(secret)
    assert found["standard"] == [True, True]
    assert found["descriptors"] == plain["descriptors"]
    assert 77 in found["opened"], "it may be an argument of ours (bash's <(…))"


def test_a_working_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    found = facts(tmp_path, cwd=gone, before=gone.rmdir)
    assert found["cwd"] == "/proc"


@pytest.mark.parametrize("words", [[">&-"], ["2>&-"], ["<&-"], ["<&-", ">&-", "2>&-"]])
def test_a_command_whose_standard_files_are_closed(tmp_path: Path, words: list[str]) -> None:
    """`ccis … 2>&-` was a bug in ccis (70), and its messages could have gone into any file."""
    ccis = Path(sys.executable).with_name("ccis")
    done = subprocess.run(
        ["sh", "-c", f"exec {ccis} lint {tmp_path}/none.ks {' '.join(words)}"],
        env={**os.environ, "CCIS_CACHE": str(tmp_path)}, check=False, timeout=60,
        capture_output=True)
    assert done.returncode in (0, 2, 1), done.stderr


def test_a_full_terminal_is_no_bug(tmp_path: Path) -> None:
    ccis = Path(sys.executable).with_name("ccis")
    for words in ("> /dev/full", "2> /dev/full", "> /dev/full 2>&1"):
        done = subprocess.run(
            ["sh", "-c", f"exec {ccis} list {words}"], check=False, timeout=60, capture_output=True,
            env={**os.environ, "CCIS_CACHE": str(tmp_path)})
        assert done.returncode == (3 if words.startswith(">") else 0), words
        assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr


def test_kill_9_leaves_nothing_in_tmp_and_the_next_run_sweeps(tmp_path: Path) -> None:
    code = ("from host import clean_room; clean_room.enter()\n"
            "import tempfile, os, signal\n"
            "tempfile.NamedTemporaryFile(delete=False).write(b'x')\n"
            "os.kill(os.getpid(), signal.SIGKILL)")
    env = {**os.environ, "PYTHONPATH": str(PROJECT), "CCIS_CACHE": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=env, check=False, timeout=60)
    work = tmp_path / "scratch/work"
    (left,) = [path for path in work.iterdir() if path.is_dir()]
    assert len(list(left.iterdir())) == 1
    facts(tmp_path, env={"CCIS_CACHE": str(tmp_path)})
    assert list(work.iterdir()) == []
    assert work.stat().st_mode & 0o777 == 0o700


def test_nohup_is_respected_to_the_end(tmp_path: Path) -> None:
    code = ("from host import clean_room; clean_room.enter()\nimport sys\nfrom ccis import output\n"
            "from host.run import run\noutput.end_on_signals()\ndef work():\n"
            "    print('begun', flush=True)\n    run(['sleep', '1'])\n    print('done')\n"
            "sys.exit(output.guarded(work))")
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
        env={"PYTHONPATH": str(PROJECT), "CCIS_CACHE": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGHUP)
    said, _ = process.communicate(timeout=30)
    assert (said, process.returncode) == ("done\n", 0)
