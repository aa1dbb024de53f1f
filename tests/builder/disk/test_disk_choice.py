"""Which engine takes a layout, and what is said when one can't."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from builder.disk import mkfs
from builder.disk.engines import direct, guestfs
from builder.disk.engines.registry import choose
from host.errors import HostError, InputError
from tests.builder.disk.disk_trees import hybrid_layout


def test_auto_takes_direct_where_it_can() -> None:
    engine, reason = choose("auto", hybrid_layout())
    assert engine.name == "direct"
    assert "plain partitions" in reason


def test_auto_says_why_it_had_to_take_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    engine, reason = choose("auto", hybrid_layout())
    assert engine.name == "guestfs"
    assert reason == "direct is not possible: it needs root"


def test_an_engine_asked_for_that_cannot_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match=r"direct engine cannot.*needs sfdisk, which is not inst"):
        choose("direct", hybrid_layout())


def test_no_loop_device_matters_only_where_one_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    monkeypatch.setattr(direct, "CONTROL", tmp_path / "loop-control")
    assert direct.unfit(hybrid_layout("ext4")) is None
    assert "xfs needs a loop device" in (direct.unfit(hybrid_layout("xfs")) or "")


def test_an_unknown_engine_is_bad_input() -> None:
    with pytest.raises(InputError, match=r"unknown engine dirct.*auto, direct, guestfs"):
        choose("dirct", hybrid_layout())


def test_identities_name_tools_and_versions() -> None:
    assert "mke2fs" in direct.identity()["mke2fs"]
    assert {"tar", "mke2fs", "libguestfs", "lvm", "mdadm", "cryptsetup"} <= set(
        guestfs.identity())


def test_our_swap_header_is_that_of_mkswap(tmp_path: Path) -> None:
    part = next(part for part in hybrid_layout().partitions if part.fstype == "swap")
    part = part.model_copy(update={"label": "swap"})
    file = tmp_path / "swap"
    file.touch(mode=0o600)
    os.truncate(file, part.size_bytes)
    assert part.fs_uuid is not None
    subprocess.run(["mkswap", "-U", part.fs_uuid, "-L", "swap", file], check=True,
                   stdout=subprocess.DEVNULL)
    assert file.read_bytes()[:4096] == mkfs.swap_area(part)
