"""What a kickstart names of this host: its own parts, and never a file of somebody else's."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from builder.disk.mkfs_files import objection
from builder.formats.media.flat_kickstart import flat
from builder.kickstart.lines import INCLUDES_MAX
from builder.kickstart.read import Kickstart, read, read_pre, survey
from builder.packages.connection import Connection
from builder.packages.origins import origins
from builder.packages.repositories import Source, snapshots
from builder.packages.transfer import fetch
from builder.packages.treeinfo import variants_of
from host.errors import CcisError, InputError, RemoteError
from images import catalogue

PROJECT = Path(__file__).parents[2]
VICTIM = "root:$y$j9T$victim:19000:0:99999:7:::\n"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of the host, beside the folder of the kickstarts."""
    path = tmp_path / "victim" / "shadow"
    path.parent.mkdir()
    path.write_text(VICTIM)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the kickstarts."""
    (tmp_path / "kickstarts" / "parts").mkdir(parents=True)
    (tmp_path / "kickstarts" / "parts" / "lang.ks").write_text("lang en_US.UTF-8\n")
    return tmp_path / "kickstarts"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server, as its URL and its folder."""
    served = tmp_path / "served"
    served.mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", served
        running.shutdown()


def main(folder: Path, text: str) -> Path:
    path = folder / "main.ks"
    path.write_text(text)
    return path


def everything(path: Path, *more: Path) -> str:
    """Return all that any way of reading a kickstart takes in, or says."""
    found = []
    for work in (lambda: read(path, "RHEL10", None, more),
                 lambda: read_pre(path, "RHEL10", more), lambda: survey(path, "RHEL10", more)):
        try:
            found.append(repr(work()))
        except CcisError as error:
            found.append(str(error))
    return "\n".join(found)


SECTIONS = ("{}\n", "%post\n{}\n%end\n", "%pre\n{}\n%end\n", "%packages\n{}\n%end\n",
            "%addon x\n{}\n%end\n", "%certificate --filename=x\n{}\n%end\n")
SPELLINGS = ("{victim}", "../victim/shadow", "parts/../../victim/shadow", "file://{victim}",
             "FILE://{victim}", "file://localhost{victim}", "file:{victim}", "link",
             "through/shadow", "//{victim}", "/proc/self/root{victim}", "./../victim/shadow")


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("word", ["%include", "%ksappend"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_section_takes_a_file_of_the_host(
    folder: Path, victim: Path, section: str, word: str, spelling: str,
) -> None:
    (folder / "link").symlink_to(victim)
    (folder / "through").symlink_to(victim.parent)
    name = spelling.format(victim=victim)
    path = main(folder, section.format(f"{word} {name}"))
    assert "$victim" not in everything(path)
    with pytest.raises(InputError) as caught:
        read(path, "RHEL10")
    assert (caught.value.where or "").startswith(f"{path}:")


def test_the_one_who_builds_may_name_a_folder(folder: Path, victim: Path) -> None:
    path = main(folder, f"%post\n%include {victim}\n%include shadow\n%include ../victim/shadow\n"
                        "%end\n%include parts/lang.ks\n")
    kickstart = read(path, "RHEL10", None, [victim.parent])
    assert kickstart.scripts[0].text == 3 * VICTIM
    assert kickstart.commands[0].where == f"{folder}/parts/lang.ks:1"
    assert flat(kickstart.sources, kickstart.parts).count("$victim") == 3


def test_a_part_from_a_named_folder_leads_no_further(
    folder: Path, victim: Path, tmp_path: Path,
) -> None:
    named = tmp_path / "named"
    named.mkdir()
    for number, name in enumerate((str(victim), "../victim/shadow", "link")):
        (named / f"{number}.ks").write_text(f"%post\n%include {name}\n%end\n")
    (named / "link").symlink_to(victim)
    for number in range(3):
        assert "$victim" not in everything(main(folder, f"%include {number}.ks\n"), named)


@pytest.mark.parametrize("name", [".ssh/id_ed25519", "parts/.netrc", "./.aws/credentials"])
def test_hidden_files_are_no_parts(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("victim\n")
    with pytest.raises(InputError, match="is a hidden file") as caught:
        read(main(folder, f"%post\n%include {name}\n%end\n"), "RHEL10")
    assert "--include-path" in str(caught.value.remedy)


def test_a_kickstart_in_a_folder_of_all_has_no_parts_there(tmp_path: Path) -> None:
    """Here /tmp; of /etc, / and /home it is the same list that speaks."""
    path = Path(f"/tmp/ccis-test-{os.getpid()}.ks")
    other = path.with_suffix(".part")
    try:
        other.write_text("lang C\n")
        path.write_text(f"%include {other.name}\n")
        with pytest.raises(InputError, match="would be any file of /tmp"):
            read(path, "RHEL10")
    finally:
        path.unlink(missing_ok=True)
        other.unlink(missing_ok=True)


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_device(path: Path) -> None:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero: no end of it


def make_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [make_fifo, make_device, make_link, Path.mkdir])
def test_only_regular_files_are_read(folder: Path, make: object) -> None:
    assert callable(make)
    make(folder / "odd")
    path = main(folder, "text\n%include odd\n")
    with pytest.raises(InputError) as caught:
        read(path, "RHEL10")
    assert caught.value.where == f"{path}:2"
    with pytest.raises(InputError, match=r"odd"):  # and as the kickstart itself
        read(folder / "odd", "RHEL10")


def test_a_pipe_is_no_kickstart() -> None:
    done = subprocess.run([sys.executable, "-m", "ccis.main", "lint", "/dev/stdin"], input="text\n",
                          capture_output=True, text=True, check=False, cwd=PROJECT, timeout=60)
    assert done.returncode == 2
    assert "save the kickstart as a file" in done.stdout


def test_what_came_from_the_network_names_no_file_of_this_host(
    folder: Path, victim: Path, server: tuple[str, Path],
) -> None:
    url, served = server
    lines = {
        "absolute": f"%post\n%include {victim}\n%end\n",
        "file": f"%post\n%include file://{victim}\n%end\n",
        "upper": f"%post\n%include FILE://{victim}\n%end\n",
    }
    for name, text in lines.items():
        (served / name).write_text(text)
        path = main(folder, f"%include {url}/{name}\n")
        assert "$victim" not in everything(path, victim.parent)
        with pytest.raises(InputError):
            read(path, "RHEL10", None, [victim.parent])


@pytest.mark.parametrize("line", [
    "url --url=file:///srv/", "repo --name=x --baseurl=file:///srv/", "url --url=/srv",
    "repo --name=x --mirrorlist=file:///srv/list",
    "repo --name=x --baseurl=http://127.0.0.1:9/ --sslcacert=/etc/hostname",
    "repo --name=x --baseurl=http://127.0.0.1:9/ --sslclientcert=/a --sslclientkey=/b",
])
def test_a_line_from_the_network_names_no_repository_of_this_host(
    folder: Path, server: tuple[str, Path], line: str,
) -> None:
    url, served = server
    (served / "part").write_text(f"{line}\n")
    kickstart = read(main(folder, f"%include {url}/part\n"), "RHEL10")
    with pytest.raises(InputError, match="network can't name a f") as caught:
        origins_of(kickstart)
    assert caught.value.where == f"{url}/part:1"


def origins_of(kickstart: Kickstart) -> object:
    return origins(kickstart, catalogue.release("rehearsal-10"), "x86_64",
                   {"arch": "x86_64", "rehearsal": "/none"})


def test_lists_and_trees_of_the_network_lead_to_no_folder_of_this_host(
    server: tuple[str, Path],
) -> None:
    url, served = server
    (served / "list").write_text("file:///srv/repo/\nFile:///srv/repo/\n")
    (served / ".treeinfo").write_text(
        "[variant-X]\nid = X\ntype = variant\nrepository = file:///etc\n")
    with pytest.raises(RemoteError, match="names no mirror"):
        snapshots([Source("x", (), mirrors=("mirrorlist", f"{url}/list"))])
    with pytest.raises(RemoteError, match="names a repository on this host"):
        variants_of(f"{url}/", Connection())


@pytest.mark.parametrize("make", [make_fifo, make_device])
def test_files_of_a_connection_and_of_a_repository_end(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "odd")
    with pytest.raises(InputError):
        fetch("https://127.0.0.1:9/", Connection(ca=str(tmp_path / "odd")))
    with pytest.raises(RemoteError, match="regular file"):
        fetch(f"file://{tmp_path}/odd", Connection())


def test_included_files_are_counted(folder: Path) -> None:
    """Each names the next one twice: forty files of twenty bytes are a trillion."""
    for number in range(39):
        (folder / f"{number}.ks").write_text(f"%include {number + 1}.ks\n" * 2)
    (folder / "39.ks").write_text("")
    with pytest.raises(InputError, match="too many files are included"):
        read(folder / "0.ks", "RHEL10")
    assert survey(folder / "0.ks", "RHEL10").problems
    wide = main(folder, "%include 39.ks\n" * (INCLUDES_MAX + 1))
    with pytest.raises(InputError, match="too many files are included"):
        read(wide, "RHEL10")
    read(main(folder, "%include 39.ks\n" * INCLUDES_MAX), "RHEL10")
    wishes = main(folder, "%include /tmp/not-there\n" * 10_000)
    assert any("too many files" in problem.what for problem in survey(wishes, "RHEL10").problems)


def test_what_pre_wrote_is_the_installer_s_alone(
    folder: Path, victim: Path, tmp_path: Path,
) -> None:
    installer = tmp_path / "installer"
    (installer / "tmp").mkdir(parents=True)
    (installer / "tmp/part").write_text(f"%post\n%include {victim}\n%end\n")
    (installer / "tmp/beside").write_text("%include parts/lang.ks\n")
    (installer / "tmp/link").symlink_to(victim)
    for name in ("part", "beside", "link"):
        path = main(folder, f"%pre\n%end\n%include /tmp/{name}\n")
        with pytest.raises(InputError, match="is not there"):
            read(path, "RHEL10", installer)


@pytest.mark.parametrize(("fstype", "words"), [
    ("ext4", "-d /etc"), ("ext4", "-d/etc"), ("ext4", "-qd etc"), ("ext4", "-l /etc/shadow"),
    ("ext4", "-z /victim"), ("ext4", "-J size=8,device=/dev/sda"), ("ext4", "/victim"),
    ("ext4", "-q victim"), ("ext4", "-- victim"), ("ext4", "-F /victim"),
    ("xfs", "-p /proto"), ("xfs", "-c options=/etc/shadow"), ("xfs", "-l logdev=/dev/sda"),
    ("xfs", "-d agcount=2,name=/victim"), ("xfs", "-d file"), ("xfs", "-r rtdev=/dev/sda"),
    ("vfat", "-l list"), ("vfat", "-m /etc/shadow"), ("efi", "-C"), ("vfat", "--offset=5"),
    ("btrfs", "-r /etc"), ("btrfs", "--rootdir=/etc"), ("btrfs", "--rootdir /etc"),
    ("btrfs", "-qr /etc"),
])
def test_mkfsoptions_name_no_file(fstype: str, words: str) -> None:
    assert objection(fstype, words.split())


@pytest.mark.parametrize(("fstype", "words"), [
    ("ext4", "-O ^64bit,metadata_csum -E stride=16 -i 8192 -m 1 -q -J size=64 -L /boot"),
    ("xfs", "-m bigtime=0,inobtcount=0 -i size=512 -n ftype=1 -d agcount=4 -l size=64m"),
    ("vfat", "-F 32 -s 1 -n EFI"), ("btrfs", "-O extref -n 16384 --features=no-holes"),
])
def test_mkfsoptions_of_public_kickstarts_stay(fstype: str, words: str) -> None:
    assert objection(fstype, words.split()) is None
