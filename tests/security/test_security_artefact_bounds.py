"""Every check has an end, quickly and in little memory, whatever an image's files say."""

from __future__ import annotations

import ast
import base64
import json
import random
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from host.errors import InputError
from host.patterns import number, pattern
from specs.globs import compiled
from specs.kind import Check
from specs.kinds import KINDS
from specs.kinds.text import FileMatches
from specs.model import Rule, load
from tests.validate.disks import ROOT_UUID, raw_disk, small_tree
from tests.validate.small_views import Files, Folder, disk_of, guest_of, view_of
from validate import fstab, registry
from validate.boot.ssh import _answers
from validate.documents import parse_json, parse_yaml
from validate.judge import judge
from validate.listing import parse as parse_tree
from validate.registry import checker, questions
from validate.stack import parse_standing

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
MANY = MIB - 64
BASELINE = load("baseline")


@contextmanager
def quickly(limit_s: float = 15.0, memory_mib: int = 700) -> Iterator[None]:
    """Fail when the block takes longer; it gets a MemoryError when it takes more memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (
        pages * resource.getpagesize() + memory_mib * MIB, before[1]))
    begun = time.monotonic()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert time.monotonic() - begun < limit_s


FLOODS: dict[str, str] = {
    "newlines": "\n" * MANY, "spaces": " " * MANY, "tabs": "\t" * MANY,
    "set": "set " * (MANY // 4), "set and spaces": "set a=" + " " * (MANY - 10) + "x",
    "one letter": "a" * MANY, "commas": "," * MANY, "colons": ":" * MANY,
    "equals": "=\n" * (MANY // 2), "dollars": "${" * (MANY // 2), "quotes": '"' * MANY,
    "brackets": "[" * MANY, "braces": "{" * MANY, "dashes": "- " * (MANY // 2),
    "anchors": "&a " * (MANY // 3), "questions": "? " * (MANY // 2),
    "key and spaces": ("PermitRootLogin" + " " * 4000 + "\n") * (MANY // 4016),
    "linux": "linux \n" * (MANY // 7), "options": "options $kernelopts\n" * (MANY // 20),
    "noise": "".join(random.Random(1).choices("a \n\t=:[]{}&*-#$\"'/\\", k=MANY)),
    "NUL": "\0" * MANY, "carriage returns": "\r" * MANY, "line separators": "\u2028" * (MANY // 3),
    "digits": "9" * MANY,
}
PLACES = (
    "/boot/grub2/grub.cfg", "/boot/grub2/grubenv", "/boot/loader/entries/a.conf", "/etc/fstab",
    "/etc/os-release", "/etc/cloud/cloud.cfg", "/etc/ssh/sshd_config", "/etc/passwd",
    "/etc/shadow", "/etc/selinux/config", "/etc/hostname", "/etc/dnf/dnf.conf",
    "/etc/yum.repos.d/a.repo", "/etc/machine-id",
)


@pytest.mark.parametrize("flood", FLOODS)
def test_no_text_keeps_a_check_busy(flood: str) -> None:
    """Every offline rule of the baseline, on an image whose every settings file is a flood."""
    files: dict[str, Any] = dict.fromkeys(PLACES, FLOODS[flood])
    files |= {"/lib/modules/6.1": Folder(), "/usr/lib/os-release": "ID=x\n"}
    view = view_of(files, disk=disk_of())
    with quickly(20):
        for rule in BASELINE.of_tier("offline"):
            assert "please report it" not in judge(rule, view).found, rule.id


def _yaml(key: str, text: str) -> Files:
    return {"/etc/cloud/cloud.cfg": f"{key}: 1\n{text}\n"}


BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 15))
MERGES = "a0: &a0 {k: v}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n  k{n}: v\n" for n in range(1, 15))


@pytest.mark.parametrize("text", [
    BOMB + "wanted: *a14\n", MERGES + "wanted: *a14\n", "wanted: &a [*a]\n", "wanted: *nobody\n",
    "wanted: " + "[" * 100_000, "wanted: " + "{a: " * 50_000, "- " * 100_000,
    "wanted: !!python/object/apply:os.system [id]\n", "wanted: !!timestamp q\n",
    'wanted: !!int ""\n', 'wanted: !!float ""\n', "wanted: !!bool q\n", "wanted: !!binary '\xe9'\n",
    "wanted: 0x" + "f" * 200_000 + "\n", "wanted: 9999-99-99\n",
    "wanted: 1:" + "59:" * 2000 + "1\n", "%YAML 9",
    "wanted: 0001-01-01T00:00:00+23:59\n", "? [a, b]\n: c\n", "? {a: b}\n: c\n", "\ufffe",
    "wanted: " + "9" * 200 + "\n", "wanted: .inf\n", "wanted: =\n", "<<: 1\nwanted: 2\n",
    "--- a\n--- b\n", "wanted: [" + "a, " * 80_000 + "]\n",
])
def test_yaml_of_an_image_is_bounded_and_never_a_bug(text: str) -> None:
    rule = _rule({"kind": "yaml_value", "path": "/a.yaml", "key": "wanted", "one_of": ["x"]})
    listed = _rule({"kind": "yaml_value", "path": "/a.yaml", "key": "wanted", "contains": "x"})
    with quickly():
        for each in (rule, listed):
            result = judge(each, view_of({"/a.yaml": text}))
            assert result.status in ("failed", "unknown")
            assert "please report" not in result.found


def test_yaml_that_people_write_is_read_as_ever() -> None:
    text = ("a: &x {b: 1, c: yes}\nd: *x\ne: [1, 2.5, ~, 'no', no, 0o17, 2026-01-01]\nf: |\n  t\n"
            "g: {<<: *x, b: 2}\nh: 0x1f\n")
    assert parse_yaml("/a", text) == yaml.safe_load(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 10_000, "", "nan,"])
def test_json_of_an_image_is_bounded(text: str) -> None:
    with quickly(), pytest.raises(InputError):
        parse_json("x", text)


@pytest.mark.parametrize("uid", ["²", "9" * 5000, "-1", "1_0", "٣", " 1", ""])
def test_what_only_looks_like_a_number_is_none(uid: str) -> None:
    assert number(uid) is None
    result = judge(_rule({"kind": "accounts"}), view_of(
        {"/etc/passwd": f"root:x:0:0::/:/x\nx:x:{uid}:0::/:/x\n"}))
    assert result.status == "failed"
    assert "no number" in result.found


INCLUDES: dict[str, Files] = {
    "itself": {"/etc/ssh/sshd_config": "Include /etc/ssh/sshd_config\n" * 50},
    "fan out": {"/etc/ssh/sshd_config": "Include *.conf\n", **{
        f"/etc/ssh/{n}.conf": "Include *.conf\n" * 20 for n in range(20)}},
    "many patterns": {"/etc/ssh/sshd_config": "Include " + "/** " * 1000},
    "slow pattern": {"/etc/ssh/sshd_config": "Include /etc/ssh/" + "*a" * 60 + "b\n",
                     "/etc/ssh/" + "a" * 250: "x"},
    "slow folders": {"/etc/ssh/sshd_config": "Include /" + "**/a/" * 30 + "b\n",
                     "/a" * 500 + "/x": "x"},
    "bad **": {"/etc/ssh/sshd_config": "Include /a**b\n"},
    "open [": {"/etc/ssh/sshd_config": "Include /etc/[ab\n"},
    "bad range": {"/etc/ssh/sshd_config": "Include /etc/[z-a]\n"},
    "not UTF-8": {"/etc/ssh/sshd_config": "Include /etc/ssh/*.conf\n",
                  "/etc/ssh/\udcff.conf": "x"},
}


@pytest.mark.parametrize("way", INCLUDES)
def test_includes_of_an_image_are_counted(way: str) -> None:
    rule = _rule({"kind": "sshd_setting", "key": "PermitRootLogin", "one_of": ["no"],
                  "default": "yes"})
    with quickly():
        result = judge(rule, view_of(INCLUDES[way]))
    assert result.status in ("failed", "unknown")
    assert "please report" not in result.found


def test_globs_mean_what_they_did_and_none_is_slow() -> None:
    for glob, path, fits in (
        ("/a/*b*c", "/a/xbxbc", True), ("/a/*b*c", "/a/xbxbcd", False),
        ("/**/a/*", "/x/a/y/a/z", True),
        ("/a/**", "/a/b/c", True), ("/a/**", "/a", False), ("/**/x/**/y", "/x/x/y/q/y", True),
        ("/a/[!b]*", "/a/cb", True), ("/a/[!b]*", "/a/b", False), ("/a/[[]", "/a/[", True),
        ("/a/[a-c]?", "/a/bz", True), ("/a/?", "/a/\udcff", True), ("/*/b", "/a/c/b", False),
    ):
        assert bool(compiled(glob).match(path)) is fits, (glob, path)
    with quickly(2):
        for glob in ("/" + "*a" * 200 + "b", "/" + "**/a*/" * 100 + "b", "/**" * 50 + "/x"):
            compiled(glob).match("/" + "a" * 4000)
            compiled(glob).match("/a" * 2000)


def test_an_expression_that_could_be_slow_is_no_expression_of_a_spec() -> None:
    for bad in ("a(?=b)", "(?!x)y", r"(a)\1", "(?<=x)y", "("):
        with pytest.raises(ValidationError, match="not a regular expression of RE2"):
            FileMatches(paths=["/a"], lines=(bad,))
    with quickly(5):
        assert pattern(r"(a+)+$").search("a" * MANY + "b") is None
        assert pattern(r"(\s*\w*)*=").fullmatch(" a" * (MANY // 2)) is None


def test_only_allowed_lines_escape_not_lines() -> None:
    rule = next(one for one in BASELINE.rules if one.id == "identity.hostname")
    for text, status in (("localhost\n", "passed"), ("localhost.localdomain", "passed"),
                         ("", "passed"), ("builder7", "failed"), ("localhost2", "failed"),
                         ("localhost\nbuilder7", "failed")):
        assert judge(rule, view_of({"/etc/hostname": text})).status == status, text


def test_every_regular_expression_for_images_is_re2_s() -> None:
    """Python's own backtracks; specs/globs.py builds its own, atomic, and says so."""
    for path in (ROOT / "validate").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else \
                [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not {"re", "regex", "fnmatch"} & {*names}, path


FSTABS: dict[str, str] = {
    "ten thousand lines": f"UUID={ROOT_UUID} /x ext4 defaults 0 0\n" * 10_000,
    "ten thousand places": "".join(f"UUID={ROOT_UUID} /{n} ext4 ro 0 0\n" for n in range(10_000)),
    "one field of a megabyte": f"UUID={ROOT_UUID} /{'x' * MANY} ext4 ro 0 0\n",
    "options without end": f"UUID={ROOT_UUID} / ext4 {',' * (MANY - 100)}\n",
    "octal": "\\777\\000 \\057\\057 ext4 x\n" * 1000,
}


@pytest.mark.parametrize("text", FSTABS)
def test_an_fstab_is_judged_however_long_it_is(text: str) -> None:
    rule = next(one for one in BASELINE.rules if one.check.kind == "fstab")
    with quickly():
        assert len(fstab.parse(FSTABS[text])) <= fstab.LINES_MAX + 1
        assert judge(rule, view_of({"/etc/fstab": FSTABS[text]}, disk=disk_of())).status == "failed"


def test_devices_that_stand_on_each_other_many_times_are_gone_through_once() -> None:
    lines = ["/dev/a0 /dev/a0 disk", "/dev/b0 /dev/b0 disk"]
    for level in range(1, 60):
        lines += [f"/dev/{x}{level} /dev/{x}{level} raid1 /dev/{y}{level - 1}"
                  for x in "ab" for y in "ab"]
    with quickly(5):
        assert parse_standing("\n".join(lines))["/dev/a59"].kinds == ("raid",)


def test_more_files_than_any_image_has_are_bad_input() -> None:
    with quickly(30, 1500), pytest.raises(InputError, match="more than 1000000 files"):
        parse_tree(b"f\x00644\x000\x000\x000\x000\x00\x00a\x00\x00" * 1_000_001)


def test_a_guest_can_t_break_out_of_the_frame_of_its_answers() -> None:
    mark, packed = "0123", base64.b64encode(b"yes").decode()
    for lines in (
        [f"{mark} 99", packed, f"{mark} end 0"], [f"{mark} {'9' * 5000}", packed],
        [f"{mark} 0", "=====", f"{mark} end 0"], [f"{mark} 0", packed, f"{mark} end {'9' * 5000}"],
        [f"{mark} end 0"], [mark], [f"{mark} "], [f"{mark} 0 0", packed, f"{mark} end 0"],
        [f"{mark} -1", packed, f"{mark} end 0"], ["", *[f"{mark} ²"] * 3],
    ):
        assert list(_answers(["a"], mark, lines)) == [], lines
    good = dict(_answers(["a", "b"], mark, [f"{mark} 1", packed[:2], packed[2:], f"{mark} end 7"]))
    assert good["b"].output == "yes" and good["b"].status == 7


ANSWERS = ("", "\0", "9" * 5000, "[" * 20_000, "{}", '{"v1": 1}', '{"v1": {"errors": 1}}', "null",
           "/etc/ssh/x 600 0 " + "9" * 5000, "a" * 200_000, "\n" * 200_000, "² ²", "\u202e\x9b")


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_no_answer_of_a_guest_breaks_a_check(answer: str) -> None:
    for rule in BASELINE.of_tier("boot"):
        guest = guest_of(rule.check, [answer] * len(questions(rule.check)))
        with quickly():
            assert "please report" not in judge(rule, guest).found, rule.id


def test_a_check_that_falls_over_is_no_verdict_of_passed_and_no_bug(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def falls(_check: Check, _view: object) -> None:
        raise IndexError("there is none")

    kind = KINDS["accounts"]
    checker(kind)
    monkeypatch.setitem(registry._CHECKERS, kind, falls)
    result = judge(_rule({"kind": "accounts"}), view_of({}))
    assert result.status == "unknown" and "IndexError: there is none" in result.found


def _rule(check: dict[str, Any]) -> Rule:
    return Rule.model_validate({"id": "a.b", "title": "t", "rationale": "r", "check": check})


def _hostile(folder: Path) -> Path:
    """One image with all of it: floods, bombs, an fstab that mounts the root within itself."""
    tree = small_tree(folder / "tree")
    (tree / "etc/selinux/config").unlink()
    for place, text in {
        "boot/grub2/grub.cfg": "\n" * MANY, "etc/cloud/cloud.cfg": BOMB + "users: *a14\n",
        "etc/ssh/sshd_config": "Include /etc/ssh/sshd_config\n" * 50,
    }.items():
        (tree / place).parent.mkdir(parents=True, exist_ok=True)
        (tree / place).write_text(text)
    (tree / "etc/fstab").write_text("".join([
        f"UUID={ROOT_UUID} / ext4 defaults 0 0\n", f"UUID={ROOT_UUID} / ext4 defaults 0 0\n",
        f"UUID={ROOT_UUID} /boot ext4 defaults 0 0\n", f"UUID={ROOT_UUID} //boot/../var/lib x y\n",
        f"UUID={ROOT_UUID} /etc/loop ext4 defaults 0 0\n", f"UUID={ROOT_UUID} /etc/passwd x x\n",
        f"UUID={ROOT_UUID} /../../.. ext4 defaults 0 0\n", "/ / none bind 0 0\n",
        f"UUID={ROOT_UUID} /nowhere/at/all ext4 defaults 0 0\n", "LABEL=root /tmp ext4 $(id) 0 0\n",
        "/usr /etc none bind 0 0\n", "tmpfs / tmpfs defaults 0 0\n",
        *(f"UUID={ROOT_UUID} /{n} ext4 ro 0 0\n" for n in range(10_000)),
    ]))
    return raw_disk(folder / "hostile.raw", tree)


@pytest.mark.integration
def test_an_image_with_all_of_it_is_a_verdict(tmp_path: Path) -> None:
    image = _hostile(tmp_path)
    ccis = ROOT / ".venv/bin/ccis"
    begun = time.monotonic()
    done = subprocess.run(
        [ccis, "validate", image, "--spec", "baseline", "--json"], capture_output=True, text=True,
        check=False, timeout=300)
    assert done.returncode == 1, done.stderr
    assert time.monotonic() - begun < 200
    by_rule = {one["rule"]: one for one in json.loads(done.stdout)["results"]}
    fstab_rule = next(rule.id for rule in BASELINE.rules if rule.check.kind == "fstab")
    found = by_rule[fstab_rule]["found"]
    assert by_rule[fstab_rule]["status"] == "failed"
    assert "/boot: is mounted at / already" in found
    assert "/etc/loop: is no folder" in found
    assert "/ has more than one line" in found
    assert "please report" not in done.stdout
