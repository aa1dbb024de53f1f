"""The frame of the command line: exit statuses, messages, JSON, signals, speed."""

from __future__ import annotations

import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import ccis.commands
from host.discovery import names_in

Ccis = Callable[..., subprocess.CompletedProcess[str]]
COMMANDS = names_in(ccis.commands)
CCIS = str(Path(sys.executable).with_name("ccis"))


@pytest.fixture
def run_ccis(tmp_path: Path) -> Ccis:
    """Return a function that runs the real command with a cache of its own."""
    def run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CCIS, *map(str, words)], capture_output=True, text=True, cwd=tmp_path, check=False,
            env={**os.environ, "CCIS_CACHE": str(tmp_path / "cache"), **environment},
            stdin=subprocess.DEVNULL, timeout=120,
        )

    return run


def guarded_script(body: str) -> list[str]:
    """Return a command line that does `body` the way every ccis command is done."""
    return [sys.executable, "-c",
            "import sys\nfrom ccis import log, output\n"
            "from host.errors import *\nfrom host.run import run\n"
            "log.write_to_file('test')\noutput.end_on_signals()\n"
            f"output.settings.json = '--json' in sys.argv\n"
            f"def work():\n    {body}\nsys.exit(output.guarded(work))"]


@pytest.fixture
def run_guarded(tmp_path: Path) -> Ccis:
    def run(body: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*guarded_script(body), *words], capture_output=True, text=True, check=False,
            env={**os.environ, "CCIS_CACHE": str(tmp_path / "cache")}, timeout=60,
        )

    return run


def test_the_help_names_every_command_and_shows_examples(run_ccis: Ccis) -> None:
    done = run_ccis("--help")
    assert done.returncode == 0
    assert "ccis build generic-cloud --release rehearsal-10" in done.stdout
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout, command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run_ccis: Ccis, command: str) -> None:
    done = run_ccis(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: ccis {command}")


def test_help_comes_at_once(run_ccis: Ccis) -> None:
    """In processor time, which other tests beside it hardly change."""
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run_ccis("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    # Twice what it takes: a heavy import at the top of a command shows.
    assert statistics.median(times) < 1.0, times


def test_starting_up_imports_nothing_heavy() -> None:
    """Each of these costs a warm rebuild more than it may take all in all."""
    done = subprocess.run(
        [sys.executable, "-c",
         "import sys\nfrom ccis import main\nfrom typer.testing import CliRunner\n"
         "CliRunner().invoke(main.app, ['--help'])\n"
         "print([name for name in ('guestfs', 'dnf', 'rpm', 'rich', 'yaml', 'pykickstart',"
         " 'pydantic') if name in sys.modules])"],
        capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_command_is_bad_usage(run_ccis: Ccis) -> None:
    done = run_ccis("frobnicate")
    assert done.returncode == 2
    assert "frobnicate" in done.stderr
    assert done.stdout == ""


def test_the_version_is_that_of_the_package(run_ccis: Ccis) -> None:
    assert run_ccis("--version").stdout.startswith("ccis ")


@pytest.mark.parametrize(("kind", "status"), [
    ("CheckFailedError", 1), ("InputError", 2), ("HostError", 3), ("RemoteError", 4),
])
def test_each_error_has_its_exit_status_and_says_all_it_knows(
    run_guarded: Ccis, kind: str, status: int,
) -> None:
    done = run_guarded(f"raise {kind}('it broke', where='x.ks:3', why='a typo', remedy='mend it')")
    assert done.returncode == status
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[:4] == [
        "error: it broke", "  where:  x.ks:3", "  why:    a typo", "  remedy: mend it"]
    assert "Traceback" not in done.stderr


def test_an_error_is_json_too(run_guarded: Ccis) -> None:
    done = run_guarded("raise InputError('it broke', where='x.ks:3')", "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert (error["what"], error["where"], error["exit_status"]) == ("it broke", "x.ks:3", 2)


@pytest.mark.parametrize("verbose", ["", "log.show_on_terminal(); "])
def test_a_wait_for_another_process_is_said_once(
    verbose: str, run_guarded: Ccis, tmp_path: Path,
) -> None:
    lock = tmp_path / "lock"
    done = run_guarded(
        f"log.show_waiting(); {verbose}import os, pathlib, threading; from host import locks; "
        f"locks.SAY_AFTER_S = 0.05; held = locks.try_lock(pathlib.Path({str(lock)!r})); "
        "threading.Timer(0.5, os.close, (held,)).start(); "
        f"locks.locked(pathlib.Path({str(lock)!r})).__enter__()")
    assert done.returncode == 0
    assert done.stderr.count(f"waiting for another process, which holds {lock}\n") == 1


def test_a_failing_program_shows_its_last_words_and_the_log(run_guarded: Ccis) -> None:
    body = "run(['sh', '-c', 'for i in $(seq 40); do echo line $i; done; exit 7'])"
    done = run_guarded(body)
    assert done.returncode == 3
    assert "sh ended with status 7" in done.stderr
    assert "    | line 40" in done.stderr
    assert "line 20" not in done.stderr  # the log has the rest
    log = Path(done.stderr.splitlines()[-1].split()[-1])
    assert "line 1\n" in log.read_text()


def test_a_cause_s_last_words_are_shown(run_guarded: Ccis) -> None:
    done = run_guarded(
        "\n    try:\n        run(['sh', '-c', 'echo the real reason; exit 1'])\n"
        "    except ProgramError as error:\n"
        "        raise InputError('the script failed', where='x.ks:9') from error")
    assert done.returncode == 2
    assert "    | the real reason" in done.stderr


def test_a_full_disk_is_the_host_s_fault_and_no_bug(run_guarded: Ccis) -> None:
    done = run_guarded("open('/dev/full', 'w').write('x' * 100000)")
    assert done.returncode == 3
    assert "No space left" in done.stderr
    assert "remedy: free some space" in done.stderr


def test_a_program_that_finds_a_disk_full_gets_a_remedy(run_guarded: Ccis) -> None:
    done = run_guarded("run(['sh', '-c', 'cat /proc/version > /dev/full'])")
    assert done.returncode == 3
    assert "remedy: free some space" in done.stderr
    assert "No space left on device" in done.stderr


def test_a_bug_says_so_and_its_traceback_is_in_the_log(run_guarded: Ccis) -> None:
    done = run_guarded("return {}['nothing']")
    assert done.returncode == 70
    assert "this is a bug in ccis: KeyError" in done.stderr
    assert "Traceback" not in done.stderr
    log = next(Path(word) for word in done.stderr.split() if word.endswith(".log"))
    assert "Traceback" in log.read_text()


def test_an_unwritable_cache_fails_nothing(run_ccis: Ccis) -> None:
    assert run_ccis("--help", CCIS_CACHE="/proc/nowhere").returncode == 0


@pytest.mark.parametrize(("number", "status"), [
    (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130),
])
def test_a_signal_ends_the_work_cleanly(tmp_path: Path, number: int, status: int) -> None:
    body = ("\n    try:\n        print('begun', flush=True)\n"
            f"        run(['sleep', '97.{number}'])\n"
            f"    finally:\n        open({str(tmp_path / 'cleaned')!r}, 'w').close()")
    process = subprocess.Popen(guarded_script(body), stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.PIPE,
                               env={**os.environ, "CCIS_CACHE": str(tmp_path)},
                               # A background job or nohup, as CI may run us, ignores them.
                               preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.3)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == status
    assert (tmp_path / "cleaned").exists()
    assert "Traceback" not in said
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert f"sleep 97.{number}" not in listing.stdout


def test_work_in_other_threads_can_t_hold_up_a_signal(tmp_path: Path) -> None:
    """Two machines booting at once, say: nobody waits minutes for them after a SIGTERM."""
    body = ("output.GRACE_S = 1\n    from concurrent.futures import ThreadPoolExecutor\n"
            "    with ThreadPoolExecutor() as pool:\n"
            "        waiting = [pool.submit(run, ['sleep', '98.5']) for _ in range(2)]\n"
            "        print('begun', flush=True)\n        [each.result() for each in waiting]")
    process = subprocess.Popen(guarded_script(body), stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.PIPE,
                               env={**os.environ, "CCIS_CACHE": str(tmp_path)})
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    time.sleep(0.5)
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert "sleep 98.5" not in listing.stdout


def test_a_reader_that_has_seen_enough_is_no_failure_of_ours(tmp_path: Path) -> None:
    process = subprocess.Popen(
        guarded_script("[output.line('x' * 100) for _ in range(100000)]"), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "CCIS_CACHE": str(tmp_path)})
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.wait(timeout=30)


def test_old_logs_make_room(tmp_path: Path, run_guarded: Ccis) -> None:
    folder = tmp_path / "cache/logs"
    folder.mkdir(parents=True)
    for number in range(150):
        (folder / f"20200101-000{number:03}-x-1.log").touch()
    run_guarded("run(['true'])")
    assert len(list(folder.iterdir())) == 101


def test_completion_knows_the_commands(run_ccis: Ccis) -> None:
    done = run_ccis(_CCIS_COMPLETE="complete_bash", COMP_WORDS="ccis ver", COMP_CWORD="1")
    assert done.stdout.split() == ["verify"]
