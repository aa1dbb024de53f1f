"""The RPM writer, judged by rpm itself."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from host.run import run
from rehearsal.model import Dependency, Package, PackagedFile, Script
from rehearsal.rpmfile import FLAG_CONFIG, FLAG_GHOST, FLAG_NOREPLACE, write_rpm
from rehearsal.signing import key_ring, sign_detached


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a signed package and the file of the key that signed it."""
    folder = tmp_path_factory.mktemp("rpm")
    package = Package(
        "sample", "1.0", "2", epoch=3, summary="A sample", description="One of each kind.",
        build_time_s=1700000000,
        files=[
            PackagedFile("/usr/share/sample", stat.S_IFDIR | 0o755),
            PackagedFile("/usr/share/sample/odd", stat.S_IFREG | 0o644, b"odd"),
            PackagedFile("/usr/share/sample/empty", stat.S_IFREG | 0o600),
            PackagedFile("/usr/share/sample/link", stat.S_IFLNK | 0o777, b"odd"),
            PackagedFile("/usr/bin/sample", stat.S_IFREG | 0o4755, b"#!/bin/sh\n", caps=""),
            PackagedFile("/usr/bin/able", stat.S_IFREG | 0o755, b"x", caps="cap_net_raw=ep"),
            PackagedFile("/etc/sample.conf", stat.S_IFREG | 0o640, b"a=1\n", group="mail",
                         flags=FLAG_CONFIG | FLAG_NOREPLACE),
            PackagedFile("/var/log/sample", stat.S_IFREG | 0o600, flags=FLAG_GHOST),
        ],
        requires=[Dependency("glibc", ">=", "2.34"), Dependency("bash", phase="pre")],
        provides=[Dependency("virtual", "=", "7")],
        scripts={"pre": Script("true\n"), "posttrans": Script("", ("/sbin/ldconfig",))},
    )
    with key_ring(folder) as home:
        path = write_rpm(package, folder, lambda file: sign_detached(home, file))
        return path, home / "public.asc"


def query(path: Path, what: str) -> list[str]:
    return run(["rpm", "--nosignature", "-qp", "--qf", what, path]).stdout.split("\n")


def test_rpm_verifies_its_signature_and_every_digest(
    written: tuple[Path, Path], tmp_path: Path,
) -> None:
    path, key = written
    run(["rpmkeys", "--dbpath", tmp_path, "--import", key])
    said = run(["rpmkeys", "--dbpath", tmp_path, "-Kv", path]).stdout
    assert "RSA/SHA256 Signature" in said and "NOT" not in said and "BAD" not in said
    assert "Payload SHA256 digest: OK" in said


def test_one_changed_byte_is_found(written: tuple[Path, Path], tmp_path: Path) -> None:
    path, key = written
    run(["rpmkeys", "--dbpath", tmp_path, "--import", key])
    broken = tmp_path / "broken.rpm"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    broken.write_bytes(data)
    assert run(["rpmkeys", "--dbpath", tmp_path, "-K", broken], check=False).status != 0


def test_rpm_reads_back_what_was_put_in(written: tuple[Path, Path]) -> None:
    path, _ = written
    assert query(path, "%{NEVRA}\n")[0] == "sample-3:1.0-2.x86_64"
    lines = query(path, "[%{FILENAMES} %{FILEMODES:perms} %{FILEGROUPNAME} %{FILECAPS} "
                        "%{FILEFLAGS:fflags}\n]")
    assert "/usr/bin/sample -rwsr-xr-x root  " in lines
    assert "/usr/bin/able -rwxr-xr-x root cap_net_raw=ep " in lines
    assert "/etc/sample.conf -rw-r----- mail  cn" in lines
    assert "/var/log/sample -rw------- root  g" in lines
    requires = run(["rpm", "--nosignature", "-qp", "--requires", path]).stdout
    assert "glibc >= 2.34" in requires and "rpmlib(FileCaps) <= 4.6.1-1" in requires


def test_rpm_installs_what_was_put_in(written: tuple[Path, Path], tmp_path: Path) -> None:
    path, _ = written
    root = tmp_path / "root"
    root.mkdir()
    run(["rpm", "--nosignature", "--root", root, "--dbpath", "/var/lib/rpm", "-i", "--nodeps",
         "--noscripts", path])
    assert (root / "usr/share/sample/odd").read_bytes() == b"odd"
    assert (root / "usr/share/sample/link").readlink() == Path("odd")
    assert stat.S_IMODE((root / "usr/bin/sample").stat().st_mode) == 0o4755
    assert not (root / "var/log/sample").exists()
    said = run(["rpm", "--root", root, "--dbpath", "/var/lib/rpm", "-V", "--nodeps", "--noscripts",
                "--nogroup", "sample"], check=False).stdout
    assert [line for line in said.splitlines() if "missing" not in line] == []
