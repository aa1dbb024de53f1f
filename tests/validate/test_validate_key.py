"""Key files: what cryptsetup and a person at the console take out of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.errors import InputError
from validate.key import read


def key_of(folder: Path, content: bytes) -> Path:
    path = folder / "key"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("content", "candidates"), [
    (b"secret", [b"secret"]),
    (b"secret\n", [b"secret\n", b"secret"]),
    (b"\0\xff\n\n", [b"\0\xff\n\n", b"\0\xff\n"]),
])
def test_cryptsetup_takes_every_byte_and_then_all_but_the_last_newline(
    tmp_path: Path, content: bytes, candidates: list[bytes],
) -> None:
    assert read(key_of(tmp_path, content)).candidates == candidates


def test_a_person_types_it_without_the_newline(tmp_path: Path) -> None:
    assert read(key_of(tmp_path, "pässword 1\n".encode())).typed == "pässword 1".encode()


@pytest.mark.parametrize("content", [b"a\0b", b"two\nlines\n", b"\x1b[A", b"x" * 600])
def test_what_nobody_can_type_is_an_input_error(tmp_path: Path, content: bytes) -> None:
    path = key_of(tmp_path, content)
    with pytest.raises(InputError, match="can't be typed") as caught:
        assert read(path).typed
    assert caught.value.where == str(path)


@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty"), (b"\n", "is empty"), (bytes(3 << 20), "more than"), (None, "no such key"),
])
def test_what_is_no_key_is_an_input_error(
    tmp_path: Path, content: bytes | None, message: str,
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(path)


def test_a_key_is_not_shown_by_its_own_repr(tmp_path: Path) -> None:
    assert "secret" not in repr(read(key_of(tmp_path, b"secret")))
