"""`ccis validate --overlay`: rules of somebody else's over those of an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccis.artefacts import subject_of
from host.errors import InputError

OVERLAY = """\
name: ours
title: Our cloud's own rules
without: [identity.hostname]
waivers:
  - {rule: security.passwords, owner: me, reason: a test, expires: 2099-01-01}
rules:
  - id: ours.motd
    title: Our message is there
    rationale: People ask for it.
    check: {kind: absent, paths: [/etc/motd.d/other]}
"""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "x.raw"
    path.write_bytes(bytes(512))
    return path


def test_an_overlay_adds_drops_and_waives(image: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "ours.yaml"
    overlay.write_text(OVERLAY)
    subject = subject_of(image, None, "baseline", [overlay])
    ids = {rule.id for rule in subject.spec.rules}
    assert "ours.motd" in ids and "identity.hostname" not in ids
    assert [one.rule for one in subject.spec.waivers] == ["security.passwords"]
    assert subject.spec.name == "baseline+ours"
    assert not subject_of(image, None, None, [overlay]).is_own_spec  # no proof for `ccis publish`
    assert subject_of(image, None, None).is_own_spec


@pytest.mark.parametrize(("text", "said"), [
    ("name: x\ntitle: t\nextends: baseline\n", "so it is no overlay"),
    (OVERLAY.replace("security.passwords", "security.gone"), "waives security.gone"),
    ("name: x\ntitle: t\nrulez: []\n", "rulez"),
])
def test_an_overlay_that_is_none_is_said_with_its_place(
    image: Path, tmp_path: Path, text: str, said: str,
) -> None:
    overlay = tmp_path / "ours.yaml"
    overlay.write_text(text)
    with pytest.raises(InputError) as caught:
        subject_of(image, None, "baseline", [overlay])
    assert said in str(caught.value)
    with pytest.raises(InputError):
        subject_of(image, None, "baseline", [tmp_path / "gone.yaml"])
