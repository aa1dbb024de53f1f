"""Completion: what the shells offer, asked as they ask, with the scripts that a package has."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ccis.share.completion import PLACES, scripts

BIN = str(Path(sys.executable).parent)
CCIS = f"{BIN}/ccis"


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder like /usr/share with the scripts."""
    folder = tmp_path_factory.mktemp("share")
    for place, text in scripts().items():
        (folder / place).parent.mkdir(parents=True)
        (folder / place).write_text(text)
    return folder


def offered(*words: str) -> list[str]:
    """Return what is offered for the last of the words after `ccis`."""
    done = subprocess.run(
        [CCIS], capture_output=True, text=True, check=True,
        env={**os.environ, "_CCIS_COMPLETE": "complete_bash",
             "COMP_WORDS": " ".join(["ccis", *words]), "COMP_CWORD": str(len(words))})
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(("words", "expected"), [
    (["build", "container-m"], ["container-minimal"]),
    (["build", "wsl", "--target", "aws,azu"], ["aws,azure"]),
    (["plan", "--format", "raw-x"], ["raw-xz"]),
    (["build", "--engine", "g"], ["guestfs"]),
    (["explain", "--release", "centos-stream-1"], ["centos-stream-10"]),
    (["rehearsal", "create", "rehearsal-9"], ["rehearsal-9"]),
    (["validate", "--spec", "base"], ["baseline"]),
    (["boot", "--format", "vmdk-s"], ["vmdk-sparse"]),
    (["store", "cl"], ["clean"]),
])
def test_names_are_completed(words: list[str], expected: list[str]) -> None:
    assert offered(*words) == expected


def test_a_target_is_offered_once() -> None:
    assert "aws,aws" not in offered("build", "--target", "aws,a")


def test_what_fails_while_completing_says_nothing() -> None:
    done = subprocess.run([CCIS], capture_output=True, text=True, check=False,
                          env={**os.environ, "_CCIS_COMPLETE": "complete_bash"})
    assert (done.stdout, done.stderr) == ("", "")


def shell(name: str, script: str, folder: Path) -> list[str]:
    """Run a script by a shell that has no settings of its own, and return its output's words."""
    if not shutil.which(name):
        pytest.skip(f"{name} is not here: Debian's set-up installs it, CentOS has it in EPEL")
    done = subprocess.run(
        [name, "-c", script], capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(folder), "TERM": "dumb"})
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_bash_completes_an_image(share: Path) -> None:
    script = (f"source {share / PLACES['bash']}; COMP_WORDS=(ccis build contain); COMP_CWORD=2; "
              "_ccis_completion ccis; echo ${COMPREPLY[@]}; complete -p ccis")
    words = shell("bash", script, share)
    assert words[:2] == ["container-base", "container-minimal"]
    assert words[2:] == ["complete", "-o", "default", "-F", "_ccis_completion", "ccis"]


def test_fish_completes_an_image(share: Path) -> None:
    script = f"source {share / PLACES['fish']}; complete -C 'ccis build contain'"
    assert shell("fish", script, share) == ["container-base", "container-minimal"]


def test_zsh_completes_the_first_time_too(share: Path) -> None:
    """As somebody who types: in a terminal, with the script found through fpath."""
    if not shutil.which("zsh"):
        pytest.skip("zsh is not here")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env={"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(share), "TERM": "vt100"})
    os.close(theirs)
    try:
        os.write(ours, f"fpath=({(share / PLACES['zsh']).parent} $fpath); autoload -Uz compinit; "
                       "compinit -u -D; echo it is re''ady\n".encode())
        assert shown_until(ours, "it is ready")
        os.write(ours, b"ccis build generic-cl\t")
        assert shown_until(ours, "generic-cloud")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def shown_until(terminal: int, text: str, timeout_s: float = 60) -> bool:
    """Say whether a terminal came to show a text."""
    seen, end = "", time.monotonic() + timeout_s
    while text not in seen:
        if not select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0]:
            return False
        seen += os.read(terminal, 4096).decode(errors="replace")
    return True
