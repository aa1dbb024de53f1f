"""Verification: a changed byte anywhere is found by name, and hostile trees harm nobody."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from host.errors import InputError
from host.progress import Silent
from publish import checksums
from publish.checksums import Sum
from publish.model import Index
from publish.report import Verification
from publish.sign import Signer
from publish.verify import verify
from tests.publish.conftest import IMAGES, MakeBuild, Publish


@pytest.fixture
def tree(root: Path, make_build: MakeBuild, put: Publish) -> Path:
    """Return a tree with two builds, the newer of them in two formats."""
    put(make_build("20261120.0"), make_build("20261121.0", {"qcow2": b"new", "raw.xz": b"x" * 99}))
    return root


def problems(report: Verification) -> dict[str, str]:
    """Return the findings of the images folder by file name; others with their whole path."""
    found: dict[str, str] = {}
    for finding in report.findings:
        name = finding.file.removeprefix(IMAGES + "/")
        found[name] = "; ".join(filter(None, [found.get(name), finding.problem]))
    return found


def sign_again(
    tree: Path, signer: Signer, sums: dict[str, Sum] | None = None, text: str | None = None,
) -> None:
    """Sign the folder as it is now, or these sums: what a hostile publisher with a key can do."""
    folder = tree / IMAGES
    (folder / "index.json.asc").write_text(signer.detached((folder / "index.json").read_text()))
    if text is None:
        generated = {"CHECKSUM", "index.json.asc"}
        sums = sums if sums is not None else {
            path.name: Sum.of(path.read_bytes()) for path in folder.iterdir()
            if path.name not in generated and not path.name.endswith(".SHA256SUM")
        }
        text = checksums.render(sums)
    (folder / "CHECKSUM").write_text(signer.clear_sign(text))


def test_a_good_tree_passes(tree: Path, signer: Signer) -> None:
    report = verify(tree)
    assert report.findings == []
    assert report.folders == [IMAGES]
    assert report.trust == "first-use"
    assert report.fingerprints == [signer.fingerprint]


def test_twins_are_hashed_once(tree: Path) -> None:
    folder = tree / IMAGES
    once = {path.stat().st_ino: path.stat().st_size for path in folder.iterdir()
            if path.suffix not in (".SHA256SUM", ".asc") and path.name != "CHECKSUM"}
    assert verify(tree).bytes_hashed == sum(once.values())


def positions(size_bytes: int) -> list[int]:
    """Return the bytes to change: the first, the last, and some between."""
    return sorted({0, size_bytes - 1, *range(0, size_bytes, max(1, size_bytes // 4))})


def test_one_changed_byte_in_any_file_fails_with_its_name(tree: Path) -> None:
    """The last and the first byte of each file, and more between, whatever kind of file it is."""
    files = [path for path in tree.rglob("*") if path.is_file() and path.name != ".publish.lock"]
    assert len(files) == 17
    for path in files:
        good = path.read_bytes()
        name = str(path.relative_to(tree))
        links = {str(other.relative_to(tree)) for other in files if path.samefile(other)}
        for position in positions(len(good)):
            changed = bytearray(good)
            changed[position] ^= 0x01
            path.write_bytes(changed)
            named = {finding.file for finding in verify(tree).findings}
            assert links <= named, f"{name}: byte {position} of {len(good)}"
        path.write_bytes(good)
    assert verify(tree).ok


@pytest.mark.parametrize("name", [
    "CHECKSUM", "index.json", "index.json.asc",
    "CentOS-Stream-GenericCloud-10-20261120.0.x86_64.qcow2",
    "CentOS-Stream-GenericCloud-10-20261120.0.x86_64.build.json",
    "CentOS-Stream-GenericCloud-10-latest.x86_64.raw.xz",
    "CentOS-Stream-GenericCloud-10-latest.x86_64.raw.xz.SHA256SUM",
])
def test_a_missing_file_fails_with_its_name(tree: Path, name: str) -> None:
    (tree / IMAGES / name).unlink()
    assert problems(verify(tree))[name] == "it is missing"


def test_a_missing_key_fails_with_its_name(tree: Path, signer: Signer) -> None:
    (tree / "keys" / f"{signer.fingerprint}.asc").unlink()
    assert f"keys/{signer.fingerprint}.asc" in problems(verify(tree))


@pytest.mark.parametrize("name", ["extra.qcow2", ".hidden", "CHECKSUM.SHA256SUM"])
def test_an_unexpected_file_fails_with_its_name(tree: Path, name: str) -> None:
    (tree / IMAGES / name).write_text("what is this?")
    assert problems(verify(tree)) == {name: "it is not part of the release"}


def test_an_unexpected_key_fails_with_its_name(tree: Path, other_signer: Signer) -> None:
    (tree / "keys" / f"{other_signer.fingerprint}.asc").write_text(other_signer.public_key())
    assert list(problems(verify(tree))) == [f"keys/{other_signer.fingerprint}.asc"]


def test_text_around_the_signed_text_is_refused(tree: Path) -> None:
    """gpg ignores it and answers "good signature"; a person who reads the file is misled."""
    checksum = tree / IMAGES / "CHECKSUM"
    checksum.write_text("SHA256 (evil.qcow2) = " + "0" * 64 + "\n" + checksum.read_text())
    assert "nothing else" in problems(verify(tree))["CHECKSUM"]


def test_a_tree_signed_by_a_stranger_fails_for_who_pinned_the_key(
    tree: Path, signer: Signer, other_signer: Signer, tmp_path: Path,
) -> None:
    """The attacker replaces everything, key and all: first use can't tell, a pin can."""
    index = Index.model_validate_json((tree / IMAGES / "index.json").read_text())
    forged = index.model_copy(update={"signing_key": other_signer.fingerprint})
    (tree / IMAGES / "index.json").write_text(forged.dump())
    sign_again(tree, other_signer)
    shutil.rmtree(tree / "keys")
    (tree / "keys").mkdir()
    (tree / "keys" / f"{other_signer.fingerprint}.asc").write_text(other_signer.public_key())
    assert verify(tree).ok
    pinned = verify(tree, fingerprint=signer.fingerprint)
    assert f"keys/{signer.fingerprint}.asc" in problems(pinned)
    mine = tmp_path / "mine.asc"
    mine.write_text(signer.public_key())
    found = problems(verify(tree, key=mine))
    assert "another key" in found["CHECKSUM"]
    assert "another key" in found["index.json.asc"]


def test_the_right_pin_passes(tree: Path, signer: Signer, tmp_path: Path) -> None:
    spaced = " ".join(signer.fingerprint[at:at + 4] for at in range(0, 40, 4)).lower()
    assert verify(tree, fingerprint=spaced).ok
    mine = tmp_path / "mine.asc"
    mine.write_text(signer.public_key())
    report = verify(tree, key=mine)
    assert report.ok
    assert report.trust == "pinned"


def test_a_key_file_without_the_pinned_key_is_bad_input(
    tree: Path, signer: Signer, other_signer: Signer, tmp_path: Path,
) -> None:
    other = tmp_path / "other.asc"
    other.write_text(other_signer.public_key())
    with pytest.raises(InputError, match=signer.fingerprint):
        verify(tree, key=other, fingerprint=signer.fingerprint)
    other.write_text("not a key")
    with pytest.raises(InputError, match="not a usable public key"):
        verify(tree, key=other)


def test_a_signed_folder_can_t_stand_in_for_another(tree: Path) -> None:
    """Else last year's 9-stream could be served as 10-stream, with good signatures."""
    (tree / IMAGES).rename(tree / "moved")
    (tree / "centos/9-stream/x86_64").mkdir(parents=True)
    (tree / "moved").rename(tree / "centos/9-stream/x86_64/images")
    finding, status = verify(tree).findings
    assert status.file == "indexes/status.json"  # it speaks of the other place
    assert finding.file == "centos/9-stream/x86_64/images/index.json"
    assert "another folder" in finding.problem


def test_a_latest_twin_that_is_behind_fails_although_all_is_signed(
    tree: Path, signer: Signer,
) -> None:
    folder = tree / IMAGES
    twin = folder / "CentOS-Stream-GenericCloud-10-latest.x86_64.qcow2"
    old = folder / "CentOS-Stream-GenericCloud-10-20261120.0.x86_64.qcow2"
    index = json.loads((folder / "index.json").read_text())
    for build in index["builds"]:
        for file in build["files"]:
            if file["file"].endswith(".qcow2"):
                file["latest"] = build["build_id"] == "20261120.0"
                file["latest_file"] = twin.name if file["latest"] else None
                file["aliases"] = [twin.name] if file["latest"] else []
    (folder / "index.json").write_text(json.dumps(index))
    twin.unlink()
    os.link(old, twin)
    (folder / (twin.name + ".SHA256SUM")).write_text(
        checksums.render({twin.name: Sum.of(old.read_bytes())}))
    sign_again(tree, signer)
    found = problems(verify(tree))
    assert set(found) == {old.name, "CentOS-Stream-GenericCloud-10-20261121.0.x86_64.qcow2"}
    assert all("wrong latest mark" in problem for problem in found.values())


def test_index_and_checksum_must_agree(tree: Path, signer: Signer) -> None:
    folder = tree / IMAGES
    sums, _ = checksums.parse("\n".join(
        line for line in (folder / "CHECKSUM").read_text().splitlines()
        if line.startswith(("# ", "SHA256"))))
    name = "CentOS-Stream-GenericCloud-10-20261120.0.x86_64.qcow2"
    sign_again(tree, signer, sums | {name: Sum(1, "0" * 64)})
    assert "index.json and CHECKSUM differ" in " ".join(
        finding.problem for finding in verify(tree).findings if finding.file.endswith(name))


# Hostile trees: whoever wrote them may hold a key that the reader believes on first use.


@pytest.mark.parametrize("name", ["../../../../secret", "/etc/passwd", "..", "a/b", ".x", "a b"])
def test_a_name_that_leads_out_of_the_folder_is_reported_and_never_opened(
    tree: Path, signer: Signer, name: str,
) -> None:
    (tree.parent / "secret").write_text("s")
    sums = {"a": Sum(1, "0" * 64), name: Sum(1, "0" * 64)}
    sign_again(tree, signer, text=checksums.render(sums))
    found = [finding for finding in verify(tree).findings if "not the name of a file" in
             finding.problem]
    assert [finding.file for finding in found] == [f"{IMAGES}/CHECKSUM"]


@pytest.mark.parametrize("name", ["../../../../secret", "/etc/passwd", "x\ny"])
def test_such_a_name_in_the_index_is_reported_and_never_opened(
    tree: Path, signer: Signer, name: str,
) -> None:
    index = tree / IMAGES / "index.json"
    content = json.loads(index.read_text())
    content["builds"][0]["files"][0]["file"] = name
    index.write_text(json.dumps(content))
    sign_again(tree, signer)
    assert "not a valid index" in problems(verify(tree))["index.json"]


def test_a_fingerprint_that_is_a_path_is_not_opened(tree: Path) -> None:
    index = tree / IMAGES / "index.json"
    content = json.loads(index.read_text())
    content["signing_key"] = "../../../../etc/passwd"
    index.write_text(json.dumps(content))
    assert "not a valid index" in problems(verify(tree))["index.json"]


@pytest.mark.parametrize("name", ["CHECKSUM", "index.json",
                                  "CentOS-Stream-GenericCloud-10-20261121.0.x86_64.qcow2"])
def test_a_symbolic_link_is_reported_and_not_followed(tree: Path, name: str) -> None:
    """Even to the very same content: it could be another one a moment later."""
    path = tree / IMAGES / name
    moved = tree.parent / name
    path.rename(moved)
    path.symlink_to(moved)
    found = {(finding.file, finding.problem) for finding in verify(tree).findings}
    assert (f"{IMAGES}/{name}", "it is a symbolic link, which is not followed") in found


@pytest.mark.parametrize("path", ["NOTES.txt", "centos/10-stream/x86_64/evil.qcow2", "isos/a.iso",
                                  "keys.asc", ".publish.lock"])
def test_what_no_release_holds_is_reported(tree: Path, path: str) -> None:
    """Nothing vouches for it, and it lies where people take it for ours."""
    (tree / path).parent.mkdir(exist_ok=True)
    (tree / path).write_text("whose?")
    assert problems(verify(tree)) == {path: "it is not part of the release"}


def test_a_folder_of_images_without_checksum_is_reported(tree: Path) -> None:
    (tree / "centos/11-stream/images").mkdir(parents=True)
    (tree / "centos/11-stream/images/a.qcow2").write_text("whose?")
    found = problems(verify(tree))
    assert "it is missing" in found["centos/11-stream/images/CHECKSUM"]
    assert found["centos/11-stream/images/a.qcow2"] == "it is not part of the release"


def test_a_linked_folder_is_reported_and_not_followed(tree: Path) -> None:
    (tree / "centos/11-stream").symlink_to(tree / "centos/10-stream")
    assert problems(verify(tree)) == {
        "centos/11-stream": "it is a symbolic link, which is not followed"}


def test_a_pipe_does_not_hang_the_reader(tree: Path) -> None:
    os.mkfifo(tree / IMAGES / "pipe")
    (tree / IMAGES / "CHECKSUM").unlink()
    os.mkfifo(tree / IMAGES / "CHECKSUM")
    found = problems(verify(tree))
    assert found["pipe"] == "it is not a regular file"
    assert "CHECKSUM" in found


def test_a_folder_named_like_a_file_is_reported(tree: Path) -> None:
    path = tree / IMAGES / "CentOS-Stream-GenericCloud-10-20261120.0.x86_64.qcow2"
    path.unlink()
    path.mkdir()
    assert problems(verify(tree))[path.name] == "it is not a regular file"


@pytest.mark.parametrize("name", ["CHECKSUM", "index.json"])
def test_a_huge_file_is_reported_and_not_read(
    tree: Path, name: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("publish.check_folder.MAX_SIGNED_BYTES", 1 << 20)
    with (tree / IMAGES / name).open("ab") as stream:
        stream.truncate(1 << 40)  # a hole of 1 TiB
    found = [finding.problem for finding in verify(tree).findings if finding.file.endswith(name)]
    assert any("larger than" in problem for problem in found)


def test_a_huge_line_is_reported_in_few_words(tree: Path, signer: Signer) -> None:
    sign_again(tree, signer, text="# " + "x" * 5000 + ": 1 bytes\n")
    report = verify(tree)
    assert "line 1 has 5011 characters" in problems(report)["CHECKSUM"]
    assert all(len(finding.problem) < 400 for finding in report.findings)


def test_what_is_no_tree_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a release tree"):
        verify(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        verify(tmp_path / "nothing")


def test_a_fetched_copy_without_hard_links_passes(tree: Path, tmp_path: Path) -> None:
    """What a mirror makes of the tree: the twins are files of their own there."""
    shutil.copytree(tree, tmp_path / "mirror")
    assert verify(tmp_path / "mirror", progress=Silent()).ok
