"""What README tells people who download, word for word, in the tree that they would find."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text()


def commands() -> str:
    """Return the lines of README's block for them, up to the one that starts the machine."""
    block = re.search(r"## For people who download\n\n```\n(.*?)```", README, re.DOTALL)
    assert block
    lines = block[1].splitlines()
    assert lines[-1].startswith("qemu-system-x86_64 ")
    return "\n".join(lines[:-1])


def told(root: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run them with a keyring that is empty, as one who is beside the tree."""
    home.mkdir(mode=0o700)
    return subprocess.run(["bash", "-euc", commands()], cwd=root.parent, capture_output=True,
                          text=True, check=False, env={**os.environ, "GNUPGHOME": str(home)})


def test_a_good_tree_is_found_good(
    root: Path, make_build: Callable[..., Path], put: Callable[..., object], tmp_path: Path,
) -> None:
    put(make_build())
    done = told(root, tmp_path / "k")
    assert done.returncode == 0, done.stderr
    assert "Good signature" in done.stderr
    assert "latest.x86_64.qcow2: OK" in done.stdout


def test_another_byte_in_the_image_is_found(
    root: Path, make_build: Callable[..., Path], put: Callable[..., object], tmp_path: Path,
) -> None:
    put(make_build())
    (image,) = root.rglob("*-latest.x86_64.qcow2")
    with image.open("r+b") as stream:
        stream.write(b"X")
    done = told(root, tmp_path / "k")
    assert done.returncode == 1
    assert "latest.x86_64.qcow2: FAILED" in done.stdout
