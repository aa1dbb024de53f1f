"""What a publication leaves: names, twins, checksums, the index; and what it refuses."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from host.errors import InputError
from publish.model import Index
from publish.sign import Signer
from publish.verify import verify
from tests.publish.conftest import IMAGES, MakeBuild, Publish


def read_index(root: Path) -> Index:
    return Index.model_validate_json((root / IMAGES / "index.json").read_text())


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path.relative_to(root)): (path.stat().st_ino, path.read_bytes())
            for path in root.rglob("*") if path.is_file()}


def test_the_names_are_those_of_cloud_centos_org(
    root: Path, make_build: MakeBuild, put: Publish, signer: Signer,
) -> None:
    put(make_build(files={"qcow2": b"q" * 1000, "raw.xz": b"r" * 10}))
    stem = "CentOS-Stream-GenericCloud-10-20261121.0.x86_64"
    latest = "CentOS-Stream-GenericCloud-10-latest.x86_64"
    files = [f"{name}.{extension}" for name in (stem, latest) for extension in ("qcow2", "raw.xz")]
    assert sorted(path.name for path in (root / IMAGES).iterdir()) == sorted([
        "CHECKSUM", "index.json", "index.json.asc", f"{stem}.build.json",
        *files, *(f"{name}.SHA256SUM" for name in files),
    ])
    assert [path.name for path in (root / "keys").iterdir()] == [f"{signer.fingerprint}.asc"]


def test_a_twin_is_the_same_file_and_not_a_copy(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    put(make_build())
    folder = root / IMAGES
    assert (folder / "CentOS-Stream-GenericCloud-10-20261121.0.x86_64.qcow2").samefile(
        folder / "CentOS-Stream-GenericCloud-10-latest.x86_64.qcow2")


def test_the_published_file_is_not_the_build_s_own(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    """Booting the image in build/ must not write into the release."""
    build = make_build()
    put(build)
    for file in build.glob("*.qcow2"):
        assert not file.samefile(root / IMAGES / file.name)
        file.write_bytes(b"written to by a virtual machine")
    assert verify(root).ok


def test_checksum_has_a_size_and_a_sha256_for_each_file(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    put(make_build(files={"qcow2": b"content"}))
    text = (root / IMAGES / "CHECKSUM").read_text()
    digest = hashlib.sha256(b"content").hexdigest()
    for middle in ("20261121.0", "latest"):
        name = f"CentOS-Stream-GenericCloud-10-{middle}.x86_64.qcow2"
        lines = f"# {name}: 7 bytes\nSHA256 ({name}) = {digest}\n"
        assert lines in text
        assert (root / IMAGES / f"{name}.SHA256SUM").read_text() == lines


def test_sha256sum_of_coreutils_reads_the_checksum_file(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    put(make_build())
    done = subprocess.run(["sha256sum", "--check", "CHECKSUM"], cwd=root / IMAGES,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "latest.x86_64.qcow2: OK" in done.stdout


def test_gpg_alone_verifies_both_signatures(
    root: Path, make_build: MakeBuild, put: Publish, tmp_path: Path,
) -> None:
    """A reader without ccis needs gpg and nothing else."""
    put(make_build())
    ring = tmp_path / "ring.gpg"
    key = next((root / "keys").iterdir())
    subprocess.run(["gpg", "--dearmor", "--output", ring, key], check=True)
    gpgv = ["gpgv", "--quiet", "--keyring", str(ring)]
    folder = root / IMAGES
    subprocess.run([*gpgv, folder / "CHECKSUM"], check=True)
    subprocess.run([*gpgv, folder / "index.json.asc", folder / "index.json"], check=True)


def test_the_index_says_what_a_program_needs(
    root: Path, make_build: MakeBuild, put: Publish, signer: Signer,
) -> None:
    put(make_build(files={"qcow2": b"content"}))
    raw = json.loads((root / IMAGES / "index.json").read_text())
    assert raw["schema_version"] == 2
    assert raw["path"] == IMAGES
    assert raw["signing_key"] == signer.fingerprint
    [build] = raw["builds"]
    assert (build["flavour"], build["release"], build["version"], build["arch"]) == (
        "GenericCloud", "rehearsal-10", "10", "x86_64")
    assert build["published"] == "2026-09-21T14:13:20Z"  # the sources' time, 1790000000
    [file] = build["files"]
    assert file == {
        "format": "qcow2", "file": "CentOS-Stream-GenericCloud-10-20261121.0.x86_64.qcow2",
        "size_bytes": 7, "virtual_size_bytes": 10 << 30, "latest": True,
        "latest_file": "CentOS-Stream-GenericCloud-10-latest.x86_64.qcow2",
        "aliases": ["CentOS-Stream-GenericCloud-10-latest.x86_64.qcow2"],
        "sha256": hashlib.sha256(b"content").hexdigest(),
    }
    packages = json.loads((root / IMAGES / build["record"]["file"]).read_text())["packages"]
    assert [package["name"] for package in packages] == ["bash"]


def test_publishing_again_changes_nothing(root: Path, make_build: MakeBuild, put: Publish) -> None:
    build = make_build()
    assert put(build).folders[0].changed
    before = snapshot(root)
    assert not put(build).folders[0].changed
    assert snapshot(root) == before


def test_latest_moves_to_the_newest_and_earlier_builds_stay(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    older, newer = make_build("20261121.9"), make_build("20261121.10")
    put(older)
    inode = next((root / IMAGES).glob("*20261121.9*.qcow2")).stat().st_ino
    put(newer)
    twin = root / IMAGES / "CentOS-Stream-GenericCloud-10-latest.x86_64.qcow2"
    assert twin.read_bytes() == next(newer.glob("*.qcow2")).read_bytes()  # 10 comes after 9
    kept = next((root / IMAGES).glob("*20261121.9.*.qcow2"))
    assert kept.stat().st_ino == inode  # a link to what was there, not a copy
    assert verify(root).ok


def test_an_older_build_published_later_does_not_take_latest(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    put(make_build("20261121.0"))
    put(make_build("20261120.0"))
    [marked] = [build.build_id for build in read_index(root).builds if build.files[0].latest]
    assert marked == "20261121.0"


def test_a_night_without_a_format_leaves_its_newest_one_latest(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    put(make_build("20261120.0", {"qcow2": b"old", "box": b"box"}), make_build("20261121.0"))
    twin = root / IMAGES / "CentOS-Stream-GenericCloud-10-latest.x86_64.box"
    assert twin.read_bytes() == b"box"
    assert verify(root).ok


def test_keep_prunes_per_flavour(root: Path, make_build: MakeBuild, put: Publish) -> None:
    put(make_build("20261118.0"), make_build("20261119.0"), make_build("20261119.0", flavour="ec2"))
    done = put(make_build("20261120.0"), keep=2)
    assert done.folders[0].removed == ["CentOS-Stream-GenericCloud-10-20261118.0.x86_64"]
    assert sorted((build.flavour, build.build_id) for build in read_index(root).builds) == [
        ("GenericCloud", "20261119.0"), ("GenericCloud", "20261120.0"), ("ec2", "20261119.0")]
    assert not list((root / IMAGES).glob("*20261118*"))
    assert verify(root).ok


def test_each_architecture_has_a_folder_of_its_own(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    done = put(make_build(), make_build(arch="aarch64"))
    assert [str(folder.path.relative_to(root)) for folder in done.folders] == [
        "centos/10-stream/aarch64/images", IMAGES]
    assert verify(root).folders == ["centos/10-stream/aarch64/images", IMAGES]


def test_one_format_alone(root: Path, make_build: MakeBuild, put: Publish) -> None:
    build = make_build(files={"qcow2": b"q", "raw": b"r"})
    put(build, formats=["qcow2"])
    assert not list((root / IMAGES).glob("*.raw*"))
    put(build)  # the other one joins it later
    assert (root / IMAGES / "CentOS-Stream-GenericCloud-10-latest.x86_64.raw").exists()
    assert verify(root).ok


def test_holes_stay_holes(root: Path, make_build: MakeBuild, put: Publish) -> None:
    build = make_build(files={"raw": b""})
    size_bytes = 64 << 20
    disk = next(build.glob("*.raw"))
    with disk.open("wb") as stream:
        stream.write(b"head")
        stream.seek(32 << 20)
        stream.write(b"middle")
        stream.truncate(size_bytes)
    record = json.loads((build / "build.json").read_text())
    record["artefacts"][0] |= {"size_bytes": size_bytes,
                               "sha256": hashlib.sha256(disk.read_bytes()).hexdigest()}
    (build / "build.json").write_text(json.dumps(record))
    put(build)
    published = root / IMAGES / disk.name
    assert published.read_bytes() == disk.read_bytes()
    assert published.stat().st_blocks * 512 < 1 << 20


def test_a_file_that_changed_since_its_build_is_refused_by_name(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    put(make_build("20261120.0"))
    before = snapshot(root)
    build = make_build()
    disk = next(build.glob("*.qcow2"))
    disk.write_bytes(disk.read_bytes()[:-1] + b"!")
    with pytest.raises(InputError, match=rf"{disk.name} has changed .*ccis store verify --repair"):
        put(build)
    assert snapshot(root) == before
    assert not list((root / IMAGES).parent.glob(".images.*"))


def test_publishing_again_puts_back_what_was_removed(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    """The way back after `ccis verify` found a damaged file: remove it, publish its build."""
    older, newer = make_build("20261120.0"), make_build("20261121.0")
    put(older, newer)
    for name in ("CHECKSUM", "CentOS-Stream-GenericCloud-10-20261120.0.x86_64.qcow2",
                 "CentOS-Stream-GenericCloud-10-latest.x86_64.qcow2.SHA256SUM"):
        (root / IMAGES / name).unlink()
    with pytest.raises(InputError, match=r"20261120\.0\.x86_64\.qcow2 is missing"):
        put(newer)
    assert put(newer, older).folders[0].changed
    assert verify(root).ok


def test_a_missing_artefact_is_refused_by_name(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    build = make_build()
    disk = next(build.glob("*.qcow2"))
    disk.unlink()
    with pytest.raises(InputError, match=disk.name):
        put(build)
    assert not (root / IMAGES).exists()


def test_what_is_published_never_changes(root: Path, make_build: MakeBuild, put: Publish) -> None:
    put(make_build(files={"qcow2": b"first"}))
    before = snapshot(root)
    with pytest.raises(InputError, match="published already with another content"):
        put(make_build(files={"qcow2": b"other"}, where="again"))
    assert snapshot(root) == before


@pytest.mark.parametrize(("key", "value", "message"), [
    ("public_path", "../../etc", "path"),
    ("public_path", "/etc", "path"),
    ("build_id", "../1", "build_id"),
    ("name", "CentOS-Stream-Other-10-20261121.0.x86_64", "the name of the build"),
])
def test_a_record_that_leads_elsewhere_is_refused(
    root: Path, make_build: MakeBuild, put: Publish, key: str, value: str, message: str,
) -> None:
    build = make_build()
    record = json.loads((build / "build.json").read_text())
    (build / "build.json").write_text(json.dumps(record | {key: value}))
    with pytest.raises(InputError, match=message):
        put(build)
    assert not root.exists()


def test_an_artefact_s_name_can_t_leave_the_folder(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    build = make_build()
    record = json.loads((build / "build.json").read_text())
    record["artefacts"][0]["file"] = record["name"] + ".x/../../../../evil"
    (build / "build.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="file: String should match"):
        put(build)


def test_a_foreign_file_is_not_thrown_away(root: Path, make_build: MakeBuild, put: Publish) -> None:
    put(make_build("20261120.0"))
    (root / IMAGES / "NOTES.txt").write_text("somebody's")
    with pytest.raises(InputError, match=r"NOTES\.txt"):
        put(make_build())
    assert (root / IMAGES / "NOTES.txt").exists()


def test_a_folder_of_somebody_else_s_is_left_alone(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    (root / IMAGES).mkdir(parents=True)
    (root / IMAGES / "precious").write_text("x")
    with pytest.raises(InputError, match="not a release folder that ccis made"):
        put(make_build())
    assert [path.name for path in (root / IMAGES).iterdir()] == ["precious"]


def test_a_changed_index_is_not_signed_again(
    root: Path, make_build: MakeBuild, put: Publish,
) -> None:
    """Else who can write the tree could have a lie signed with the next build."""
    put(make_build("20261120.0"))
    index = root / IMAGES / "index.json"
    index.write_text(index.read_text().replace('"latest": true', '"latest": false'))
    with pytest.raises(InputError, match="signature does not match its content"):
        put(make_build())


def test_another_key_needs_a_word(
    root: Path, make_build: MakeBuild, put: Publish, signer: Signer, other_signer: Signer,
) -> None:
    put(make_build("20261120.0"))
    build = make_build()
    with pytest.raises(InputError, match=signer.fingerprint):
        put(build, by=other_signer)
    put(build, by=other_signer, replace_key=True)
    assert [path.stem for path in (root / "keys").iterdir()] == [other_signer.fingerprint]
    report = verify(root)
    assert report.ok
    assert report.fingerprints == [other_signer.fingerprint]


def test_two_builds_of_one_name_are_refused(make_build: MakeBuild, put: Publish) -> None:
    with pytest.raises(InputError, match="two builds have the name"):
        put(make_build(), make_build(where="again"))


def test_keep_must_be_positive(make_build: MakeBuild, put: Publish) -> None:
    with pytest.raises(InputError, match="--keep"):
        put(make_build(), keep=0)
