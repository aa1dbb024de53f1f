"""Signing where the key is: a small file goes there and comes back, nothing else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.ccis.test_ccis_channels import approver
from tests.ccis.test_ccis_publish_verify import cache, run
from tests.publish.conftest import IMAGES, MakeBuild, make_build

__all__ = ["approver", "cache", "make_build"]  # fixtures


def test_the_key_stays_where_it_is(
    cache: Path, tmp_path: Path, make_build: MakeBuild, approver: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, fingerprint = approver
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "no-keys-here"))

    def ccis(*words: str | Path, status: int = 0) -> str:
        done = run(cache, tmp_path, *words)
        assert done.returncode == status, done.stderr + done.stdout
        return done.stdout + done.stderr

    build = make_build(files={"raw": b"\0" * 3_000_000})
    publish = ["publish", build, "--policy", "rehearsal", "--signing", "ask.json",
               "--public-key", home / "public.asc"]
    said = ccis(*publish)
    assert f"asks {fingerprint} for 2 signatures; nothing is changed yet" in said
    assert not (tmp_path / "public" / IMAGES).exists()
    ask = tmp_path / "ask.json"
    assert ask.stat().st_size < 10_000  # digests alone
    sign = ["sign", "ask.json", "--sign-with", fingerprint, "--gnupg-home", home]
    said = ccis(*sign, "--show")
    assert f"{build.name}: production, published" in said and "0 of 2 signed" in said
    assert "2 of 2 signed" in ccis(*sign)
    signed = ask.read_text()
    # Somebody on the way puts one signature in the place of the other.
    value = json.loads(signed)
    one, two = value["signatures"]
    value["signatures"] = {one: value["signatures"][two], two: value["signatures"][one]}
    ask.write_text(json.dumps(value))
    assert "a signature that proves nothing" in ccis(*publish, status=2)
    assert not (tmp_path / "public" / IMAGES).exists()
    # Or has another text signed: what comes back does not fit, and it is asked for again.
    value = json.loads(signed)
    value["documents"][0]["text"] += " "
    value["signatures"] = {}
    ask.write_text(json.dumps(value))
    ccis(*sign)
    assert "nothing is changed yet" in ccis(*publish)
    ask.write_text(signed)
    ccis(*publish)
    said = ccis("verify", "public", "--fingerprint", fingerprint)
    assert "OK: " in said
    assert "asks" in ccis("withdraw", build.name, "--reason", "x", *publish[4:])
    assert "OK: " in ccis("verify", "public", "--fingerprint", fingerprint)


def test_a_request_to_another_key_is_not_signed(
    cache: Path, tmp_path: Path, approver: tuple[Path, str],
) -> None:
    home, fingerprint = approver
    (tmp_path / "ask.json").write_text(json.dumps({
        "at": "2026-01-01T00:00:00Z", "fingerprint": "0" * 40, "documents": []}))
    done = run(cache, tmp_path, "sign", "ask.json", "--sign-with", fingerprint, "--gnupg-home",
               home)
    assert done.returncode == 2 and "to another key" in done.stderr
