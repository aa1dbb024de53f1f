"""Path patterns: the same answer in a listing and in a folder, and never out of the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.beneath.root import Root
from specs.globs import compiled, find

CASES = [
    ("/etc/machine-id", ["/etc/machine-id"], ["/etc/machine-id2", "/x/etc/machine-id"]),
    ("/tmp/*", ["/tmp/a", "/tmp/.hidden"], ["/tmp", "/tmp/a/b", "/tmpx"]),
    ("/var/log/**", ["/var/log/a", "/var/log/a/b"], ["/var/log", "/var/logs/a"]),
    ("/var/log/**/*.log", ["/var/log/a.log", "/var/log/a/b/c.log"], ["/var/log/a.log.1"]),
    ("/etc/ssh/ssh_host_*", ["/etc/ssh/ssh_host_rsa_key"], ["/etc/ssh/x/ssh_host_rsa_key"]),
    ("/boot/vmlinuz-?", ["/boot/vmlinuz-6"], ["/boot/vmlinuz-", "/boot/vmlinuz-66"]),
    ("/a[0-9]", ["/a1"], ["/ab", "/a"]),
    ("/a[!0-9]", ["/ab"], ["/a1", "/a/"]),
    ("/a.c", ["/a.c"], ["/abc"]),
]


@pytest.mark.parametrize(("pattern", "yes", "no"), CASES)
def test_what_a_pattern_matches(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [path for path in yes if not compiled(pattern).match(path)] == []
    assert [path for path in no if compiled(pattern).match(path)] == []


@pytest.mark.parametrize(("pattern", "yes", "no"), CASES)
def test_a_folder_gives_the_same_answer(
    tmp_path: Path, pattern: str, yes: list[str], no: list[str],
) -> None:
    for path in [*yes, *no]:
        place = tmp_path / path.strip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.mkdir() if any(other.startswith(path + "/") for other in yes + no) \
                else place.write_text("")
    found = set(find(Root(tmp_path), pattern))
    assert set(yes) <= found
    assert not found & set(no)


def test_a_name_with_a_line_break_is_still_found(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "a\nb").write_text("")
    assert find(Root(tmp_path), "/tmp/*") == ["/tmp/a\nb"]


@pytest.mark.parametrize("pattern", ["/tmp/*", "/tmp/secret", "/tmp/**", "/*/secret"])
def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, pattern: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("")
    root = tmp_path / "root"
    root.mkdir()
    (root / "tmp").symlink_to(outside)
    assert find(Root(root), pattern) == []


def test_a_link_itself_is_found_dangling_or_not(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to("/nowhere")
    assert find(Root(tmp_path), "/gone") == ["/gone"]
    assert find(Root(tmp_path), "/g*") == ["/gone"]


@pytest.mark.parametrize("pattern", ["/a[b", "/a**", "/**b/c"])
def test_a_bad_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"without|\*\*"):
        compiled(pattern)
