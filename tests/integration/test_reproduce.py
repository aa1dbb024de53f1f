"""`ccis reproduce` on the real thing: a second build from nothing is the first, byte for byte.

Both builds lie minutes apart; each is made from an empty store, the first one, where there is
room, on another kind of file system: folders and attributes are listed in another order there.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from images import catalogue
from images.record import read
from tests.integration.conftest import Command

RELEASE = "rehearsal-10"
SMALL = """\
# As small as a machine with a disk that boots by BIOS and UEFI gets; all of it exactly repeatable.
text
lang en_US.UTF-8
timezone UTC --utc
rootpw --plaintext secret
user --name=somebody --password=secret --plaintext
bootloader --timeout=1
clearpart --all --initlabel --disklabel=gpt
part biosboot --size=1 --fstype=biosboot
part /boot/efi --size=100 --fstype=efi
part swap --size=64
part / --size=1500 --fstype={fstype} --grow

%packages --excludedocs --inst-langs=en --exclude-weakdeps
@core
dnf
kernel
dracut-config-generic
grub2-pc
grub2-pc-modules
grub2-efi-x64
shim-x64
-*-firmware
%end

%post --erroronfail
useradd --create-home --password '$6$salt$nothing' other
dnf -C -y remove vim-minimal
python3 -c "import json, email.message"
date >/var/log/of-the-build.log
touch /etc/made-just-now
{line}
%end
"""


def kickstart(folder: Path, fstype: str = "ext4", line: str = "") -> Path:
    path = folder / "small.ks"
    path.write_text(SMALL.format(fstype=fstype, line=line))
    return path


def build(ccis: Command, file: Path, out: Path, store: Path, formats: str) -> Path:
    (made,) = ccis.json("build", "--kickstart", file, "--release", RELEASE, "--format", formats,
                        "--out", out, store=store)
    return Path(made["folder"])


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder for a store: in memory, where 4 GiB are free there."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30:
        folder = memory / f"ccis-test-{os.getpid()}"
        yield folder
        shutil.rmtree(folder, ignore_errors=True)
    else:
        yield tmp_path / "store"


def reproduce(ccis: Command, folder: Path, file: Path, status: int = 0) -> Any:
    done = ccis("reproduce", folder, "--kickstart", file, "--json", status=status)
    return json.loads(done.stdout)


def test_ext4_by_the_direct_engine_is_equal_in_every_byte(
    ccis: Command, tmp_path: Path, elsewhere: Path,
) -> None:
    file = kickstart(tmp_path)
    folder = build(ccis, file, tmp_path / "build", elsewhere, "raw,qcow2,tar-zst,oci")
    report = reproduce(ccis, folder, file)
    assert report["passed"] and report["same_bytes"] and report["exact"]
    assert {one["format"] for one in report["artefacts"]} == {"raw", "qcow2", "tar-zst", "oci"}
    assert {one["verdict"] for one in report["artefacts"]} == {"same bytes"}
    assert read(folder).source_date_epoch < folder.stat().st_mtime


@pytest.mark.full
def test_a_script_that_writes_the_time_is_named_with_its_file(
    ccis: Command, tmp_path: Path,
) -> None:
    file = kickstart(tmp_path, line="date +%N >/etc/time-of-the-build")
    folder = build(ccis, file, tmp_path / "build", tmp_path / "store", "raw,tar-zst")
    report = reproduce(ccis, folder, file, status=1)
    raw, tree = report["artefacts"]
    assert not report["passed"] and raw["verdict"] == tree["verdict"] == "differs"
    assert tree["places"] == [place for place in tree["places"] if "etc/time-of-the-build" in place]
    assert len(tree["places"]) == 1
    files = [place for place in raw["places"] if place.startswith("/")]
    assert len(files) == 1 and files[0].startswith("/etc/time-of-the-build: content ")
    assert any(place.startswith("partition 4 (/, ext4)") for place in raw["places"])
    assert raw["offset_bytes"] > 0


def test_xfs_is_the_same_tree_in_other_bytes(ccis: Command, built: Path) -> None:
    done = ccis("reproduce", built)
    assert "same tree, other bytes" in done.stdout and "xfs is written by the kernel" in done.stdout
    assert done.stdout.rstrip().endswith("reproduced")


def test_another_kickstart_than_the_recorded_one_ends_with_status_2(
    ccis: Command, built: Path, tmp_path: Path,
) -> None:
    original = catalogue.kickstart_of(catalogue.image("generic-cloud"))
    changed = tmp_path / original.name
    changed.write_text(original.read_text().replace("--timeout=1", "--timeout=2"))
    done = ccis("reproduce", built, "--kickstart", changed, status=2)
    assert "not the one that the image was built from" in done.stderr
    assert str(changed) in done.stderr


def test_repositories_that_have_changed_end_with_status_2(
    ccis: Command, built: Path, tmp_path: Path,
) -> None:
    text = json.loads((built / "build.json").read_text())
    text["repositories"][0]["repomd_sha256"] = "0" * 64
    (tmp_path / "build.json").write_text(json.dumps(text))
    done = ccis("reproduce", tmp_path, status=2)
    assert "the repositories are not those" in done.stderr
    assert text["repositories"][0]["id"] in done.stderr
