"""/etc/default/grub, which people and their scripts edit: byte for byte as Anaconda writes it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from builder.booting.bootloader import write_settings
from builder.kickstart.read import read
from builder.tree.tree import Tree
from tests.builder.kickstart.lines import small_tree
from tests.builder.kickstart.storage_lines import planned


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return small_tree(tmp_path)


def settings(tree: Tree, line: str) -> str:
    """Return the file that a `bootloader` line leads to."""
    path = tree.root.parent / "boot.ks"
    path.write_text(f"{line}\n")
    write_settings(tree, read(path, "RHEL10"), planned(tree.root.parent, "part / --size=1000"))
    return tree.read("/etc/default/grub")


def arguments(tree: Tree, line: str) -> str:
    """Return the line of the kernel's arguments."""
    return next(each for each in settings(tree, line).splitlines()
                if each.startswith("GRUB_CMDLINE_LINUX="))


def test_the_whole_file(tree: Tree) -> None:
    # pyanaconda/modules/storage/bootloader/grub2.py, write_defaults
    assert settings(tree, 'bootloader --timeout=13 --append="quiet net.ifnames=0"') == """\
GRUB_TIMEOUT=13
GRUB_DISTRIBUTOR="$(sed 's, release .*$,,g' /etc/system-release)"
GRUB_DEFAULT=saved
GRUB_DISABLE_SUBMENU=true
GRUB_TERMINAL_OUTPUT="console"
GRUB_CMDLINE_LINUX="quiet net.ifnames=0"
GRUB_DISABLE_RECOVERY="true"
GRUB_ENABLE_BLSCFG=true
"""


@pytest.mark.parametrize(("line", "written"), [
    ("bootloader", 'GRUB_CMDLINE_LINUX=""'),
    ("bootloader --append=quiet", 'GRUB_CMDLINE_LINUX="quiet"'),
    # A boot loader with a password gives nobody a shell of dracut (grub2.py, write_config).
    ("bootloader --append=quiet --iscrypted --password=grub.pbkdf2.12345",
     'GRUB_CMDLINE_LINUX="quiet rd.shell=0"'),
    # What would end the quotes is escaped, so that GRUB's scripts read what was meant.
    ("""bootloader --append='dyndbg="file a.c +p" cost=$5'""",
     r'GRUB_CMDLINE_LINUX="dyndbg=\\"file a.c +p\\" cost=\\$5"'.replace("\\\\", "\\")),
])
def test_arguments_are_in_double_quotes(tree: Tree, line: str, written: str) -> None:
    assert arguments(tree, line) == written


@pytest.mark.parametrize("line", ["bootloader", "bootloader --append=quiet",
                                  'bootloader --append="quiet splash"'])
def test_a_script_may_put_an_argument_behind_the_first_quote(tree: Tree, line: str) -> None:
    before = arguments(tree, line)
    subprocess.run(["sed", "-i", 's/^GRUB_CMDLINE_LINUX="/&x=1 /',
                    tree.root / "etc/default/grub"], check=True)
    after = re.search(r'(?m)^GRUB_CMDLINE_LINUX="(.*)"$', tree.read("/etc/default/grub"))
    assert after and after[1] == "x=1 " + before.partition('"')[2].rstrip('"')
