"""No format is probed: whatever an image's bytes say, no other file of the host is opened."""

from __future__ import annotations

import ast
import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from host import block
from host.appliance import Drive, open_appliance
from host.errors import InputError
from host.progress import Silent
from specs.model import load
from tests.security.artefact_images import MIB, NAMED, header, wrapped
from tests.security.watched import nobody_opens
from validate.artefact import inspect, unreadable
from validate.boot.run import boot
from validate.run import validate

ROOT = Path(__file__).parents[2]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(b"TOP SECRET".ljust(MIB, b"."))
    return path


@pytest.mark.parametrize("way", NAMED)
def test_an_image_that_names_other_files_is_a_verdict_and_nothing_is_opened(
    tmp_path: Path, secret: Path, way: str,
) -> None:
    image = tmp_path / "image.qcow2"
    image.write_bytes(NAMED[way](secret))
    with nobody_opens(secret):
        report = validate(image, load("baseline"), None, Silent())
        with pytest.raises(InputError, match="names other files"):
            boot(image, "bios", load("baseline"), None, Silent())
    assert not report.passed
    by_rule = {one.rule: one.status for one in report.results}
    assert by_rule["artefact.self-contained"] == "failed"


@pytest.mark.parametrize("way", NAMED)
def test_what_a_disk_begins_with_is_no_format(tmp_path: Path, secret: Path, way: str) -> None:
    """qemu-img's side of it: sizes and content are the disk's own."""
    inside = NAMED[way](secret)
    image = wrapped(tmp_path / "image.qcow2", inside)
    layer, raw = tmp_path / "layer.qcow2", tmp_path / "out.raw"
    with nobody_opens(secret):
        assert unreadable(inspect(image)) is None
        block.overlay(layer, image, "qcow2")
        subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", layer, raw], check=True)
    assert raw.read_bytes() == inside


def test_the_appliance_reads_the_disk_and_no_file_that_it_names(
    tmp_path: Path, secret: Path,
) -> None:
    """libguestfs's own overlay for read-only drives is opened without a format."""
    images = [wrapped(tmp_path / f"{number}.qcow2", NAMED[way](secret))
              for number, way in enumerate(("absolute", "json:", "data file"))]
    raw = tmp_path / "3.raw"
    raw.write_bytes(NAMED["absolute"](secret))
    drives = [*(Drive(image, "qcow2") for image in images), Drive(raw, "raw")]
    with nobody_opens(secret), open_appliance(drives, readonly=True) as g:
        for device in g.list_devices():
            assert g.pread_device(device, 4, 0) == b"QFI\xfb"


def test_the_guest_s_disk_is_the_image_and_no_file_that_it_names(
    tmp_path: Path, secret: Path,
) -> None:
    image = wrapped(tmp_path / "image.qcow2", NAMED["absolute"](secret))
    with nobody_opens(secret), pytest.raises(Exception, match="found nothing to boot"):
        boot(image, "bios", load("baseline"), None, Silent(), limit_s=60)


@pytest.mark.parametrize(("content", "message"), [
    (header(crypt=2), "is encrypted as a qcow2"),
    (header(crypt=1), "is encrypted as a qcow2"),
    (header(features=1 << 9), "nobody knows"),
    (header(features=1 << 63), "nobody knows"),
    (header(size_bytes=1 << 63), "broken qcow2 header"),
    (header(extensions=[(7, b"x" * 70000)])[:4 << 16], "broken qcow2 header"),
])
def test_a_header_that_nobody_can_use_is_bad_input(
    tmp_path: Path, content: bytes, message: str,
) -> None:
    image = tmp_path / "image.qcow2"
    image.write_bytes(content)
    with pytest.raises(InputError) as caught:
        validate(image, load("baseline"), None, Silent())
    assert message in str(caught.value)


def test_a_luks_qcow2_of_qemu_s_is_bad_input(tmp_path: Path) -> None:
    image = tmp_path / "image.qcow2"
    for _ in range(20):  # beside others, QEMU's measuring may be too coarse for it
        made = subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "--object", "secret,id=s,data=x", "-o",
             "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", image, "1M"],
            check=False, capture_output=True, text=True)
        if "Unable to get accurate CPU usage" not in made.stderr:
            break
    assert made.returncode == 0, made.stderr
    with pytest.raises(InputError, match="is encrypted as a qcow2"):
        validate(image, load("baseline"), None, Silent())


def test_a_cut_off_qcow2_is_called_so(tmp_path: Path) -> None:
    raw, image = tmp_path / "a.raw", tmp_path / "a.qcow2"
    raw.write_bytes(random.Random(1).randbytes(4 * MIB))
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image], check=True)
    with image.open("r+b") as stream:
        stream.truncate(2 * MIB)
    for work in (lambda: validate(image, load("baseline"), None, Silent()),
                 lambda: boot(image, "bios", load("baseline"), None, Silent())):
        with pytest.raises(InputError, match="cut off"):
            work()


def test_a_disk_that_is_larger_than_any_is_bad_input(tmp_path: Path) -> None:
    image = tmp_path / "a.raw"
    with image.open("wb") as stream:
        stream.truncate((1 << 43) - 4096)
    assert unreadable(inspect(image)) is None
    claimed = tmp_path / "b.qcow2"
    claimed.write_bytes(header(size_bytes=1 << 60))
    with pytest.raises(InputError):
        validate(claimed, load("baseline"), None, Silent())


def _mutated(number: int, secret: Path) -> tuple[str, bytes]:
    """An image with its header changed at random; the same number gives the same one."""
    chance = random.Random(number)
    whole = bytearray(chance.choice([make(secret) for make in NAMED.values()] + [header()] * 8))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(0, 160)
        whole[at] = chance.choice([0, 1, 255, chance.randrange(256)])
    whole[:4] = b"QFI\xfb" if chance.random() < 0.9 else whole[:4]
    del whole[chance.choice([len(whole), len(whole), chance.randrange(len(whole))]):]
    return chance.choice([".qcow2", ".raw"]), bytes(whole)


@pytest.mark.parametrize("numbers", [
    range(200), pytest.param(range(200, 3000), marks=pytest.mark.full)])
def test_mutated_headers_are_judged_in_time_and_open_nothing(
    tmp_path: Path, secret: Path, numbers: range,
) -> None:
    outcomes: dict[str, int] = {}
    with nobody_opens(secret):
        for number in numbers:
            ending, content = _mutated(number, secret)
            path = tmp_path / f"image{ending}"
            path.write_bytes(content)
            begun = time.monotonic()
            try:
                facts = inspect(path)
                if not facts.self_contained:
                    outcome = "names others"
                else:
                    outcome = "unreadable" if unreadable(facts) else "readable"
            except InputError:
                outcome = "bad input"
            assert time.monotonic() - begun < 60, number  # one takes 7 s of a quiet machine
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert len(outcomes) == 4, outcomes


def test_every_use_of_a_disk_says_its_format() -> None:
    """qemu-img and QEMU are told nodes by host.block; a bare file name would be probed."""
    allowed = {"host/block.py", "validate/artefact.py", "validate/compare/builds.py",
               "validate/boot/qemu.py", "validate/raw_disks.py", "host/appliance.py",
               "ccis/doctor/tools.py"}
    found = set()
    for path in ROOT.glob("*/**/*.py"):
        room = path.relative_to(ROOT).parts[0]
        if room in ("tests", "benchmarks", "build") or room.startswith("."):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(
                    "qemu-img|-drive|-hd[ab]|-cdrom|-blockdev|add_drive.*", node.value):
                found.add(str(path.relative_to(ROOT)))
                assert node.value not in ("-drive", "-hda", "-hdb", "-cdrom"), path
    assert found <= allowed
    for name in ("validate/artefact.py", "validate/compare/builds.py", "validate/raw_disks.py"):
        assert "block.name(" in (ROOT / name).read_text()
    assert '"driver": driver' in (ROOT / "host/block.py").read_text()


def test_a_reader_on_its_own_is_a_process_that_ends_when_its_owner_does(tmp_path: Path) -> None:
    """The worker gets its request, and says what it made of it, on its standard streams."""
    image = tmp_path / "a.qcow2"
    image.write_bytes(header(name=b"/etc/hostname"))
    request = {"path": str(image), "format": "qcow2", "record": None, "key": None,
               "spec": load("baseline").model_dump(mode="json")}
    done = subprocess.run([sys.executable, "-m", "validate.worker"], input=json.dumps(request),
                          text=True, capture_output=True, cwd=ROOT, check=True)
    assert '"status": 2' in done.stdout and "was changed" in done.stdout
