"""Root trees in archives: every packing, OCI's and docker's layers with whiteouts, hostile ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from host.errors import InputError
from validate import streams, tars
from validate.archive import Archive
from validate.streams import unpacked
from validate.trees import facts_of, is_tree, open_tree
from validate.view import View

FILES: dict[str, bytes | None] = {
    "./": None, "./etc": None, "./etc/hosts": b"127.0.0.1 localhost\n", "./usr": None,
    "./usr/bin": None, "./usr/bin/bash": b"\x7fELF\x02\x01\x01" + bytes(11) + b"\x3e\0" + bytes(99)}


def tar(
    files: dict[str, bytes | None], *, links: dict[str, str] | None = None,
    hard: dict[str, str] | None = None, xattrs: dict[str, str] | None = None,
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            member.mode, member.size = 0o755, len(content or b"")
            if xattrs and name in xattrs:
                member.pax_headers = {"SCHILY.xattr.user.note": xattrs[name]}
            made.addfile(member, io.BytesIO(content or b""))
        for kind, names in ((tarfile.SYMTYPE, links), (tarfile.LNKTYPE, hard)):
            for name, target in (names or {}).items():
                member = tarfile.TarInfo(name)
                member.type, member.linkname = kind, target
                made.addfile(member)
    return out.getvalue()


def opened(path: Path, content: bytes) -> View:
    path.write_bytes(content)
    assert is_tree(path, None)
    return open_tree(facts_of(path, None), None)


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "x.tar": lambda content: content, "x.tar.gz": gzip.compress, "x.tar.xz": lzma.compress,
    "x.tar.zst": zstandard.ZstdCompressor().compress, "x.wsl": gzip.compress}


@pytest.mark.parametrize("name", PACKINGS)
def test_a_tree_is_read_out_of_every_packing(tmp_path: Path, name: str) -> None:
    content = tar(FILES, links={"./bin": "usr/bin"}, hard={"./usr/bin/sh": "./usr/bin/bash"},
                  xattrs={"./etc/hosts": "x"})
    view = opened(tmp_path / name, PACKINGS[name](content))
    assert view.text("/etc/hosts") == "127.0.0.1 localhost\n"
    assert view.arch == "x86_64"
    assert (view.tree.resolve("/bin/sh") or view.tree.get("/")) == view.tree.get("/usr/bin/sh")
    assert view.xattrs == {"/etc/hosts": {"user.note": b"x"}}
    digest = hashlib.sha256(b"127.0.0.1 localhost\n").hexdigest()
    assert view.sha256(["/etc/hosts"]) == {"/etc/hosts": digest}
    assert view.container_faults == ()


def layered(layers: list[bytes], *, spoil: bool = False, config: dict[str, Any] | None = None,
            ) -> bytes:
    """An OCI image layout in one tar."""
    packed = [gzip.compress(layer) for layer in layers]
    blobs: dict[str, bytes] = {}

    def blob(content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content + (gzip.compress(b"") if spoil else b"")
        return {"digest": f"sha256:{digest}", "size": len(content)}

    about = config or {
        "architecture": "amd64", "os": "linux",
        "config": {"Cmd": ["/bin/bash"], "Env": ["PATH=/usr/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [
            f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]}}
    told = [blob(layer) for layer in packed]
    spoil = False  # the layers alone
    manifest = {"config": blob(json.dumps(about).encode()), "layers": told}
    index = {"manifests": [blob(json.dumps(manifest).encode())]}
    return tar({"oci-layout": b"{}", "index.json": json.dumps(index).encode(), **blobs})


def test_layers_of_oci_come_one_over_the_other_with_whiteouts(tmp_path: Path) -> None:
    second = tar({"etc/.wh.hosts": b"", "etc/new": b"2", "opt/.wh..wh..opq": b"", "opt/mine": b"3"})
    first = tar({**FILES, "./opt": None, "./opt/gone": b"1"})
    view = opened(tmp_path / "x.tar", layered([first, second]))
    assert view.text("/etc/hosts") is None
    assert view.text("/etc/new") == "2"
    assert [one.path for one in view.tree.find("/opt/*")] == ["/opt/mine"]
    assert view.container_faults == ()


@pytest.mark.parametrize(("config", "fault"), [
    ({"os": "linux", "architecture": "amd64", "config": {"Env": ["PATH=/bin"]},
      "rootfs": {"diff_ids": ["x"]}}, "no program to start"),
    ({"os": "windows", "architecture": "amd64", "config": {"Cmd": ["a"], "Env": ["PATH=/bin"]},
      "rootfs": {"diff_ids": ["x"]}}, "for windows"),
    ({"os": "linux", "architecture": "pdp11", "config": {"Cmd": ["a"], "Env": ["PATH=/bin"]},
      "rootfs": {"diff_ids": ["x"]}}, "for pdp11"),
    ({"os": "linux", "architecture": "amd64", "config": {"Cmd": ["a"], "User": "me"},
      "rootfs": {"diff_ids": []}}, "other layers"),
])
def test_a_configuration_that_starts_nothing_is_a_fault(
    tmp_path: Path, config: dict[str, Any], fault: str,
) -> None:
    view = opened(tmp_path / "x.tar", layered([tar(FILES)], config=config))
    assert fault in "; ".join(view.container_faults or ())


def test_a_layer_that_is_not_what_its_digest_says_is_a_fault(tmp_path: Path) -> None:
    view = opened(tmp_path / "x.tar", layered([tar(FILES)], spoil=True))
    assert "has another digest" in "; ".join(view.container_faults or ())


def test_docker_save_is_read(tmp_path: Path) -> None:
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": ["x"]},
              "config": {"Cmd": ["bash"], "Env": ["PATH=/bin"]}}
    manifest = [{"Config": "c.json", "Layers": ["l/layer.tar"], "RepoTags": None}]
    view = opened(tmp_path / "x.tar", tar({
        "manifest.json": json.dumps(manifest).encode(), "c.json": json.dumps(config).encode(),
        "l/layer.tar": tar(FILES)}))
    assert view.text("/etc/hosts") is not None
    assert view.container_faults == ("manifest.json has no RepoTags",)


def test_names_that_lead_out_of_the_tree_are_faults_and_nothing_else(tmp_path: Path) -> None:
    view = opened(tmp_path / "x.tar", tar(
        {**FILES, "../../etc/evil": b"x", "/etc/absolute": b"y", "./etc/hosts2": b""},
        hard={"./shadow": "../../etc/shadow"}))
    said = "; ".join(view.container_faults or ())
    assert "leads out of the tree" in said and "absolute name" in said
    assert view.tree.find("/**/evil") == []
    assert view.tree.get("/shadow") is None


@pytest.mark.parametrize("content", [
    b"", b"x" * 5000, gzip.compress(tar(FILES))[:-30], lzma.compress(tar(FILES))[:-20],
    tar({"a": b"b"}), b"\x1f\x8b" + bytes(100),
], ids=["empty", "no-tar", "cut-gzip", "cut-xz", "no-tree", "broken-gzip"])
def test_what_is_no_whole_tree_is_an_input_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError):
        opened(tmp_path / "x.tar", content)


def test_a_bomb_ends_at_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "UNPACKED_BYTES_MAX", 1 << 20)
    content = tar({"./usr": None, "./usr/zeros": bytes(8 << 20)})
    with pytest.raises(InputError, match="unpacks to more"):
        Archive().add_layer(unpacked(io.BytesIO(gzip.compress(content))))


def test_a_tree_of_too_many_members_ends_at_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "MEMBERS_MAX", 10)
    with pytest.raises(InputError, match="more than 10 files"):
        Archive().add_layer(io.BytesIO(tar({f"./f{number}": b"" for number in range(50)})))
