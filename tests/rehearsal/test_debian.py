"""Debian's index: relations, alternatives, and the closure of what packages need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.errors import InputError
from rehearsal.debian import DebianPackage, Index, choose, closure, parse_index, parse_relations

STANZAS = """\
Package: bash
Version: 5.2.15-2+b13
Architecture: amd64
Pre-Depends: libc6 (>= 2.36), libtinfo6 (>= 6)
Depends: base-files (>= 2.1.12), debianutils (>= 5.6-0.1)
Filename: pool/main/b/bash/bash_5.2.15-2+b13_amd64.deb
Size: 1491000
SHA256: abc
Description: GNU Bourne Again SHell
 more of it, which is not wanted

Package: mawk
Version: 1.3
Architecture: amd64
Provides: awk (= 1), posix-awk
Filename: pool/m.deb
"""


def package(name: str, *depends: str, provides: tuple[str, ...] = ()) -> DebianPackage:
    return DebianPackage(name, "1", "all", "", 0, depends=tuple((one,) for one in depends),
                         provides=provides)


def index(*packages: DebianPackage) -> Index:
    return Index({one.name: one for one in packages})


def test_a_stanza_is_read_without_its_continued_lines() -> None:
    bash = parse_index(STANZAS)["bash"]
    assert bash.version == "5.2.15-2+b13"
    assert bash.summary == "GNU Bourne Again SHell"
    assert bash.pre_depends == (("libc6",), ("libtinfo6",))
    assert parse_index(STANZAS)["mawk"].provides == ("awk", "posix-awk")


@pytest.mark.parametrize(("text", "groups"), [
    ("", ()),
    ("a", (("a",),)),
    ("a (>= 1), b | c (<< 2)", (("a",), ("b", "c"))),
    ("python3:any (>= 3.9~)", (("python3",),)),
    ("a [amd64], b <!nocheck>", (("a",), ("b",))),
])
def test_relations_are_groups_of_names(text: str, groups: tuple[tuple[str, ...], ...]) -> None:
    assert parse_relations(text) == groups


def test_the_first_alternative_that_exists_is_taken() -> None:
    assert choose(["gone", "there"], index(package("there")), (), {}) == "there"


def test_a_dropped_alternative_drops_the_whole_group() -> None:
    known = index(package("debconf"), package("cdebconf"))
    assert choose(["debconf", "cdebconf"], known, ["debconf"], {}) is None


def test_a_virtual_package_means_its_provider_or_the_preferred_one() -> None:
    known = index(package("mawk", provides=("awk",)), package("gawk", provides=("awk",)))
    assert choose(["awk"], known, (), {}) == "mawk"
    assert choose(["awk"], known, (), {"awk": "gawk"}) == "gawk"
    assert choose(["awk"], known, ("mawk", "gawk"), {}) is None


def test_an_unknown_dependency_is_an_error_that_names_it() -> None:
    with pytest.raises(InputError, match="nowhere"):
        closure(["a"], index(package("a", "nowhere")), (), {})


@given(st.dictionaries(
    st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), max_size=4), min_size=1,
))
def test_a_closure_holds_the_dependencies_of_all_it_holds(graph: dict[str, list[str]]) -> None:
    names = set(graph) | {one for many in graph.values() for one in many}
    known = index(*(package(name, *graph.get(name, [])) for name in names))
    root = min(graph)
    found = closure([root], known, (), {})
    assert root in found
    for name, depends in found.items():
        assert set(depends) == set(graph.get(name, [])) - {name}
        assert set(depends) <= set(found)
