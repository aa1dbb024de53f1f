"""Disks in containers, headers changed at random: judged in time, and nothing else is opened.

Those of qcow2 and raw are in test_security_artefact_formats.py, those of trees in …_trees.py.
"""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from host.errors import InputError
from tests.security.watched import nobody_opens
from tests.validate.test_validate_packed import CASES, SIZE, google, ova, packed
from validate.packed import as_raw, kind_of

SLACK_BYTES = 64 << 20
"""More than the disk that a changed header may make us write; it says gigabytes at will."""
FEW, MANY = range(12), range(200)


def changed(good: bytes, number: int, secret: Path) -> bytes:
    """Change some bytes where headers, tables and footers are; the same number gives the same."""
    chance = random.Random(number)
    whole = bytearray(good)
    places = [(0, 1024), (0, 1024), (0, 64), (len(whole) - 1024, 1024),
              *((at, 4096) for at in range(65536, min(len(whole), 400_000), 65536))]
    for _ in range(chance.randint(1, 8)):
        start, width = chance.choice(places)
        at = min(max(start + chance.randrange(width), 0), len(whole) - 1)
        if chance.random() < 0.1:
            name = str(secret).encode()
            whole[at:at + len(name)] = name[:max(len(whole) - at, 0)]
        else:
            whole[at] = chance.choice([0, 1, 127, 255, chance.randrange(256)])
    if chance.random() < 0.2:
        del whole[chance.randrange(len(whole)):]
    return bytes(whole)


@pytest.mark.parametrize("numbers", [
    pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.full)])
@pytest.mark.parametrize(("name", "options"), [
    *CASES, ("x.ova", None), ("google.tar.gz", None)])
def test_mutated_containers_are_judged_in_time_and_open_nothing(
    tmp_path: Path, name: str, options: str | None, numbers: range,
) -> None:
    disk, secret = tmp_path / "source", tmp_path / "secret"
    secret.write_bytes(b"of the host " * 1000)
    disk.write_bytes(random.Random(1).randbytes(1 << 20) + bytes(SIZE - (1 << 20)))
    makers = {"x.ova": ova, "google.tar.gz": google}
    path = makers[name](disk) if name in makers else packed(disk, name, options)
    kind = kind_of(path, None) or "gce"
    good, outcomes = path.read_bytes(), set()
    with nobody_opens(secret):
        for number in numbers:
            path.write_bytes(changed(good, number, secret))
            begun = time.monotonic()
            try:
                with as_raw(path, kind) as found:
                    outcomes.add("read")
                    assert found.raw.stat().st_blocks * 512 <= SIZE + SLACK_BYTES, number
            except InputError as error:
                outcomes.add("bad input")
                assert error.where, number
            assert time.monotonic() - begun < 60, number
    assert "bad input" in outcomes
    assert subprocess.run(["pgrep", "-f", str(tmp_path)], check=False).returncode == 1
