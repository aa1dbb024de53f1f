"""Archives with trees and disks that attack: each ends quickly, with what is wrong, and no bug."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import random
import resource
import tarfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from host.errors import InputError
from tests.security.tar_pieces import END, extended, member, of_size, patched, sparse
from tests.validate.test_validate_trees import FILES, layered, tar
from validate.archive import Archive
from validate.layers import members_of
from validate.packed import as_raw
from validate.streams import unpacked
from validate.trees import facts_of, open_tree
from validate.view import View

BODY = tar(FILES).rstrip(b"\0") + bytes(-len(tar(FILES).rstrip(b"\0")) % 512)
NOISE = random.Random(1).randbytes(1 << 20)


def opened(folder: Path, content: bytes) -> View:
    path = folder / "x.tar"
    path.write_bytes(content)
    return open_tree(facts_of(path, None), None)


@pytest.fixture(autouse=True)
def _bounds() -> Any:
    """No test of this file takes a gigabyte, or long."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (
        pages * resource.getpagesize() + (1 << 30), before[1]))
    begun = time.monotonic()
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
    assert time.monotonic() - begun < 15


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "xz": lzma.compress, "zst": zstandard.ZstdCompressor().compress,
    "zst frames": lambda content: b"".join(
        zstandard.compress(content[at:at + 5000]) for at in range(0, len(content), 5000))}


@pytest.mark.parametrize("kind", PACKINGS)
def test_a_stream_that_is_cut_off_anywhere_is_said_and_a_whole_one_is_read(
    tmp_path: Path, kind: str,
) -> None:
    whole = PACKINGS[kind](BODY + member("./noise", NOISE[:20_000]) + END)
    assert opened(tmp_path, whole).container_faults == ()
    for cut in (1, 4, 9, 50, 700, 15_000):
        with pytest.raises(InputError, match="is no whole tar archive"):
            opened(tmp_path, whole[:-cut])


@pytest.mark.parametrize("kind", ["gz", "xz", "zst"])
def test_a_disk_that_is_cut_off_is_said(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.raw.{kind}"
    path.write_bytes(PACKINGS[kind](NOISE)[:1 << 19])
    with pytest.raises(InputError, match="ends too early"), as_raw(path, "stream"):
        pass


@pytest.mark.parametrize("kind", PACKINGS)
def test_what_stands_behind_a_stream_is_said(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match="is no whole tar archive"):
        opened(tmp_path, PACKINGS[kind](BODY + END) + b"garbage")


def test_streams_behind_each_other_and_padding_are_one(tmp_path: Path) -> None:
    """`cat`, parallel packers and tapes make such files, and the tools read them."""
    for pack, padding in ((gzip.compress, bytes(7)), (lzma.compress, bytes(8)),
                          (zstandard.compress, b"")):
        content = pack(BODY[:700]) + pack(BODY[700:] + END) + padding
        assert opened(tmp_path, content).text("/etc/hosts") is not None


def test_a_window_or_dictionary_of_gigabytes_is_not_made() -> None:
    wide = bytearray(lzma.compress(b"x"))
    length = (wide[12] + 1) * 4  # of the block's header (xz-file-format.txt, 3.1)
    assert wide[14:16] == b"\x21\x01"
    wide[16] = 40  # a dictionary of 4 GiB
    wide[8 + length:12 + length] = zlib.crc32(wide[12:8 + length]).to_bytes(4, "little")
    long = bytearray(zstandard.ZstdCompressor().stream_reader(io.BytesIO(b"x" * 99)).read())
    long[4:6] = bytes((long[4] & 0xDF, 21 << 3))  # a window of 2 GiB (RFC 8878, 3.1.1.1)
    for content in (wide, long):
        with pytest.raises((lzma.LZMAError, zstandard.ZstdError)):
            unpacked(io.BytesIO(bytes(content))).read(9)


def test_a_small_piece_never_becomes_much_memory() -> None:
    """The fixture's bound is the test."""
    zeros = bytes(32 << 20)
    for packed in (gzip.compress(zeros, 1), lzma.compress(zeros, preset=0),
                   zstandard.compress(zeros)):
        stream, size = unpacked(io.BytesIO(packed * 4)), 0
        while piece := stream.read(1 << 20):
            size += len(piece)
        assert size == 4 * len(zeros)


LIARS: dict[str, tuple[bytes, str]] = {
    "chain": (extended({"a": b"b"}) * 3000 + member("x"), "more extended headers"),
    "chain of long names": (member("././@LongLink", b"a" * 99, tarfile.GNUTYPE_LONGNAME) * 3000,
                            "more extended headers"),
    "below zero": (of_size(b"\xff" * 12), "a member of"),
    "below zero by pax": (extended({"size": b"-5"}) + member("x"), "a member of"),
    "exabytes": (of_size(b"\x80" + bytes(3) + b"\x10" + bytes(7)), "unexpected end"),
    "exabytes of holes": (sparse("./x", 1 << 60), "unpacks to more"),
    "a map without end": (sparse("./x", 1 << 20, more=9000), "headers of more bytes"),
    "a map of one number": (
        extended({"GNU.sparse.major": b"1", "GNU.sparse.minor": b"0", "GNU.sparse.name": b"x",
                  "GNU.sparse.realsize": b"5"}) + member("x", b"9" * (5 << 20)), "whole tar"),
    "five hundred levels": (extended({"path": b"a/" * 500 + b"x"}) + member("x"), "deeper"),
    "a long name": (extended({"path": b"a" * 5000}) + member("x"), "longer"),
    "a long link": (extended({"linkpath": b"a" * 99999}) + member("x", kind=b"2"), "longer"),
    "NUL": (extended({"path": b"etc/a\0b"}) + member("x"), "NUL"),
    "times": (extended({"mtime": b"inf"}) + member("x"), "whole tar"),
    "globals": (extended({f"k{n}": b"" for n in range(2000)}, tarfile.XGLTYPE) + member("x"),
                "more extended headers"),
    "a broken header in the middle": (b"\1" * 512 + member("./etc/hidden"), "at byte"),
    "mode": (patched(member("x"), 100, b"\xff" * 8), "whole tar"),
}


@pytest.mark.parametrize("way", LIARS)
def test_headers_that_lie_are_bad_input(tmp_path: Path, way: str) -> None:
    content, said = LIARS[way]
    with pytest.raises(InputError) as caught:
        opened(tmp_path, BODY + content + END)
    assert said in str(caught.value)
    with pytest.raises(InputError), io.BytesIO(content + END) as stream:
        for each in members_of(stream, []).values():
            if not each.read(1 << 20):
                raise InputError("nothing is in it")
        raise InputError("all is in it")  # read to its end, with no bug


@pytest.mark.parametrize("way", ["chain", "exabytes of holes", "below zero", "NUL", "globals"])
def test_a_disk_s_archive_lies_no_better(tmp_path: Path, way: str) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(LIARS[way][0].replace(b"./x", b"x") + END))
    for kind in ("gce", "ova"):
        with pytest.raises(InputError), as_raw(path, kind):
            pass


def test_many_attributes_end_at_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("validate.archive._NAMES_BYTES_MAX", 1 << 20)
    each = extended({"SCHILY.xattr.user.a": b"a" * 10_000})
    content = b"".join(each + member(f"f{number}") for number in range(200))
    with pytest.raises(InputError, match="more names and attributes"):
        Archive().add_layer(io.BytesIO(content + END))


def test_an_archive_without_its_end_or_with_another_behind_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it has no end"):
        opened(tmp_path, BODY)
    view = opened(tmp_path, BODY + END + member("./etc/hidden") + END)
    assert "behind the end" in "; ".join(view.container_faults or ())


@pytest.mark.parametrize(("more", "fault"), [
    (member("./bin", kind=b"2", link="usr/bin") + member("./bin/evil", b"x"), "is no folder"),
    (member("./etc/hosts/x", b"x"), "is no folder"),
    (member("./etc/hosts", b"other"), "twice"),
    (member("./etc", kind=b"2", link="usr"), "twice"),
    (member("./l", kind=b"1", link="./gone"), "not in it"),
    (member("./l", kind=b"1", link="./l"), "not in it"),
    (member("/etc/passwd", b"x"), "absolute"),
    (member("./a/../../b", b"x"), "leads out"),
], ids=str)
def test_what_others_would_unpack_elsewhere_is_a_fault(
    tmp_path: Path, more: bytes, fault: str,
) -> None:
    view = opened(tmp_path, BODY + more + END)
    assert fault in "; ".join(view.container_faults or ())


def test_a_million_whiteouts_and_twins_cost_what_they_are(tmp_path: Path) -> None:
    """Each was a look at every file that there is."""
    many = 2000
    content = b"".join([member(f"d/{n}") for n in range(many)]
                       + [member(f"e/.wh.{n}") for n in range(many)]
                       + [member("d/0")] * many + [member("d/.wh..wh..opq")] * 50)
    begun = time.process_time()
    view = opened(tmp_path, BODY + content + END)
    assert time.process_time() - begun < 6
    assert view.tree.get("/d/0") is not None
    assert len(view.container_faults or ()) <= 200


def test_a_folder_that_a_layer_takes_away_is_gone_with_all_in_it(tmp_path: Path) -> None:
    first = tar({**FILES, "./opt/a/b/c": b"1", "./opt/a/x": b"1", "./srv/y/z": b"1"})
    second = tar({".wh.opt": b"", "./srv/y": b"a file now"})
    view = opened(tmp_path, layered([first, second]))
    assert [one.path for one in view.tree if one.path.startswith(("/opt", "/srv"))] == [
        "/srv", "/srv/y"]


ODD: list[Any] = [[], {}, 1, None, "x", [[]], {"manifests": []}, {"manifests": [{}]},
                  {"manifests": [{"digest": 1, "size": "x"}]}, [{"Config": [], "Layers": 1}],
                  [{"Config": "../../etc/passwd", "Layers": ["/etc/shadow"]}],
                  [{"Config": "c.json", "Layers": ["l"] * 1000}]]


@pytest.mark.parametrize("document", ODD, ids=str)
def test_documents_of_another_shape_are_bad_input(tmp_path: Path, document: Any) -> None:
    text = json.dumps(document).encode()
    blob = hashlib.sha256(text).hexdigest()
    index = json.dumps({"manifests": [{"digest": f"sha256:{blob}", "size": len(text)}]}).encode()
    for files in ({"oci-layout": text, "index.json": index}, {"manifest.json": text},
                  {"oci-layout": b"{}", "index.json": text},
                  {"oci-layout": b"{}", "index.json": index, f"blobs/sha256/{blob}": text},
                  {"manifest.json": b'[{"Config": "c.json", "Layers": ["l"]}]', "c.json": text}):
        with pytest.raises(InputError):
            opened(tmp_path, tar(dict(files)))


def test_a_document_that_is_a_link_is_none(tmp_path: Path) -> None:
    content = member("oci-layout", b"{}") + member("index.json", kind=b"2", link="/etc/passwd")
    with pytest.raises(InputError, match="has no index"):
        opened(tmp_path, content + END)


def test_layers_share_one_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("validate.streams.UNPACKED_BYTES_MAX", 1 << 20)
    layer = tar({**FILES, "./zeros": bytes(300 << 10)})
    assert opened(tmp_path, layered([layer, layer])).text("/etc/hosts")
    with pytest.raises(InputError, match="unpacks to more"):
        opened(tmp_path, layered([layer] * 6))


@pytest.mark.parametrize("name", ["a" * 250, "x\x1b[31m", "-rf", "\udcff", "a b"])
def test_names_in_a_database_s_folder_are_looked_at(tmp_path: Path, name: str) -> None:
    header = extended({"path": b"var/lib/rpm/" + name.encode(errors="surrogateescape")})
    view = opened(tmp_path, BODY + member("var/lib/rpm/rpmdb.sqlite", b"x") + header
                  + member("x", b"x") + END)
    with pytest.raises(InputError):
        _ = view.packages


@pytest.mark.parametrize("seed", range(25))
def test_a_damaged_tree_is_bad_input_or_read(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for content in (layered([BODY + END]), BODY + END, gzip.compress(BODY + END)):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            opened(tmp_path, bytes(damaged))
        except InputError as error:
            assert "please report" not in str(error)


def test_a_tree_is_read_in_a_process_with_a_bound_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    from validate import worker

    bounds: list[int] = []
    monkeypatch.setattr(worker, "bound_memory", bounds.append)
    path = tmp_path / "x.tar"
    path.write_bytes(BODY + END)
    spec = {"name": "none", "title": "No rules"}
    worker._work({"path": str(path), "format": "", "spec": spec, "record": None, "key": None})
    assert bounds == [worker.MEMORY_BYTES]
