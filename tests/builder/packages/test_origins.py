"""`url` and `repo`, and the repositories that packages come from: the lines beside the sources."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from builder.kickstart.read import read
from builder.packages.connection import Connection
from builder.packages.origins import Origins, origins
from builder.packages.repositories import Source, snapshots
from host.errors import InputError, RemoteError
from images.release import Release, Repository, SigningKey

MIRROR = "https://mirror.example/10-stream"
RELEASE = Release(
    name="stream-10", title="Stream 10", distribution="Stream", version="10", dialect="RHEL10",
    public_path="10", rpm_database="/usr/lib/sysimage/rpm", architectures=["x86_64"],
    key=SigningKey(url="file:///key"),
    repositories=[Repository(id=name.lower(), mirrors=[f"{MIRROR}/{name}/{{arch}}/os/"])
                  for name in ("BaseOS", "AppStream")],
)
REHEARSAL = RELEASE.model_copy(update={"name": "rehearsal-10", "rehearsal": True})
OWN = f"baseos={MIRROR}/BaseOS/x86_64/os/ appstream={MIRROR}/AppStream/x86_64/os/"


def origins_of(folder: Path, lines: str, release: Release = RELEASE) -> Origins:
    path = folder / "test.ks"
    path.write_text(f"{lines}\n")
    return origins(read(path, release.dialect), release, "x86_64", {"arch": "x86_64"})


def spelled(found: Origins) -> str:
    return " ".join(f"{source.id}={','.join(source.urls)}" for source in found.sources)


@pytest.mark.parametrize(("lines", "sources"), [
    ("", OWN),
    ("url --url=file:///srv/tree/", "anaconda=file:///srv/tree/"),
    ("url --url=file:///srv/$releasever/$basearch/os", "anaconda=file:///srv/10/x86_64/os"),
    ("url --url=file:///srv/${stream}/$arch/", "anaconda=file:///srv/10-stream/x86_64/"),
    ("repo --name=extra --baseurl=http://a/", f"{OWN} extra=http://a/"),
    ('repo --name="extra" --baseurl="http://a/,http://b/"', f"{OWN} extra=http://a/,http://b/"),
    ("repo --name=appstream --baseurl=http://a/",
     f"baseos={MIRROR}/BaseOS/x86_64/os/ appstream=http://a/"),
    ("repo --name=AppStream", OWN),
    ("url --url=file:///srv/tree/\nrepo --name=AppStream",
     f"anaconda=file:///srv/tree/ appstream={MIRROR}/AppStream/x86_64/os/"),
])
def test_lines_and_their_sources(tmp_path: Path, lines: str, sources: str) -> None:
    assert spelled(origins_of(tmp_path, lines)) == sources


@pytest.mark.parametrize(("options", "source"), [
    ("--cost=100", Source("x", ("http://a/",), cost=100)),
    ("--includepkgs=a,b* --excludepkgs=c",
     Source("x", ("http://a/",), included=("a", "b*"), excluded=("c",))),
    ("--proxy=http://p:3128 --noverifyssl",
     Source("x", ("http://a/",), connection=Connection(proxy="http://p:3128", verify_tls=False))),
    ("--sslcacert=/ca --sslclientcert=/cert --sslclientkey=/key",
     Source("x", ("http://a/",), connection=Connection(
         ca="/ca", client_certificate="/cert", client_key="/key"))),
])
def test_options_of_repo(tmp_path: Path, options: str, source: Source) -> None:
    found = origins_of(tmp_path, f"repo --name=x --baseurl=http://a/ {options}").sources[-1]
    assert found == Source(**{**vars(source), "where": f"{tmp_path}/test.ks:1"})


@pytest.mark.parametrize(("line", "says", "remedy"), [
    ("url --url=nfs://server/os", "no address of a repository", "write https://server/os"),
    ("url --url=/not/there", "no address of a repository", "write https://not/there"),
    ("url --url=http://a/$contentdirs/", "nothing says what $contentdirs is", "$basearch"),
    ("repo --name=crb", "the release has no repository 'crb'", "--baseurl"),
    ("repo --name='a b' --baseurl=http://a/", "'a b' cannot be a repository's name", "letters"),
])
def test_what_is_no_repository_is_refused_with_its_line(
    tmp_path: Path, line: str, says: str, remedy: str,
) -> None:
    with pytest.raises(InputError) as caught:
        origins_of(tmp_path, f"text\n{line}")
    assert says in str(caught.value)
    assert str(caught.value.where) == f"{tmp_path}/test.ks:2"
    assert remedy in str(caught.value.remedy)


def test_a_path_of_this_host_is_taken_as_one(tmp_path: Path) -> None:
    assert spelled(origins_of(tmp_path, f"url --url={tmp_path}")) == f"anaconda=file://{tmp_path}"


@pytest.mark.parametrize(("line", "sources", "note"), [
    ("repo --name=x --baseurl=mirror.example/os", f"{OWN} x=http://mirror.example/os",
     "mirror.example/os has no scheme: http:// is meant"),
    ("repo --name=dvd --baseurl=file:///run/install/repo/AppStream", OWN,
     "file:///run/install/repo/AppStream is the installer's medium; stream-10 stands for it"),
])
def test_what_is_meant_is_taken_and_said(
    tmp_path: Path, line: str, sources: str, note: str,
) -> None:
    found = origins_of(tmp_path, line)
    assert spelled(found) == sources
    assert found.notes == [(f"{tmp_path}/test.ks:1", note)]


@pytest.mark.parametrize(("line", "sources", "note"), [
    ("url --url=https://repo.example/10/BaseOS/$basearch/os", OWN,
     "https://repo.example/10/BaseOS/x86_64/os"),
    ("repo --name=epel --metalink=https://m.example/?arch=$basearch", OWN, "https://m.example/"),
    ("repo --name=near --baseurl=http://127.0.0.1:80/", f"{OWN} near=http://127.0.0.1:80/", None),
    ("repo --name=near --baseurl=http://localhost/", f"{OWN} near=http://localhost/", None),
    ("repo --name=file --baseurl=file:///srv/", f"{OWN} file=file:///srv/", None),
])
def test_a_rehearsal_stands_in_for_other_hosts_and_says_so(
    tmp_path: Path, line: str, sources: str, note: str | None,
) -> None:
    found = origins_of(tmp_path, line, REHEARSAL)
    assert spelled(found) == sources
    assert [(where, note in text) for where, text in found.notes if note] == (
        [(f"{tmp_path}/test.ks:1", True)] if note else [])


def test_what_a_rehearsal_stands_in_for_is_there_beside_a_url_of_this_host(tmp_path: Path) -> None:
    found = origins_of(tmp_path, "url --url=file:///srv/empty/\n"
                                 "repo --name=rest --baseurl=https://a.example/", REHEARSAL)
    assert sorted(source.id for source in found.sources) == ["anaconda", "appstream", "baseos"]


LINES = ("repo --name=extra --baseurl=http://a/$releasever/ --cost=7 --noverifyssl --install "
         "--includepkgs=a,b --excludepkgs=kernel*,dnf\nrepo --name=other --baseurl=http://b/")


@pytest.mark.parametrize(("dialect", "text"), [
    ("RHEL10",
     "[extra]\nname = extra\nenabled = 1\nbaseurl = http://a/$releasever/\nsslverify = 0\n"
     "cost = 7\nincludepkgs = a, b\nexcludepkgs = kernel*, dnf\n"),
    ("RHEL9",
     "[extra]\nname=extra\nenabled=1\nbaseurl=http://a/$releasever/\nsslverify=0\n"
     "cost=7\nincludepkgs=a,b\nexcludepkgs=kernel*,dnf\n"),
])
def test_install_leaves_a_repository_file_in_the_image_as_its_anaconda_writes_it(
    tmp_path: Path, dialect: str, text: str,
) -> None:
    found = origins_of(tmp_path, LINES, RELEASE.model_copy(update={"dialect": dialect}))
    assert found.files == {"/etc/yum.repos.d/extra.repo": text}


@pytest.mark.parametrize(("proxy", "lines"), [
    ("http://user:word@proxy.example:8080/", "proxy = http://proxy.example:8080\n"
                                             "proxy_username = user\nproxy_password = word\n"),
    ("proxy.example", "proxy = http://proxy.example:3128\n"),
])
def test_a_proxy_s_name_and_password_have_lines_of_their_own(
    tmp_path: Path, proxy: str, lines: str,
) -> None:
    found = origins_of(tmp_path, f"repo --name=extra --baseurl=http://a/ --install --proxy={proxy}")
    assert found.files["/etc/yum.repos.d/extra.repo"].endswith(f"baseurl = http://a/\n{lines}")


INDEX = b"<repomd/>"
METALINK = """<metalink version="3.0" xmlns="http://www.metalinker.org/"><files>
<file name="repomd.xml"><verification><hash type="sha256">{digest}</hash></verification>
<resources><url protocol="rsync" preference="99">rsync://a/os/repodata/repomd.xml</url>
<url protocol="http" preference="10">{base}/far/repodata/repomd.xml</url>
<url protocol="http" preference="90">{base}/os/repodata/repomd.xml</url></resources></file>
</files></metalink>"""


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """A server of two trees, /os and /far, and of lists of them."""
    folder = tmp_path / "served"
    for name in ("os", "far", "AppStream"):
        (folder / name / "repodata").mkdir(parents=True)
        (folder / name / "repodata/repomd.xml").write_bytes(INDEX)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    base = f"http://127.0.0.1:{server.server_port}"
    (folder / "list").write_text(f"# mirrors\n{base}/none/\n{base}/os/\n")
    for name, content in (("metalink", INDEX), ("stale", b"other")):
        digest = hashlib.sha256(content).hexdigest()
        (folder / name).write_text(METALINK.format(base=base, digest=digest))
    (folder / "os/.treeinfo").write_text(
        "[variant-BaseOS]\nid = BaseOS\ntype = variant\nrepository = .\n"
        "[variant-AppStream]\nid = AppStream\ntype = variant\nrepository = ../AppStream\n"
        "[variant-Layered]\nid = Layered\ntype = layered-product\nrepository = ../none\n")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield base
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("line", "answers"), [
    ("url --mirrorlist={}/list", "/os/"),
    ("url --metalink={}/metalink", "/os/"),  # the preferred one
    ("repo --name=extra --mirrorlist={}/list", "/os/"),
    ("repo --name=extra --baseurl={0}/none/,{0}/far/", "/far/"),
])
def test_lists_of_mirrors(tmp_path: Path, mirror: str, line: str, answers: str) -> None:
    found = origins_of(tmp_path, line.format(mirror))
    assert snapshots(found.sources[-1:])[0].urls[0] == f"{mirror}{answers}"


def test_an_index_that_the_metalink_does_not_name_is_refused(tmp_path: Path, mirror: str) -> None:
    found = origins_of(tmp_path, f"url --metalink={mirror}/stale")
    with pytest.raises(RemoteError) as caught:
        snapshots(found.sources)
    assert "is not the index that the metalink names" in str(caught.value.why)
    assert caught.value.where == f"{tmp_path}/test.ks:1"


def test_an_installation_tree_leads_to_its_other_variants(tmp_path: Path, mirror: str) -> None:
    found = origins_of(tmp_path, f"url --url={mirror}/os/")
    assert spelled(found) == f"anaconda={mirror}/os/ AppStream={mirror}/AppStream/"


def test_a_repository_is_reached_through_its_proxy(tmp_path: Path, mirror: str) -> None:
    """The proxy is the server itself: it is asked for a host that does not exist."""
    line = f"repo --name=x --baseurl=http://nowhere.invalid/os/ --proxy={mirror}"
    found = origins_of(tmp_path, line)
    with pytest.raises(RemoteError) as caught:
        snapshots(found.sources[-1:])
    assert f"answered 404 Not Found (through the proxy {mirror})" in str(caught.value.why)
