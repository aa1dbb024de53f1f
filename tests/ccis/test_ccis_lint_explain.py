"""`ccis lint` and `ccis explain` as a person and a script meet them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ccis import main
from images import catalogue

Ccis = Callable[..., subprocess.CompletedProcess[str]]
OURS = catalogue.kickstart_of(catalogue.image("generic-cloud"))
GOOD = """\
text
lang en_US.UTF-8
rootpw --plaintext secret
user --name=maria --groups=wheel --iscrypted --password=$6$x$y
sshkey --username=maria "ssh-ed25519 AAAA maria"
services --enabled=sshd --disabled=kdump
network --device=eth0 --bootproto=dhcp --hostname=cloud.example.org
bootloader --append="console=ttyS0"
clearpart --all --initlabel --disklabel=gpt
part biosboot --fstype=biosboot --size=1
part / --fstype=ext4 --size=1000 --grow --label=root
%packages --excludedocs
@core
vim-minimal
-linux-firmware
%end
%post --erroronfail --log=/root/post.log
systemctl mask tmp.mount
%end
"""


@pytest.fixture
def run_ccis(tmp_path: Path) -> Ccis:
    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("ccis")), *map(str, words)], text=True,
            capture_output=True, cwd=tmp_path, check=False, timeout=120,
            env={**os.environ, "CCIS_CACHE": str(tmp_path / "cache")}, stdin=subprocess.DEVNULL)

    return run


def write(folder: Path, text: str, name: str = "test.ks") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_lint_says_what_becomes_of_each_line(run_ccis: Ccis, tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    done = run_ccis("lint", "test.ks")
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "test.ks: 12 honoured, 1 without meaning, 1 warning"
    assert "test.ks:1 text without meaning an image build shows no installer" in lines
    assert "test.ks:2 lang honoured by the step settings" in lines
    assert any(line.startswith("test.ks:3 rootpw warning the password stands here in plain text")
               for line in lines)


def test_lint_of_several_files_ends_with_2_when_one_is_refused(
    run_ccis: Ccis, tmp_path: Path,
) -> None:
    write(tmp_path, GOOD, "good.ks")
    write(tmp_path, "liveimg --url=https://x/y\n", "bad.ks")
    done = run_ccis("lint", "good.ks", "bad.ks", "none.ks", "--problems", "--json")
    assert done.returncode == 2
    good, bad, none = json.loads(done.stdout)["files"]
    assert (good["refused"], bad["refused"], none["refused"]) == (False, True, True)
    assert [finding["kind"] for finding in good["findings"]] == ["warning"]
    (finding,) = bad["findings"]
    assert (finding["name"], finding["file"], finding["line"]) == ("liveimg", "bad.ks", 1)


def test_lint_takes_the_language_from_the_release(run_ccis: Ccis, tmp_path: Path) -> None:
    write(tmp_path, "auth --enableshadow --passalgo=sha512\n")
    nine = run_ccis("lint", "test.ks", "--release", "centos-stream-9")
    ten = run_ccis("lint", "test.ks", "--release", "centos-stream-10")
    assert (nine.returncode, ten.returncode) == (0, 0)
    assert "warning" not in nine.stdout
    assert "RHEL10 has this no longer or not yet" in ten.stdout


@pytest.mark.parametrize("words", [("lint",), ("lint", "x.ks", "--release", "centos-99")])
def test_bad_usage_ends_with_2(run_ccis: Ccis, words: tuple[str, ...]) -> None:
    assert run_ccis(*words).returncode == 2


@settings(max_examples=15, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(
    st.binary(max_size=300),
    st.integers(0, len(OURS.read_bytes())).map(lambda length: OURS.read_bytes()[:length]),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
))
def test_lint_never_shows_a_traceback(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fuzz.ks"
    path.write_bytes(content)
    for more in ([], ["--json"]):
        done = CliRunner().invoke(main.app, ["lint", str(path), *more])
        assert done.exit_code in (0, 2), done.exception
        assert done.exception is None or isinstance(done.exception, SystemExit)
        assert "Traceback" not in done.output


def test_explain_shows_it_all_in_one_screen(run_ccis: Ccis, tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    done = run_ccis("explain", "test.ks")
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    for line in (
        "test.ks, for CentOS Stream 10", "Disk (gpt)", "vda1 biosboot 1 MiB",
        "vda2 / ext4 10,237 MiB label root", "groups core", "packages vim-minimal",
        "excluded linux-firmware", "options no documentation",
        "root password in plain text, hashed", "maria hash as given, groups wheel, ssh keys: 1",
        "enabled sshd", "disabled kdump", "eth0 dhcp, at boot, cloud.example.org",
        "lang en_US.UTF-8",
        "%post test.ks:17: 1 lines for /bin/sh, a failure stops the build, log /root/post.log",
        "text: an image build shows no installer",
    ):
        assert line in lines, line
    assert "secret" not in done.stdout
    assert len(lines) < 60


PRE = """\
%include /tmp/part.ks
%pre
parted -s /dev/vda mklabel gpt mkpart root ext4 1MiB 1001MiB
echo "part / --fstype=ext4 --onpart=vda1" > /tmp/part.ks
%end
"""


def test_explain_without_pre_says_what_it_can_t_know(run_ccis: Ccis, tmp_path: Path) -> None:
    write(tmp_path, PRE)
    done = run_ccis("explain", "test.ks", "--no-pre", "--json")
    assert done.returncode == 0, done.stderr
    unknown = json.loads(done.stdout)["unknown"]
    assert [row["where"] for row in unknown] == ["test.ks:1", "test.ks:2"]


@pytest.mark.skipif(os.geteuid() != 0, reason="%pre needs root")
def test_explain_runs_pre_as_a_build_does(
    run_ccis: Ccis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CCIS_STORE", str(tmp_path / "store"))
    write(tmp_path, PRE)
    done = run_ccis("explain", "test.ks", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["disk"]
    assert (row["device"], row["mountpoint"], row["size_mib"]) == ("vda1", "/", "1,000")


@pytest.mark.parametrize(("text", "where"), [
    ("text\nliveimg --url=https://x/y\n", "test.ks:2"),
    ("text\nfrobnicate\n", "test.ks:2"),
])
def test_explain_refuses_what_a_build_refuses(
    run_ccis: Ccis, tmp_path: Path, text: str, where: str,
) -> None:
    write(tmp_path, text)
    done = run_ccis("explain", "test.ks")
    assert done.returncode == 2
    assert f"where:  {where}" in done.stderr


def test_explain_wants_a_size(run_ccis: Ccis, tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert run_ccis("explain", "test.ks", "--disk-size", "much").returncode == 2
