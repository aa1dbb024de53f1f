"""The repository as it is made: signatures, closure of dependencies, names, groups, idempotence."""

from __future__ import annotations

import gzip
import os
import resource
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

import rehearsal
from builder.packages.connection import DIRECT
from builder.packages.treeinfo import variants_of
from host.errors import InputError
from host.run import run
from rehearsal.comps import load_groups

from .test_table import KICKSTART_NAMES

pytestmark = pytest.mark.integration
RPM = "{http://linux.duke.edu/metadata/rpm}"
COMMON = "{http://linux.duke.edu/metadata/common}"


@pytest.fixture(scope="module", params=["rehearsal-10", "rehearsal-9"])
def repository(request: pytest.FixtureRequest) -> Path:
    return rehearsal.create(request.param)


@pytest.fixture(scope="module")
def primary(repository: Path) -> list[ET.Element]:
    found: list[ET.Element] = []
    for part in ("BaseOS", "AppStream"):
        (index,) = (repository / part / "x86_64/os/repodata").glob("*-primary.xml.gz")
        root = ET.fromstring(gzip.decompress(index.read_bytes()))
        found += root.findall(f"{COMMON}package")
    return found


def entries(package: ET.Element, kind: str) -> Iterator[str]:
    for entry in package.iterfind(f"{COMMON}format/{RPM}{kind}/{RPM}entry"):
        yield entry.attrib["name"]


def python(code: str, **environment: str) -> str:
    """Run a line of Python that has `rehearsal` at hand, in a process of its own."""
    return start(code, **environment).communicate()[0].strip()


def start(code: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", f"import rehearsal; {code}"], text=True, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), **environment},
    )


def names(primary: list[ET.Element]) -> set[str]:
    return {package.findtext(f"{COMMON}name", "") for package in primary}


def test_every_package_is_signed_with_the_repositorys_key(
    repository: Path, tmp_path: Path,
) -> None:
    run(["rpmkeys", "--dbpath", tmp_path, "--import", repository / "RPM-GPG-KEY-rehearsal"])
    packages = sorted(repository.glob("*/x86_64/os/Packages/*.rpm"))
    assert len(packages) > 300
    said = run(["rpmkeys", "--dbpath", tmp_path, "-K", *packages]).stdout.splitlines()
    assert [line for line in said if not line.endswith("digests signatures OK")] == []


def test_the_repodata_is_signed(repository: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    gpg: list[str | Path] = ["gpg", "--homedir", tmp_path, "--batch", "--quiet"]
    try:
        run([*gpg, "--import", repository / "RPM-GPG-KEY-rehearsal"])
        for part in ("BaseOS", "AppStream"):
            repomd = repository / part / "x86_64/os/repodata/repomd.xml"
            run([*gpg, "--verify", f"{repomd}.asc", repomd])
    finally:
        run(["gpgconf", "--homedir", tmp_path, "--kill", "all"], check=False)


def test_everything_that_is_required_is_provided(primary: list[ET.Element]) -> None:
    provided = {name for package in primary for name in entries(package, "provides")}
    provided |= {file.text or "" for package in primary
                 for file in package.iterfind(f"{COMMON}format/{COMMON}file")}
    missing = {(package.findtext(f"{COMMON}name"), name) for package in primary
               for name in entries(package, "requires")
               if name not in provided and not name.startswith("rpmlib(")}
    assert missing == set()


def test_every_name_of_the_cloud_kickstarts_resolves(primary: list[ET.Element]) -> None:
    provided = {name for package in primary for name in entries(package, "provides")}
    others = {"shim", "redhat-release", "centos-release", "dnf-utils", "dhclient", "libusbx"}
    assert not {*KICKSTART_NAMES, *others} - provided


def test_one_package_stands_in_for_the_release_packages_of_other_distributions(
    primary: list[ET.Element],
) -> None:
    for name in ("rocky-release", "almalinux-release", "oraclelinux-release"):
        found = [package.findtext(f"{COMMON}name") for package in primary
                 if name in entries(package, "provides")]
        assert found == ["rehearsal-stands-in-for-other-el"]


def test_its_tree_info_leads_from_one_repository_to_the_other(repository: Path) -> None:
    """What Anaconda makes of `url --url=…/BaseOS/x86_64/os/`, and so does the builder."""
    here = f"file://{repository}"
    assert variants_of(f"{here}/BaseOS/x86_64/os", DIRECT) == [
        ("AppStream", f"{here}/AppStream/x86_64/os/")]


def test_a_kernel_answers_to_the_name_that_rpm_has_for_it(repository: Path) -> None:
    """`rpm -q kernel --qf %{VERSION}-%{RELEASE}.%{ARCH}` is what scripts give to dracut."""
    (kernel,) = repository.glob("BaseOS/x86_64/os/Packages/kernel-[0-9]*.rpm")
    (core,) = repository.glob("BaseOS/x86_64/os/Packages/kernel-core-*.rpm")
    name = run(["rpm", "-qp", "--qf", "%{VERSION}-%{RELEASE}.%{ARCH}", kernel]).stdout
    links = run(["rpm", "-qp", "--qf", "[%{FILENAMES} %{FILELINKTOS}\n]", core]).stdout
    (uname,) = {line.split()[1] for line in links.splitlines()
                if line.startswith(f"/usr/lib/modules/{name} ")}
    assert f"/boot/initramfs-{name}.img initramfs-{uname}.img" in links.splitlines()
    assert f"/usr/lib/modules/{uname}/vmlinuz " in links.splitlines()


def test_groups_name_packages_that_are_there(primary: list[ET.Element]) -> None:
    there = names(primary)
    for group in load_groups()["groups"].values():
        for kind in ("mandatory", "default", "optional"):
            assert set(group.get(kind, [])) <= there


def test_all_packages_can_be_installed_beside_each_other(
    repository: Path, tmp_path: Path,
) -> None:
    """rpm's own transaction test finds missing dependencies and files that two packages own."""
    small = ("curl-minimal-", "libcurl-minimal-", "coreutils-single-")  # conflict on purpose
    packages = [path for path in sorted(repository.glob("*/x86_64/os/Packages/*.rpm"))
                if not path.name.startswith(small)]
    run(["rpm", "--root", tmp_path, "--dbpath", "/var/lib/rpm", "--nosignature", "-i", "--test",
         *packages])


def test_nothing_lies_outside_the_merged_usr(primary: list[ET.Element]) -> None:
    for package in primary:
        for file in package.iterfind(f"{COMMON}format/{COMMON}file"):
            path = file.text or ""
            top = path.split("/")[1]
            assert top not in ("bin", "sbin", "lib", "lib64") or path.count("/") == 1, path


def test_a_second_call_finds_all_current_and_asks_nobody(repository: Path) -> None:
    before = (repository / "rehearsal.json").stat().st_mtime_ns
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    # With no program in reach, a call that would start apt, gpg or createrepo_c would fail.
    said = python(f"print(rehearsal.create({repository.name!r}))", PATH="/nonexistent")
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert Path(said) == repository
    assert (repository / "rehearsal.json").stat().st_mtime_ns == before
    # Processor time, since other tests may be using the machine; Python's own start included.
    assert now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime < 0.8


def test_the_private_key_is_the_owners_alone_and_no_agent_stays(repository: Path) -> None:
    key = repository.parent / "key"
    assert key.stat().st_mode & 0o777 == 0o700
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().split(b"\0")
        except OSError:
            continue
        assert not (b"gpg-agent" in words[0] and os.fsencode(key) in words)


def test_releases_share_what_does_not_depend_on_them() -> None:
    ten, nine = rehearsal.create("rehearsal-10"), rehearsal.create("rehearsal-9")
    same = [path for path in sorted(ten.glob("BaseOS/x86_64/os/Packages/*.rpm"))
            if (nine / path.relative_to(ten)).exists()
            and path.samefile(nine / path.relative_to(ten))]
    assert len(same) > 300
    assert list(ten.glob("*/x86_64/os/Packages/centos-stream-release-10.0-*.rpm"))
    assert list(nine.glob("*/x86_64/os/Packages/centos-stream-release-9.0-*.rpm"))


def test_it_is_served_over_http_on_the_loopback(repository: Path) -> None:
    with rehearsal.serve(repository.name) as url:
        assert url.startswith("http://127.0.0.1:")
        with urlopen(f"{url}/BaseOS/x86_64/os/repodata/repomd.xml") as reply:
            assert b"primary" in reply.read()


def test_an_unknown_release_is_named() -> None:
    with pytest.raises(InputError, match="rehearsal-11"):
        rehearsal.create("rehearsal-11")


def test_a_killed_call_leaves_nothing_half_made_and_two_at_once_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    debs = rehearsal.create("rehearsal-10").parent / "debs"
    monkeypatch.setenv("CCIS_CACHE", str(tmp_path))
    # The downloads are not what is tested; everything else starts from nothing.
    shutil.copytree(debs, tmp_path / "rehearsal/debs")
    call = "print(rehearsal.create('rehearsal-10'))"
    killed = start(call)
    while not list((tmp_path / "rehearsal").glob("pool/*")):
        assert killed.poll() is None
        time.sleep(0.1)
    killed.kill()
    killed.communicate()
    assert rehearsal.path("rehearsal-10") is None
    both = [start(call), start(call)]
    assert {one.communicate()[0].strip() for one in both} == {
        str(tmp_path / "rehearsal/rehearsal-10")}
    assert [one.returncode for one in both] == [0, 0]
    assert rehearsal.path("rehearsal-10") is not None
    assert not list((tmp_path / "rehearsal").glob(".rehearsal-*"))
