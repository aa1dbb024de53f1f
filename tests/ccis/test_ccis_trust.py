"""`ccis trust` from the outside: from the first key to a revoked one."""

from __future__ import annotations

import json
from pathlib import Path

from tests.ccis.test_ccis_publish_verify import cache, run
from tests.publish.conftest import MakeBuild, make_build

__all__ = ["cache", "make_build"]  # fixtures


def test_from_new_keys_to_a_revoked_one(
    cache: Path, tmp_path: Path, make_build: MakeBuild,
) -> None:
    def ccis(*words: str | Path, status: int = 0) -> str:
        done = run(cache, tmp_path, *words)
        assert done.returncode == status, done.stderr + done.stdout
        return done.stdout + done.stderr

    online = ["--trust-keys", "online"]
    (tmp_path / "online").mkdir()
    (tmp_path / "phrase").write_text("correct horse\n")
    phrase = ["--key-passphrase-file", "phrase"]
    for name in ("anna", "ben"):
        ccis("trust", "new-key", f"{name}.pem", *phrase)
    for name in ("old", "new"):
        ccis("trust", "new-key", f"{name}.pem")
    (tmp_path / "old.pem").rename(tmp_path / "online/old.pem")
    roles = [word for role in ("targets", "snapshot", "timestamp")
             for word in (f"--{role}-key", "old.pub")]
    ccis("trust", "init", "--root-key", "anna.pub", "--root-key", "ben.pub", "--threshold", "2",
         *roles, "--out", "root.json")
    ccis("publish", make_build("20261120.0"), "--rehearsal-key")
    ccis("trust", "sign", "root.json", "--key", "anna.pem", *phrase)
    accept = ["trust", "accept", "root.json", *online, "--rehearsal-key"]
    assert "too few of its own root keys" in ccis(*accept, status=1)
    ccis("trust", "sign", "root.json", "--key", "ben.pem", *phrase)
    ccis(*accept)
    night = make_build("20261121.0")
    assert "--trust-keys" in ccis("publish", night, "--rehearsal-key", status=2)
    ccis("publish", night, "--rehearsal-key", *online)
    assert "chain of trust: root 1" in ccis("verify", "public", "--root-key", "anna.pub")
    keyid = json.loads((tmp_path / "old.pub").read_text())["keyid"]
    (tmp_path / "new.pem").rename(tmp_path / "online/new.pem")
    added = [word for role in ("targets", "snapshot", "timestamp")
             for word in ("--add", f"{role}=new.pub")]
    ccis("trust", "rotate", *added, "--remove", keyid[:12], "--out", "next.json")
    ccis("trust", "sign", "next.json", "--key", "anna.pem", "--key", "ben.pem", *phrase)
    ccis("trust", "accept", "next.json", *online)
    (tmp_path / "online/old.pem").unlink()
    ccis("trust", "renew", *online)
    said = json.loads(run(cache, tmp_path, "verify", "public", "--root-key", "ben.pub",
                          "--json").stdout)
    assert said["ok"] and said["chain"]["root"] == 2
