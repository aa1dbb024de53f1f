"""A build's folder and a public tree may be anybody's: nothing outside is read, written or waited
on, and what is not as it must be is bad input, never a fault of ours."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host.beneath.remove import remove_tree
from host.errors import InputError
from images.record import LIMIT_BYTES, read
from publish.sign import Signer
from publish.verify import verify
from tests.publish.conftest import IMAGES, MakeBuild, Publish

BAD: dict[str, Callable[[Path, Path], None]] = {
    "link": lambda path, victim: path.symlink_to(victim),
    "fifo": lambda path, victim: os.mkfifo(path),
    "device": lambda path, victim: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5)),
    "socket": lambda path, victim: os.mknod(path, stat.S_IFSOCK | 0o666),
    "folder": lambda path, victim: path.mkdir(),
    "endless": lambda path, victim: os.truncate(
        os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 43),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("which", ["the record", "an artefact"])
def test_what_is_published_is_a_regular_file(
    which: str, kind: str, root: Path, make_build: MakeBuild, put: Publish, tmp_path: Path,
) -> None:
    build = make_build()
    path = build / "build.json" if which == "the record" else next(build.glob("*.qcow2"))
    path.rename(tmp_path / "victim")  # the very content, so that only its kind is wrong
    BAD[kind](path, tmp_path / "victim")
    with pytest.raises(InputError):
        put(build)
    assert not list(root.rglob("*.qcow2"))
    if which == "the record":
        with pytest.raises(InputError, match=r"build\.json"):
            read(build)


NUMBERS: list[tuple[str, Any]] = [
    ("source_date_epoch", 10**18), ("source_date_epoch", -1), ("source_date_epoch", 10**400),
    ("source_date_epoch", float("nan")), ("source_date_epoch", 1e300),
    ("artefacts.0.size_bytes", -1), ("artefacts.0.size_bytes", 1 << 62),
    ("artefacts.0.size_bytes", float("inf")), ("artefacts.0.virtual_size_bytes", 1 << 70),
    ("packages.0.epoch", 1 << 40), ("steps.0.duration_s", float("nan")),
    ("steps.0.cpu_s", float("-inf")), ("steps.0.duration_s", -1.0),
    ("targets.0.properties.min_disk", float("nan")),
]
NAMES = ["../x", "a/b", "/etc/shadow", "..", ".", "", "a\nb", "\x1b[2J", "a\u202eb", "\x00", "-x",
         " x", "x" * 300, "\u009b31m"]
NAMED = ["name", "image", "flavour", "release", "distribution", "version", "arch", "build_id",
         "artefacts.0.file", "artefacts.0.format", "steps.0.name", "steps.0.after",
         "targets.0.name", "targets.0.files.0", "targets.0.documents.0"]


def changed(build: Path, place: str, value: object) -> None:
    """Set a value of a build's record, which gets a step and a target for that."""
    record = json.loads((build / "build.json").read_text())
    record["steps"] = [{"name": "disk", "digest": "0", "cached": False, "duration_s": 1.0,
                        "cpu_s": 1.0, "after": "seal"}]
    record["targets"] = [{"name": "kvm", "title": "KVM", "files": ["x"], "documents": ["y"],
                          "properties": {}}]
    *way, last = place.split(".")
    here = record
    for part in way:
        here = here[int(part)] if part.isdecimal() else here[part]
    here[int(last) if last.isdecimal() else last] = value
    (build / "build.json").write_text(json.dumps(record))


@pytest.mark.parametrize(("place", "value"), NUMBERS)
def test_numbers_have_bounds(
    place: str, value: object, root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    build = make_build()
    changed(build, place, value)
    for attempt in (lambda: read(build), lambda: put(build)):
        with pytest.raises(InputError, match="not a build record"):
            attempt()
    assert not root.exists()


@pytest.mark.parametrize("place", NAMED)
def test_names_are_no_paths_and_no_commands_of_a_terminal(
    place: str, make_build: MakeBuild,
) -> None:
    build = make_build()
    changed(build, place, "good")
    read(build)
    for name in NAMES:
        changed(build, place, name)
        with pytest.raises(InputError, match="not a build record") as caught:
            read(build)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("content", [
    b"", b"\xff\xfe", b"[" * 100_000, b"{}", b"null", b'{"name": 1e999999}', b'"' + b"x" * 100,
    b"9" * 100_000, b" " * (LIMIT_BYTES + 1),
])
def test_what_is_no_record_is_bad_input(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "build.json").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(tmp_path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("place", ["keys", "centos", "centos/10-stream", IMAGES])
def test_nothing_is_published_through_a_link(
    place: str, root: Path, make_build: MakeBuild, put: Publish, tmp_path: Path,
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (root / place).parent.mkdir(parents=True)
    (root / place).symlink_to(victim)
    with pytest.raises(InputError, match="symbolic link"):
        put(make_build())
    assert not list(victim.iterdir())


@pytest.mark.parametrize("kind", ["link", "fifo", "device", "endless"])
@pytest.mark.parametrize("name", ["index.json", "index.json.asc", "CHECKSUM", "the key",
                                  "the image"])
def test_a_public_tree_that_was_tampered_with_is_not_carried_on(
    name: str, kind: str, root: Path, make_build: MakeBuild, put: Publish, signer: Signer,
    tmp_path: Path,
) -> None:
    """What can be made anew is; else the next publication is refused. Links are never kept."""
    put(make_build("20261120.0"))
    images = root / IMAGES
    path = {"the key": root / f"keys/{signer.fingerprint}.asc",
            "the image": images / "CentOS-Stream-GenericCloud-10-20261120.0.x86_64.qcow2",
            }.get(name, images / name)
    path.rename(tmp_path / "victim")
    before = (tmp_path / "victim").read_bytes()
    BAD[kind](path, tmp_path / "victim")
    assert not verify(root).ok
    try:
        put(make_build("20261121.0"))
    except InputError:
        assert name not in ("CHECKSUM", "the key")
    else:
        assert stat.S_ISREG(path.lstat().st_mode)
        assert name == "the image" or verify(root).ok
    assert (tmp_path / "victim").read_bytes() == before


def test_a_deep_folder_in_a_public_tree_ends_in_a_verdict(
    root: Path, make_build: MakeBuild, put: Publish, request: pytest.FixtureRequest,
) -> None:
    put(make_build())
    request.addfinalizer(lambda: remove_tree(root / "deep"))  # pytest's own way is recursive
    (root / "deep").mkdir()
    here = os.open(root / "deep", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (finding,) = verify(root).findings
    assert finding.file.startswith("deep/d/d")
    assert "too deeply" in finding.problem
    put(make_build("20261122.0"), replace_key=True)


@pytest.mark.parametrize("moment", ["2026-13-01T00:00:00Z", "yesterday", "9" * 5000,
                                    "2026-01-01T00:00:00+99:99"])
def test_an_index_with_an_impossible_time_is_a_finding(
    moment: str, root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    put(make_build())
    index = root / IMAGES / "index.json"
    content = json.loads(index.read_text())
    content["builds"][0]["published"] = moment
    index.write_text(json.dumps(content))
    assert any("not a valid index" in finding.problem for finding in verify(root).findings)
    with pytest.raises(InputError, match="damaged"):
        put(make_build("20261122.0"))
