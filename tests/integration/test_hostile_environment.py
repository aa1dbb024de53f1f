"""The same image, from a shell that has everything set against it: not a byte differs."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from images import catalogue
from images.record import read
from tests.integration.conftest import CCIS, Command
from tests.security.test_security_clean_room import VARIABLES

DISK = ("build", "generic-cloud", "--release", "rehearsal-10", "--format", "raw")
TREE = ("build", "container-minimal", "--release", "rehearsal-10", "--format", "oci,tar-zst")


@pytest.fixture
def hostile_place(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system whose ACL and group want to be inherited."""
    place = tmp_path / "place"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6g", "tmpfs", place], check=True)
    os.chown(place, 0, 50)
    place.chmod(0o2777)
    subprocess.run(["setfacl", "-d", "-m", "u:nobody:rwx,g:daemon:rwx,m:rwx", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def hostile_process() -> None:
    """Be as hostile a caller as a process can."""
    os.umask(0o077)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM})
    for kind, value in ((resource.RLIMIT_NOFILE, 128), (resource.RLIMIT_FSIZE, 1 << 20),
                        (resource.RLIMIT_STACK, 1 << 20), (resource.RLIMIT_CPU, 5)):
        resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.nice(5)
    os.close(0)


def hostile_build(place: Path, *words: str) -> Path:
    """Build in an empty store of a hostile caller and return the build's folder."""
    environment = {
        **VARIABLES, "PATH": "/home/nobody/bin:.:/usr/bin:/bin", "TMPDIR": str(place / "missing"),
        "CCIS_STORE": "inner/store", "SUDO_USER": "nobody", "TERM": "xterm-256color",
        "MAKEFLAGS": "-j8", "COLUMNS": "20", "CI": "1",
    }
    del environment["http_proxy"]
    done = subprocess.run(
        ["setpriv", "--regid", "50", "--groups", "50,100", "--", "setarch", "-R", CCIS, *words,
         "--out", "out", "--json"],
        env=environment, cwd=place, preexec_fn=hostile_process, capture_output=True, text=True,
        check=False, timeout=1200)
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)
    return place / str(report["folder"])


def sums(folder: Path) -> dict[str, str]:
    return {artefact.file.partition(".x86_64")[2]: artefact.sha256
            for artefact in read(folder).artefacts}


@pytest.mark.parametrize("words", [DISK, TREE], ids=["disk", "tree"])
def test_a_hostile_caller_gets_the_same_bytes(
    ccis: Command, tmp_path: Path, hostile_place: Path, words: tuple[str, ...],
) -> None:
    if words == DISK:  # a disk with xfs, which the kernel writes, is not the same twice
        given = catalogue.kickstart_of(catalogue.image("generic-cloud")).read_text()
        (tmp_path / "ext4.ks").write_text(given.replace("--fstype=xfs", "--fstype=ext4"))
        words = (*words, "--kickstart", str(tmp_path / "ext4.ks"))
    (report,) = ccis.json(*words, "--out", tmp_path / "plain")
    found = hostile_build(hostile_place, *words)
    assert sums(found) == sums(Path(report["folder"]))
    for path in found.iterdir():
        status = path.stat()
        assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, 0, 0o644), path
        assert not [name for name in os.listxattr(path) if "acl" in name], path
    assert (hostile_place / "inner/store").stat().st_mode & 0o777 == 0o700
