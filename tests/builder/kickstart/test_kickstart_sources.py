"""The files that a kickstart is made of: included, fetched, written by %pre, or broken."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.kickstart.read import read, read_pre, survey
from builder.kickstart.sources import LIMIT_BYTES
from host.errors import CcisError, InputError, RemoteError


def write(folder: Path, text: str | bytes, name: str = "test.ks") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "lang.ks").write_text("%include more/keys.ks\nlang en_US.UTF-8\n")
    (folder / "more").mkdir()
    (folder / "more/keys.ks").write_text("keyboard us\n")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *words: object) -> None:
            super().__init__(*words, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_a_url_is_included_and_what_it_includes_is_relative_to_it(
    tmp_path: Path, server: str,
) -> None:
    path = write(tmp_path, f"text\n%include {server}/lang.ks\n")
    places = {c.name: c.where for c in read(path, "RHEL10").commands}
    assert places == {"text": f"{path}:1", "lang": f"{server}/lang.ks:2",
                      "keyboard": f"{server}/more/keys.ks:1"}


def test_a_url_that_fails_names_the_line_that_includes_it(tmp_path: Path, server: str) -> None:
    path = write(tmp_path, f"text\n%include {server}/none.ks\n")
    with pytest.raises(RemoteError) as caught:
        read(path, "RHEL10")
    assert caught.value.where == f"{path}:2"
    assert "none.ks: it answered 404 File not found" in str(caught.value)


def test_ksappend_is_text_even_within_a_script(tmp_path: Path) -> None:
    write(tmp_path, "echo appended\n", "tail.sh")
    write(tmp_path, "lang C\n%packages\nvim\n%end\n", "part.ks")
    path = write(tmp_path, "%ksappend part.ks\n%post\n%ksappend tail.sh\n%end\n")
    kickstart = read(path, "RHEL10")
    assert [c.name for c in kickstart.commands] == ["lang"]
    assert kickstart.packages.names == ("vim",)
    assert kickstart.scripts[0].text == "echo appended\n"


def test_a_section_may_include_its_lines(tmp_path: Path) -> None:
    write(tmp_path, "vim\n-emacs\n", "list.ks")
    path = write(tmp_path, "%packages\nbash\n%include list.ks\nzsh\n%end\nlang C\n")
    kickstart = read(path, "RHEL10")
    assert kickstart.packages.names == ("bash", "vim", "zsh")
    assert kickstart.find("lang")[0].where == f"{path}:6"


def test_what_pre_wrote_is_looked_at_first_and_never_leads_outside(tmp_path: Path) -> None:
    installer = tmp_path / "installer"
    write(installer, "lang C\n%include second\n", "tmp/first")
    write(installer, "keyboard us\n", "tmp/second")
    path = write(tmp_path, "%pre\ntrue\n%end\n%include /tmp/first\n")
    kickstart = read(path, "RHEL10", installer)
    assert [(c.name, c.where) for c in kickstart.commands] == [
        ("lang", "/tmp/first:1"), ("keyboard", "/tmp/second:1")]

    secret = write(tmp_path, "text\n", "secret.ks")
    (installer / "tmp/first").unlink()
    (installer / "tmp/first").symlink_to(secret)
    with pytest.raises(InputError, match="/tmp/first is not there"):
        read(path, "RHEL10", installer)


def test_the_first_pass_wants_only_pre_and_no_include(tmp_path: Path) -> None:
    path = write(tmp_path, "%include /tmp/by-pre\nnonsense\n%pre --erroronfail\ntrue\n%end\n")
    (script,) = read_pre(path, "RHEL10")
    assert (script.kind, script.text, script.stop_on_error) == ("%pre", "true\n", True)


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path, b"\xef\xbb\xbflang C\r\n%post\r\necho x\r\n%end\r\n")
    kickstart = read(path, "RHEL10")
    assert kickstart.commands[0].words == ("C",)
    assert kickstart.scripts[0].text == "echo x\n"


@pytest.mark.parametrize(("content", "line", "says"), [
    (b"text\n\0\n", 2, "NUL byte"),
    (b"text\n# caf\xe9\n", 2, "is not UTF-8"),
    (b"#" * (LIMIT_BYTES + 1), None, "too large"),
    (b"%include .\n", 1, "is a folder"),
    (b"%include\n", 1, "There was a problem"),
    (b"text\n%include test.ks\n", 2, "includes itself"),
    (b"text\n%include nfs://host/x\n", 2, "can't be included"),
    (b"%ksappend\n", 1, "needs a file"),
])
def test_bad_files_are_clear_errors(
    tmp_path: Path, content: bytes, line: int | None, says: str,
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read(path, "RHEL10")
    assert caught.value.where == (f"{path}:{line}" if line else str(path))
    assert says in str(caught.value) or line == 1


def test_the_survey_goes_on_behind_every_error(tmp_path: Path) -> None:
    path = write(tmp_path, (
        "timezome UTC\n"
        "lang C\n"
        'keyboard "us\n'
        "part / --sze=1\n"
        "%nonsense\n"
        "%include http://127.0.0.1:9/x.ks\n"
        "%packages --bad\n"
        "vim\n"
        "-\n"
        "%end\n"
        "timezone UTC\n"
        "%post\n"
        "echo\n"
    ))
    found = survey(path, "RHEL10")
    assert [(p.where or "").removeprefix(f"{path}:") for p in found.problems] == [
        "1", "3", "4", "5", "7", "9", "12"]
    assert all(p.what for p in found.problems)
    assert [c.name for c in found.kickstart.commands] == ["lang", "timezone"]
    assert found.kickstart.packages.names == ("vim",)
    assert found.kickstart.scripts[0].text == "echo\n"
    assert found.unread_includes == [(f"{path}:6", "http://127.0.0.1:9/x.ks")]


def test_the_survey_forgives_a_missing_part_only_where_pre_may_write_it(tmp_path: Path) -> None:
    alone = write(tmp_path, "%include /tmp/not-there\n", "alone.ks")
    assert [p.where for p in survey(alone, "RHEL10").problems] == [f"{alone}:1"]
    with_pre = write(tmp_path, "%include /tmp/not-there\n%pre\ntrue\n%end\n", "pre.ks")
    found = survey(with_pre, "RHEL10")
    assert (found.problems, found.unread_includes) == ([], [(f"{with_pre}:1", "/tmp/not-there")])


def test_a_survey_of_endless_nonsense_ends(tmp_path: Path) -> None:
    path = write(tmp_path, '%nonsense "\n' * 5000)
    try:
        assert survey(path, "RHEL10").problems
    except CcisError as error:
        raise AssertionError from error
