"""Every kind of boot check, beside a guest that passes and one that fails it."""

from __future__ import annotations

from typing import Any

import pytest

from specs.kinds import KINDS
from specs.model import Rule
from tests.validate.small_views import guest_of, record_of
from validate.boot.guest import Guest
from validate.judge import judge

KEYS = "/etc/ssh/ssh_host_ed25519_key 600 0 1000050"
PUBLIC = "ssh-ed25519 KEY root@x"
RESULT = '{"v1": {"datasource": "DataSourceNoCloud [seed=/dev/vdb]", "errors": []}}'
SUDO = "(ALL) NOPASSWD: ALL"
USER = {"kind": "guest_user", "name": "cloud-user"}
GROWN = {"kind": "guest_root_grown", "slack_bytes": 16 << 20}
AT_THE_END = f"{706 << 11} {(14 * 1024 - 707) << 11}"
"""Of a root in the last partition of a disk of 14 GiB, behind 706 MiB of others, in sectors."""
GOOD_USER = ["cloud-user", SUDO, "ssh-ed25519 AAAA me"]

# (check, what a good guest answers, what a bad one answers, how else the bad one differs, a word)
CASES: list[tuple[dict[str, Any], list[str], list[str], dict[str, Any], str]] = [
    ({"kind": "guest_command", "run": "x", "empty": True}, [""], ["a.service"], {}, "a.service"),
    ({"kind": "guest_command", "run": "x", "matches": ["^on$"]}, ["a\non"], ["online"], {}, "onl"),
    (GROWN, [f"1B-blocks Type\n{13 << 30} xfs", AT_THE_END, "part\ndisk", ""],
     [f"1B-blocks Type\n{9 << 30} xfs", AT_THE_END, "part\ndisk", "no tool"], {}, "no tool"),
    (GROWN, [f"{13 << 30} ext4", AT_THE_END, "part\ndisk", ""],
     [f"{9 << 30} ext4", f"{706 << 11} {9 << 21}", "part\ndisk", "no space"], {}, "no space"),
    (GROWN, [f"{14 << 30} xfs", f"0 {14 << 21}", "disk", ""], ["df: no", "", "", ""], {}, "df"),
    (GROWN, [f"{14 << 30} xfs", f"0 {14 << 21}", "disk", ""],
     [f"{14 << 30} xfs", "cat: size: no such file", "", ""], {}, "no such file"),
    ({"kind": "guest_host_keys_new"}, [KEYS, PUBLIC],
     [KEYS.replace("1000050", "900000"), PUBLIC], {}, "older"),
    ({"kind": "guest_host_keys_new"}, [KEYS, PUBLIC],
     [KEYS.replace("600", "644"), PUBLIC], {}, "mode 644"),
    ({"kind": "guest_host_keys_new"}, [KEYS, PUBLIC], [KEYS, "ssh-ed25519 OTHER"], {}, "no file"),
    ({"kind": "guest_host_keys_new"}, [KEYS, PUBLIC], [KEYS, PUBLIC],
     {"console_keys": ["ssh-ed25519 OTHER"]}, "console"),
    ({"kind": "guest_host_keys_new"}, [KEYS, PUBLIC], ["", PUBLIC], {}, "no host keys"),
    (USER, GOOD_USER, GOOD_USER, {"as_root": False}, "may not use sudo"),
    (USER, GOOD_USER, GOOD_USER, {"user": "centos"}, "centos came in"),
    (USER, GOOD_USER, ["cloud-user", "(ALL) ALL", GOOD_USER[2]], {}, "NOPASSWD"),
    (USER, GOOD_USER, ["cloud-user", SUDO, "ssh-ed25519 BBBB"], {}, "injected key"),
    ({"kind": "guest_password_refused"}, [], [],
     {"ways_in": {"root": ["publickey", "keyboard-interactive"]}}, "root is offered"),
    ({"kind": "guest_password_refused"}, [], [], {"ways_in": {"root": ["none"]}}, "none"),
    ({"kind": "guest_cloud_init_done"}, ["status: done", RESULT],
     ["status: error", RESULT], {}, "status: error"),
    ({"kind": "guest_cloud_init_done"}, ["status: done", RESULT],
     ["status: done", RESULT.replace("[]", '["boom"]')], {}, "boom"),
    ({"kind": "guest_cloud_init_done"}, ["status: done", RESULT],
     ["status: done", RESULT.replace("NoCloud", "None")], {}, "came from"),
    ({"kind": "guest_cloud_init_done"}, ["status: done", RESULT],
     ["status: done", "{}"], {}, "no result.json"),
    ({"kind": "guest_hostname"}, ["ccis-1.example"], ["localhost"], {}, "localhost"),
    ({"kind": "guest_packages"}, ["a-1-1.noarch\ngpg-pubkey-1-1"], ["b-1-1.noarch"], {},
     "not installed: a-1-1.noarch"),
    ({"kind": "guest_machine_id"}, ["0123456789abcdef" * 2], ["0" * 32], {}, "000"),
    ({"kind": "guest_machine_id"}, ["0123456789abcdef" * 2], ["uninitialized"], {}, "uninit"),
    ({"kind": "guest_firmware"}, ["bios"], ["uefi"], {}, "uefi"),
    ({"kind": "guest_power_button"}, [], [], {"shut_down": False}, "still running"),
]


def rule(check: dict[str, Any]) -> Rule:
    return Rule.model_validate({"id": "a.b", "title": "t", "rationale": "r", "check": check})


@pytest.mark.parametrize(
    ("check", "good", "bad", "more", "evidence"), CASES,
    ids=lambda value: str(value["kind"]) if isinstance(value, dict) and "kind" in value else "")
def test_a_good_guest_passes_and_a_bad_one_fails(
    check: dict[str, Any], good: list[str], bad: list[str], more: dict[str, Any], evidence: str,
) -> None:
    one = rule(check)
    record = record_of("a")
    passed = judge(one, guest_of(one.check, good, record=record, shut_down=True))
    assert passed.status == "passed", passed.found
    failed = judge(one, guest_of(one.check, bad, **{"record": record, "shut_down": True, **more}))
    assert failed.status == "failed", failed.found
    assert evidence in failed.found


def test_every_boot_kind_has_a_case() -> None:
    boot = {name for name, kind in KINDS.items() if kind.tier == "boot"}
    assert {check["kind"] for check, *_ in CASES} == boot


def test_a_root_on_volumes_need_not_grow() -> None:
    one = rule(GROWN)
    answers = [f"{9 << 30} xfs", f"0 {9 << 21}", "lvm\ncrypt\npart\ndisk", ""]
    said = judge(one, guest_of(one.check, answers))
    assert (said.status, "lvm, crypt" in said.found) == ("not-applicable", True)


def test_a_guest_that_did_not_answer_is_unknown() -> None:
    one = rule({"kind": "guest_command", "run": "x", "empty": True})
    guest: Guest = guest_of(rule({"kind": "guest_power_button"}).check, [])
    assert judge(one, guest).status == "unknown"


def test_a_command_that_fails_does_not_pass_for_saying_nothing() -> None:
    from validate.boot.guest import Answer

    one = rule({"kind": "guest_command", "run": "x", "empty": True})
    guest = guest_of(one.check, [""])
    guest.answers = {"x": Answer("", 1)}
    assert judge(one, guest).status == "failed"
