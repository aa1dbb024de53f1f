"""Passwords, passphrases and tokens: in no digest that can be guessed at, and shown nowhere."""

from __future__ import annotations

import http.server
import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from builder import build as builder
from builder import planner
from builder.artefact import About
from builder.disk.model import Layout
from builder.disk.volumes.luks import Encryption
from builder.identity import digest_of, keyed_digest_of
from builder.kickstart.hazards import plain_passwords
from builder.kickstart.lint import lint
from builder.kickstart.read import Kickstart, Script, read, survey
from builder.kickstart.secret_words import has_secret, masked_words, plain_secrets, redacted
from builder.packages.origins import origins
from builder.request import Request
from builder.secret_digests import digests
from builder.steps import conversion, pre, settings
from builder.store.key import FILE, store_key
from builder.store.store import Store
from ccis import log, main
from host.errors import CcisError, HostError, InputError, ProgramError, RemoteError
from host.fetch import fetch
from host.progress import Silent
from host.run import run
from host.urls import scrub, shown, split_user
from images import catalogue
from rehearsal import create

SECRET = "Xq7-geheim-Zz"


def kickstart_of(folder: Path, text: str) -> Kickstart:
    path = folder / "test.ks"
    path.write_text(text)
    return read(path, "RHEL10")


def digest_of_lines(kickstart: Kickstart, key: bytes) -> str:
    """Return what a kickstart's lines come to in the digests of a store with this key."""
    layout = Layout(table="gpt", disk_size_bytes=1, disk_uuid="", partitions=())
    inputs = settings.Inputs(epoch=1, kickstart=kickstart.lines(), layout=layout)
    return digests(inputs, key)["kickstart"]


def digest_of_scripts(scripts: list[Script], key: bytes) -> str:
    """Return the same for scripts."""
    inputs = pre.Inputs(epoch=1, scripts=tuple(scripts), disk_size_bytes=1, arguments="")
    return digests(inputs, key)["scripts"]


# ── URLs ────────────────────────────────────────────────────────────────────────────────────────

URLS = [
    f"https://user:{SECRET}@host/p", f"http://{SECRET}@host:80/", f"ftp://u:{SECRET}@h/x",
    f"https://user:a/{SECRET}@host/p", f"https://u:p@{SECRET}@host/",
    f"https://h/x?token={SECRET}", f"https://h/x?a=1&X-Amz-Signature={SECRET}&b=2",
    f"https://h/x?sig={SECRET}#f", f"https://h/x?%74oken={SECRET}", f"https://h/#access_token={SECRET}",
    f"https://h/x?X-Amz-Credential={SECRET}", f"https://h/?api_key={SECRET}",
    f"https://h/?next=https%3A%2F%2Fu%3A{SECRET}%40other%2F", f"socks5h://u:{SECRET}@proxy:1",
    f"https://user%3A{SECRET}@host/", f"https://[::1]:x{SECRET}@h/", f"HTTPS://U:{SECRET}@H/",
]


@pytest.mark.parametrize("url", URLS)
def test_a_url_is_shown_without_what_lets_in(url: str) -> None:
    for text in (shown(url), scrub(f"curl: ({url!r}) failed, <{url}> \"{url}\"")):
        assert SECRET not in text
    assert shown(shown(url)) == shown(url)


@pytest.mark.parametrize("url", [
    "https://host/p?arch=x86_64&repo=baseos", "https://host/@scope/name", "file:///srv/a@b",
    "http://[::1]:8080/x", "https://h:443/a:b@c", "no url: user@host", "https://h/?q=1",
])
def test_what_is_no_secret_stays(url: str) -> None:
    assert scrub(url) == url


@pytest.mark.parametrize(("url", "parts"), [
    ("http://u:p%40w@h:1/x", ("http://h:1/x", "u", "p@w")),
    ("http://h/x@y", ("http://h/x@y", None, "")),
    ("http://token@h/", ("http://h/", "token", "")),
])
def test_a_user_is_taken_out_of_a_url(url: str, parts: tuple[str, str | None, str]) -> None:
    assert split_user(url) == parts


def test_a_long_text_takes_no_time() -> None:
    for text in ("://" * 300_000, "a://" + "@" * 900_000, "://x?" + "&a=" * 300_000,
                 "a" * 900_000 + "://"):
        scrub(text)


def test_errors_logs_and_programs_show_no_url_s_user() -> None:
    url = URLS[0]
    error = RemoteError(f"{url} failed", where=url, why=f"at {url}", remedy=f"see {url}")
    error.add_note(f"repeat: fetch {url}")
    failed = ProgramError(["curl", url], 1, [f"no answer from {url}"])
    assert SECRET not in "".join([str(error), *error.__notes__, str(failed), *failed.tail,
                                  *failed.argv, repr(error.args)])
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("ccis")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        run(["echo", url])
        for kind in (log._Formatter("%(message)s"),):
            handler.setFormatter(kind)
            try:
                raise ValueError(url)
            except ValueError:
                logger.exception("asking %s", url)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    assert "host/p" in stream.getvalue() and SECRET not in stream.getvalue()


@pytest.fixture
def server() -> Iterator[tuple[str, list[str | None]]]:
    """A server that wants a password, redirects /away to another port, and what it was told."""
    heard: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers.get("Authorization"))
            if self.path == "/away":
                port = self.server.server_address[1]
                self.send_response(302)
                self.send_header("Location", f"http://localhost:{port}/there")
            else:
                self.send_response(200)
            self.end_headers()
            self.wfile.write(b"text\n")

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{running.server_port}", heard
        running.shutdown()


def test_a_user_of_a_url_is_told_to_its_host_alone(
    server: tuple[str, list[str | None]],
) -> None:
    address, heard = server
    assert fetch(f"http://user:p%2Fw@{address}/") == b"text\n"
    assert heard == ["Basic dXNlcjpwL3c="]
    fetch(f"http://user:{SECRET}@{address}/away")
    assert heard[1] is not None and heard[2] is None


def test_a_part_from_the_network_is_called_by_what_may_be_shown(
    server: tuple[str, list[str | None]], tmp_path: Path,
) -> None:
    address, _ = server
    text = "".join(f"%include http://u:{SECRET}{number}@{address}/x?token={SECRET}\n"
                   for number in range(2))
    kickstart = kickstart_of(tmp_path, text)
    named = [command.where for command in kickstart.commands]
    assert len(set(named)) == 2 and SECRET not in "".join(named)
    assert SECRET not in "".join(list(kickstart.sources)[1:])


# ── command lines ───────────────────────────────────────────────────────────────────────────────

LINES = [
    f"rootpw --plaintext {SECRET}", f"rootpw {SECRET}", f"rootpw --iscrypted $6$x${SECRET}",
    f"user --name=a --plaintext --password={SECRET}", f"user --name=a --password {SECRET}",
    f"sshpw --username=a {SECRET} --plaintext", f"bootloader --password={SECRET}",
    f"part / --size=1 --encrypted --passphrase={SECRET}", f"autopart --passphrase={SECRET}",
    f"vnc --password={SECRET}", f"network --essid=x --wpakey={SECRET}",
    f"rhsm --organization=1 --activation-key={SECRET}",
    f"url --url=http://u:{SECRET}@h/", f"url --url=http://h/ --proxy=http://u:{SECRET}@p:1",
    f"repo --name=x --baseurl=http://h/?token={SECRET}",
    f"repo --name=x --baseurl=u:{SECRET}@h.x/os",
    f"url --url=http://h/ --proxy=u:{SECRET}@p:1", f"url --url http://h/ --proxy u:{SECRET}@p:1",
    f"liveimg --url=https://u:{SECRET}@h/x",
    f"logvol / --name=a --vgname=b --size=1 --passphrase {SECRET}",
]


@pytest.mark.parametrize("line", LINES)
def test_no_secret_of_a_line_is_shown_or_guessed_at(tmp_path: Path, line: str) -> None:
    found = survey(write(tmp_path, f"text\n{line}\n"), "RHEL10")
    command = found.kickstart.commands[-1]
    assert has_secret(command)
    assert SECRET not in " ".join(masked_words(command.name, command.words))
    assert SECRET not in redacted(found.kickstart)
    one, other = (digest_of_lines(found.kickstart, key) for key in (b"a" * 32, b"b" * 32))
    assert one != other
    for word in ("lint", "explain"):
        more = ["--no-pre"] if word == "explain" else []
        done = CliRunner().invoke(main.app, [word, str(tmp_path / "test.ks"), "--json", *more])
        assert SECRET not in done.output + repr(done.exception) + str(
            getattr(done.exception, "remedy", "")), word


def write(folder: Path, text: str) -> Path:
    path = folder / "test.ks"
    path.write_text(text)
    return path


@pytest.mark.parametrize("line", [
    f"rootpw a {SECRET}", f"user --name=a --pasword={SECRET}", f"rootpw={SECRET}",
    f"user --name=a --password={SECRET} --nonsense=1", f"part / --passphrase={SECRET} --sze=1",
    f"rootpw \"{SECRET}", f"repo --name=x --baseurl=http://u:{SECRET}@h/ --nonsense",
    f"url --url=nfs://u:{SECRET}@h/", f"repo --name=x --baseurl=/not/u:{SECRET}@h/x",
])
def test_a_wrong_line_is_told_without_its_secrets(tmp_path: Path, line: str) -> None:
    path = write(tmp_path, f"text\n{line}\n")
    report = lint(path, catalogue.release("centos-stream-10"))
    assert SECRET not in repr(report.findings)
    try:
        origins(read(path, "RHEL10"), catalogue.release("centos-stream-10"), "x86_64",
                {"arch": "x86_64"})
    except CcisError as error:
        assert SECRET not in str(error)


@pytest.mark.parametrize("line", [
    "ADMIN_PASS=x", "password\t= x", "PW=x", "psk=x", "PrivateKey = x", "htpasswd -bc f u x",
    "curl -u u:x h", "sshpass -p x ssh h", "mysql -px", "echo x | passwd root",
    "echo x | cryptsetup luksAddKey /dev/x", "ipa-client-install -w x", "echo ghp_abc123",
    "echo AKIAABC", "sed -i 's|!!|$6$a$b|' /etc/shadow", "curl -H 'Authorization: Bearer x' h",
])
def test_what_a_script_may_hold_is_digested_with_the_key(tmp_path: Path, line: str) -> None:
    kickstart = kickstart_of(tmp_path, f"%post\n{line}\n%end\n")
    assert digest_of_scripts(kickstart.scripts, b"a" * 32).startswith("hmac-")


def test_so_are_the_installer_s_arguments() -> None:
    inputs = pre.Inputs(epoch=1, scripts=(), disk_size_bytes=1,
                        arguments=f"inst.ks=https://u:{SECRET}@h/ks")
    assert digests(inputs, b"a" * 32)["arguments"].startswith("hmac-")


@pytest.mark.parametrize("text", [
    f"%post\necho root:{SECRET} | chpasswd\n%end\n",
    f"%post\nexport AWS_SECRET_ACCESS_KEY={SECRET}\n%end\n",
    f"%post\ncurl https://u:{SECRET}@h/\n%end\n",
    f"%post\necho {SECRET} | passwd --stdin root\n%end\n",
    "%post\ncat >/k <<E\n-----BEGIN OPENSSH PRIVATE KEY-----\nE\n%end\n",
])
def test_scripts_that_look_like_it_are_digested_with_the_key(tmp_path: Path, text: str) -> None:
    kickstart = kickstart_of(tmp_path, text)
    one, other = (digest_of_scripts(kickstart.scripts, key) for key in (b"a" * 32, b"b" * 32))
    assert one != other and one == digest_of_scripts(kickstart.scripts, b"a" * 32)
    assert [each.kind for each in plain_secrets(kickstart)] == ["script"]


def test_without_secrets_digests_are_the_same_in_every_store(tmp_path: Path) -> None:
    own = read(catalogue.kickstart_of(catalogue.image("generic-cloud")), "RHEL10")
    for digest in (lambda key: digest_of_lines(own, key),
                   lambda key: digest_of_scripts(own.scripts, key)):
        assert digest(b"a" * 32) == digest(b"b" * 32)
    assert not list(plain_passwords(own))
    addon = kickstart_of(tmp_path, "%addon org_x\ntoken = y\n%end\n")
    assert digest_of_lines(addon, b"a" * 32).startswith("hmac-")
    commented = About("", "", "", "", "", "", 1, kickstart={"x.ks": "rootpw --plaintext x\n"})
    medium = conversion.Inputs(epoch=1, options={}, about=commented)
    assert digests(medium, b"a" * 32)["about"].startswith("hmac-")


def test_locked_and_hashed_accounts_are_no_plain_secrets(tmp_path: Path) -> None:
    kickstart = kickstart_of(tmp_path, (
        "rootpw --lock\nuser --name=a --iscrypted --password=$6$a$b\n"
        "bootloader --iscrypted --password=grub.pbkdf2.sha512.1.A.B\n"
        "%post\npasswd -l root\npasswd -d root\necho 'x ALL=(ALL) NOPASSWD: ALL' > /etc/s\n"
        "password=$(cat /etc/x)\n%end\n"))
    assert list(plain_secrets(kickstart)) == []


# ── the store's key ─────────────────────────────────────────────────────────────────────────────

def test_a_store_has_one_key_and_another_store_another(tmp_path: Path) -> None:
    one = store_key(tmp_path / "one")
    assert store_key(tmp_path / "one") == one and len(one) == 32
    assert store_key(tmp_path / "two") != one
    assert (tmp_path / "one" / FILE).stat().st_mode & 0o7777 == 0o600
    assert keyed_digest_of("x", one) != digest_of("x")


def test_of_many_that_need_the_key_at_once_all_get_one(tmp_path: Path) -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(store_key(tmp_path / "store")))
               for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16 and len(set(found)) == 1
    assert [path.name for path in (tmp_path / "store").iterdir()] == [FILE]


@pytest.mark.parametrize("spoil", [
    lambda path: path.chmod(0o644), lambda path: path.write_bytes(b"short"),
    lambda path: path.write_bytes(b""),
])
def test_a_key_that_others_know_is_not_used(tmp_path: Path, spoil: object) -> None:
    assert callable(spoil)
    store_key(tmp_path)
    spoil(tmp_path / FILE)
    with pytest.raises(HostError, match="can't be used"):
        store_key(tmp_path)


def test_a_passphrase_is_no_part_of_the_layout() -> None:
    item = Encryption(device="/dev/vda1", name="x", uuid="u", passphrase=SECRET)
    assert SECRET not in repr(item) + json.dumps(item.model_dump(mode="json"))


def options_of(folder: Path, text: str, artefact: str) -> Request:
    """Return what generic-cloud by another kickstart is asked for."""
    release = catalogue.release("rehearsal-10")
    return Request(image=catalogue.image("generic-cloud"), kickstart=write(folder, text),
                   release=release, arch="x86_64", formats=(artefact,),
                   rehearsal=create(release.name, Silent()))


OWN = catalogue.kickstart_of(catalogue.image("generic-cloud"))


@pytest.mark.integration
def test_a_passphrase_is_digested_with_the_store_s_key(tmp_path: Path) -> None:
    text = OWN.read_text().replace("part / ", (
        f"part /boot --fstype=ext4 --size=500\npart / --encrypted --passphrase={SECRET} "))
    request = options_of(tmp_path, text, "raw")
    made = [planner.make(request, Store(tmp_path / name, 1 << 40)) for name in "aab"]
    assert made[0].layout.secrets() == (SECRET,)
    first, again, other = (one.steps for one in made)
    assert {name: step.digest for name, step in first.items()} == {
        name: step.digest for name, step in again.items()}
    changed = {name for name, value in first["disk"].all_inputs.items()
               if value != other["disk"].all_inputs[name] and not name.startswith("step ")}
    assert changed == {"passphrases"}
    assert made[0].layout.disk_uuid == made[2].layout.disk_uuid


@pytest.mark.integration
def test_plan_and_build_of_a_medium_with_a_plain_password(tmp_path: Path) -> None:
    request = options_of(tmp_path, OWN.read_text() + (
        f"\nuser --name=x --plaintext --password={SECRET}\n%pre\ntrue\n%end\n"), "install-iso")
    store = Store(tmp_path / "store", 1 << 40)
    made = planner.make(request, store)
    assert [text for _, text in made.notes if "on the medium (install-iso)" in text]
    assert SECRET not in repr([made.notes, made.steps])
    with pytest.raises(InputError, match="stand in plain text") as caught:
        builder.build([made], store, tmp_path / "out", "20260101.0", Silent())
    assert "--allow-secrets" in str(caught.value.remedy)
    assert not (tmp_path / "out").exists()
    # The same kickstart as any other artefact is nothing to refuse.
    plain = planner.make(Request(**{**vars(request), "formats": ("raw",)}), store)
    assert plain.exposed == []
    twin = planner.make(request, store)
    assert twin.digest == made.digest
    other = planner.make(request, Store(tmp_path / "other", 1 << 40)).steps
    assert {name for name in other if other[name].digest == made.steps[name].digest} == {
        "packages", "pre"}
