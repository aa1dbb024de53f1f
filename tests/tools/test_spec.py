"""packaging/ccis.spec asks for what setup.cfg and tools/packages.centos.txt ask for."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
SPEC = (CHECKOUT / "packaging/ccis.spec").read_text()
SETUP = configparser.ConfigParser()
SETUP.read(CHECKOUT / "setup.cfg")


def asked_for(*tags: str) -> set[str]:
    """Return what the spec's lines with a tag say, with versions."""
    return {found for tag in tags for found in re.findall(rf"^{tag}:\s+(.*)$", SPEC, re.MULTILINE)}


def listed() -> set[str]:
    """Return CentOS's packages of tools/packages.centos.txt, without those for tests."""
    text = (CHECKOUT / "tools/packages.centos.txt").read_text().partition("\n# Tests of")[0]
    return {name for line in text.splitlines() if (name := line.partition("#")[0].strip())}


def test_versions_are_those_of_setup_cfg() -> None:
    assert asked_for("Version") == {SETUP["metadata"]["version"]}
    assert asked_for("License") == {SETUP["metadata"]["license"]}
    assert f"> - {SETUP['metadata']['version']}-1\n" in SPEC.partition("%changelog")[2]


def test_python_s_packages_are_those_of_setup_cfg() -> None:
    wanted = {f"python3dist({name.lower()}) >= {version}" for name, version in re.findall(
        r"^(\S+) >= (\S+)$", SETUP["options"]["install_requires"], re.MULTILINE)}
    assert len(wanted) == len(SETUP["options"]["install_requires"].split("\n")) - 1
    assert {line for line in asked_for("Requires") if line.startswith("python3dist")} == wanted
    assert f"python3 {SETUP['options']['python_requires'].replace('>=', '>= ')}" in asked_for(
        "Requires") & asked_for("BuildRequires")


def test_programs_are_those_that_set_up_installs() -> None:
    """pip is for a checkout; cryptography is asked for by its Python name."""
    names = {line for line in asked_for("Requires", "Recommends") if " " not in line}
    assert names == listed() - {"python3", "python3-pip", "python3-cryptography"}
