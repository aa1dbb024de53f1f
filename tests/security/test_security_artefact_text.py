"""What a kickstart, a script, an image or a record says is shown: nothing of it is obeyed."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import unicodedata
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from ccis import log, output
from ccis.artefacts import report_text
from ccis.display import Display
from host.errors import InputError
from host.text import lines_of, printable
from specs.model import Rule
from tests.validate.small_views import view_of
from validate.judge import judge
from validate.report import Report, to_json, to_junit

ROOT = Path(__file__).parents[2]
CCIS = ROOT / ".venv/bin/ccis"
EVIL = "".join(map(chr, [*range(0x20), 0x7F, *range(0x80, 0xA0), *range(0x200B, 0x2010),
                         *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0x061C, 0xFEFF, 0xAD,
                         0x180E, 0xE0001, 0xE0041, 0xDCFF, 0xD800]))
SEEN = "\x1b[2J\x1b]0;x\x07\x9b31m\u202e\u2066\u200e\u2028\u2029\u200b\U000e0041"
"""What a file of UTF-8 can hold within a word."""


def active(text: str) -> set[str]:
    """The characters of a text that would do something, newlines at the ends of lines apart."""
    return {letter for letter in text if letter != "\n"
            and unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")}


def test_everything_active_is_escaped_and_nothing_else() -> None:
    assert not active(printable(EVIL)) and "\n" not in printable(EVIL)
    assert printable("a\n\r\t\x1b\x9b\u202e\U000e0041\udcff") == (
        r"a\n\r\t\x1b\x9b\u202e\U000e0041\udcff")
    for fine in ("plain", "ümläut – … ✓ 漢字 🔐 e\u0301 \\x1b", "ﬁ\u00a0ﬂ"):
        assert printable(fine) == fine
    assert printable("a\nb\tc", keep="\n") == "a\nb\\tc"
    assert lines_of("a\r\nb") == ["a\\r", "b"]


def test_a_message_can_t_add_lines_of_ours() -> None:
    error = InputError(f"x\nerror: forged{EVIL}", where="a\n  why:    forged", why=f"b\nc{EVIL}",
                       remedy="d\nccis: done")
    error.add_note("n\n  log:    /forged")
    lines = output.message(error).split("\n")
    assert not active("\n".join(lines))
    assert [line for line in lines if line.startswith("error:")] == [lines[0]]
    assert len([line for line in lines if line.startswith("  why:")]) == 1
    assert len([line for line in lines if line.startswith("  log:")]) <= 1
    assert "    | ccis: done" in lines


def test_a_report_is_escaped_in_every_form() -> None:
    rule = Rule.model_validate({"id": "a.b", "title": "t", "rationale": "r", "check": {
        "kind": "file_content", "path": "/a", "equals": "x"}})
    bad = "good\nimage: passed – all is well" + EVIL.replace("\udcff", "").replace("\ud800", "")
    report = Report(artefact=f"a\x1b\n{SEEN}.qcow2", spec="s", duration_s=1.0,
                    results=[judge(rule, view_of({"/a": bad}))])
    for line in map(printable, report_text(report)):
        assert not active(line) and not line.startswith("image: passed")
    assert to_json(report).isascii() and not active(to_json(report))
    root = ET.fromstring(to_junit([report]))
    assert not active("".join(root.itertext()).replace("\t", "")) and "good" in "".join(
        root.itertext())
    assert not active(root[0].attrib["name"])


def test_the_display_shows_names_and_notes_escaped() -> None:
    stream = io.StringIO()
    display = Display(stream)
    display.start(f"step {EVIL}")
    display.finish(f"step {EVIL}", note=EVIL)
    display.say(EVIL)
    shown = stream.getvalue() + display.table()
    assert not active(shown) and shown.count("\n") == 3 + display.table().count("\n")


def test_a_line_of_the_log_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "settings", log.Settings())
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(log._Formatter("%(name)s %(message)s"))
    record = logging.LogRecord("ccis.run", logging.DEBUG, "", 0, "  %s", (EVIL,), None)
    handler.emit(record)
    assert stream.getvalue().count("\n") == 1
    try:
        raise ValueError(EVIL)
    except ValueError as error:
        caught = (type(error), error, error.__traceback__)
    handler.emit(logging.LogRecord("ccis", logging.ERROR, "", 0, "a bug", None, caught))
    assert not active(stream.getvalue())


KICKSTART = f"""text
rootpw --lock
user --name=x{SEEN}y --groups=wheel
part / --size=2000 --label=a{SEEN}
services --enabled=u{SEEN}
timezone Z{SEEN}
network --hostname=h{SEEN}
nonsense{SEEN} --option=1
%packages
p{SEEN}q
%end
%post --log=/root/x{SEEN}
echo
%end
"""


def _said(tmp_path: Path, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [CCIS, *map(os.fspath, words)], capture_output=True, check=False, cwd=tmp_path,
        timeout=120, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("more", [[], ["--json"], ["--verbose"]])
@pytest.mark.parametrize("command", ["lint", "explain", "build", "plan"])
def test_a_kickstart_s_names_reach_nobody_raw(
    tmp_path: Path, command: str, more: list[str],
) -> None:
    file = tmp_path / "evil\x1b]0;x.ks"
    text = KICKSTART if command in ("lint", "build") else KICKSTART.replace("nonsense", "#")
    file.write_text(text, encoding="utf-8")
    before, after = (more, []) if more == ["--verbose"] else ([], more)
    if command == "build" and after:
        after = ["--format", "raw", *after]
    words = [command, "--kickstart", file] if command in ("build", "plan") else [command, file]
    done = _said(tmp_path, *before, *words, *after)
    shown = (done.stdout + done.stderr).decode(errors="surrogateescape")
    assert done.returncode not in (0, 70) or command != "build", shown
    assert done.returncode != 70, shown
    assert shown.strip() and not active(shown), active(shown)
    if more == ["--json"]:
        json.loads(done.stdout)


RECORDS = {
    "deep": "[" * 200_000, "deep objects": '{"a":' * 200_000, "long number": "9" * 10_000,
    "names": json.dumps({f"k{SEEN}": f"\u0007{SEEN}\ud800"}), "list": "[]", "null": "null",
    "not UTF-8": "\udcff", "empty": "", "surrogates": '{"name": "\\ud800"}',
}


@pytest.mark.parametrize(("command", "record"), [
    *(("validate", record) for record in RECORDS), *(("publish", record) for record in RECORDS),
    ("boot", "deep"), ("reproduce", "deep"), ("boot", "names"), ("reproduce", "names"),
])
def test_a_build_json_is_bad_input_and_never_a_bug(
    tmp_path: Path, record: str, command: str,
) -> None:
    folder = tmp_path / "build\x9b"
    folder.mkdir()
    (folder / "build.json").write_bytes(RECORDS[record].encode(errors="surrogateescape"))
    words = [command, folder]
    words += ["--root", tmp_path / "out", "--rehearsal-key"] if command == "publish" else []
    done = _said(tmp_path, *words)
    shown = (done.stdout + done.stderr).decode(errors="surrogateescape")
    assert done.returncode == 2, shown
    assert not active(shown), active(shown)
