"""Reading kickstarts: what comes out, and where an error points."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.kickstart import registry
from builder.kickstart.read import GroupRequest, read
from host.errors import InputError
from images import catalogue


def write(folder: Path, text: str, name: str = "test.ks") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_every_command_of_our_own_kickstarts_is_honoured() -> None:
    for name in catalogue.image_names():
        kickstart = catalogue.kickstart_of(catalogue.image(name))
        for dialect in ("RHEL9", "RHEL10"):
            registry.check(read(kickstart, dialect))


def test_packages_core_is_implied_unless_excluded(tmp_path: Path) -> None:
    implied = read(write(tmp_path, "%packages\nvim\n%end\n"), "RHEL10").packages
    assert implied.groups == (GroupRequest("core"),)
    without = read(write(tmp_path, "%packages --nocore\nvim\n%end\n"), "RHEL10").packages
    assert without.groups == ()


def test_packages_options(tmp_path: Path) -> None:
    wish = read(write(tmp_path, (
        "%packages --excludedocs --inst-langs=en --exclude-weakdeps --ignoremissing\n"
        "@^minimal-environment\n@guest-agents --optional\nvim\n-linux-firmware\n-@fonts\n%end\n"
    )), "RHEL10").packages
    assert wish.environment == "minimal-environment"
    assert GroupRequest("guest-agents", ("mandatory", "default", "optional")) in wish.groups
    assert (wish.names, wish.excluded, wish.excluded_groups) == (
        ("vim",), ("linux-firmware",), ("fonts",))
    assert not wish.with_docs and not wish.with_weak and wish.ignore_missing
    assert wish.languages == "en"


def test_scripts_carry_their_options_and_place(tmp_path: Path) -> None:
    path = write(tmp_path, "text\n%post --erroronfail --log=/root/x --interpreter=/bin/bash\n"
                           "echo hello\n%end\n")
    (script,) = read(path, "RHEL10").scripts
    assert (script.kind, script.text, script.interpreter) == ("%post", "echo hello\n", "/bin/bash")
    assert script.stop_on_error and script.in_chroot and script.log == "/root/x"
    assert script.where == f"{path}:2"


def test_include_is_relative_to_the_including_file_and_keeps_places(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    part = write(tmp_path / "parts", "\nlang en_US.UTF-8\n", "lang.ks")
    main = write(tmp_path, "%include parts/lang.ks\nkeyboard us\n")
    places = {command.name: command.where for command in read(main, "RHEL10").commands}
    assert places == {"lang": f"{part}:2", "keyboard": f"{main}:2"}


@pytest.mark.parametrize(("text", "line", "says"), [
    ("text\n\nfrobnicate --now\n", 3, "Unknown command: frobnicate"),
    ("part / --sze=3\n", 1, "--sze=3"),
    ("text\n%include missing.ks\n", 2, "cannot be read"),
    ('text\nlang "en_US\n', 2, "No closing quotation"),
    ("text\n%post\necho\n", 2, "does not end with %end"),
    ("%nonsense\n%end\n", 1, "Unknown kickstart section"),
    ("timezone\n", 1, "timezone"),
])
def test_errors_name_file_and_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read(path, "RHEL10")
    assert (caught.value.where or "").startswith(f"{path}:{line}")
    assert says in str(caught.value)


def test_a_file_that_includes_itself_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, "%include test.ks\n")
    with pytest.raises(InputError, match="includes itself"):
        read(path, "RHEL10")


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.ks", "RHEL10")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from([
        "text", "%packages", "%end", "%post", "part / --size=1", "%include x", "@core", '"',
        "lang", "%addon", "user --name=", "\x00", "bootloader --append=", "url --url=x",
    ]), max_size=12).map(lambda lines: "\n".join(lines).encode()),
))
def test_broken_files_give_input_errors_and_never_anything_else(
    tmp_path: Path, content: bytes,
) -> None:
    path = tmp_path / "fuzz.ks"
    path.write_bytes(content)
    try:
        registry.check(read(path, "RHEL10"))
    except InputError as error:
        assert error.where and str(tmp_path) in error.where
