"""Roots for other people's kernels: WSL and OpenVZ."""

from __future__ import annotations

import configparser
import subprocess
import tarfile
from pathlib import Path

import pytest

from builder.formats import registry as formats
from host.progress import Silent
from tests.builder.formats.container_tree import about, described, make_tree, unpack


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = make_tree(tmp_path / "tree")
    for path in ("usr/sbin/useradd", "usr/lib/systemd/systemd",
                 "usr/lib/systemd/system/tmp.mount"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def make(name: str, tree: Path, folder: Path) -> Path:
    folder.mkdir()
    formats.get(name).make(tree, folder, about(), Silent())
    (made,) = folder.iterdir()
    return made


def settings(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return parser


def test_openvz_has_no_kernel_and_all_the_rest(tree: Path, tmp_path: Path) -> None:
    made = make("openvz", tree, tmp_path / "out")
    assert made.name == "openvz.tar.gz"
    back = unpack(made, tmp_path / "back")
    empty = ("dev", "proc", "run", "sys", "boot", "usr/lib/modules")
    assert described(back) == described(tree, without=empty)
    assert list((back / "boot").iterdir()) == list((back / "usr/lib/modules").iterdir()) == []


def test_wsl_says_how_it_starts(tree: Path, tmp_path: Path) -> None:
    made = make("wsl", tree, tmp_path / "out")
    assert made.name == "wsl"
    assert made.read_bytes().startswith(b"\x1f\x8b")
    back = unpack(made, tmp_path / "back")
    assert settings((back / "etc/wsl.conf").read_text())["boot"]["systemd"] == "true"
    oobe = settings((back / "etc/wsl-distribution.conf").read_text())["oobe"]
    assert oobe["defaultName"] == "CentOS-Stream-10"
    assert oobe["defaultUid"] == "1000"
    script = back / oobe["command"].lstrip("/")
    assert script.stat().st_mode & 0o777 == 0o755
    subprocess.run(["shellcheck", "--shell=sh", script], check=True)
    assert (back / "etc/systemd/system/tmp.mount").readlink() == Path("/dev/null")
    assert not (back / "etc/systemd/system/NetworkManager.service").is_symlink()  # not installed


def test_wsl_has_no_kernel_and_no_resolv_conf(tree: Path, tmp_path: Path) -> None:
    back = unpack(make("wsl", tree, tmp_path / "out"), tmp_path / "back")
    assert list((back / "boot").iterdir()) == []
    assert not (back / "etc/resolv.conf").exists()
    left = set(described(tree, without=("boot", "usr/lib/modules", "dev", "run")))
    assert left - {"etc/resolv.conf"} <= set(described(back))


def test_wsl_keeps_what_the_tree_has_of_its_own(tree: Path, tmp_path: Path) -> None:
    (tree / "etc/wsl.conf").write_text("[boot]\nsystemd=false\n")
    made = make("wsl", tree, tmp_path / "out")
    with tarfile.open(made) as archive:
        assert archive.getnames().count("./etc/wsl.conf") == 1
        stream = archive.extractfile("./etc/wsl.conf")
        assert stream is not None
        assert stream.read() == b"[boot]\nsystemd=false\n"


def test_a_first_start_of_the_tree_s_own_is_the_only_one(tree: Path, tmp_path: Path) -> None:
    own = "[oobe]\ncommand = /usr/libexec/own\n"
    (tree / "etc/wsl-distribution.conf").write_text(own)
    back = unpack(make("wsl", tree, tmp_path / "out"), tmp_path / "back")
    assert (back / "etc/wsl-distribution.conf").read_text() == own
    assert not (back / "usr/lib/wsl").exists()


def test_wsl_of_a_small_tree_starts_as_root_without_systemd(tree: Path, tmp_path: Path) -> None:
    (tree / "usr/sbin/useradd").unlink()
    (tree / "usr/lib/systemd/systemd").unlink()
    back = unpack(make("wsl", tree, tmp_path / "out"), tmp_path / "back")
    conf = settings((back / "etc/wsl.conf").read_text())
    assert (conf["boot"]["systemd"], conf["user"]["default"]) == ("false", "root")
    assert "command" not in settings((back / "etc/wsl-distribution.conf").read_text())["oobe"]
    assert not (back / "usr/lib/wsl").exists()
