"""docs/spec is made from the specs: every page is there and says what the rules say."""

from __future__ import annotations

from specs.pages import DOCS, pages


def test_the_pages_are_in_step_with_the_rules() -> None:
    made = pages()
    there = {path.name for path in DOCS.glob("*.md")} - {"rejected.md"}
    assert there == set(made), "run `python -m specs.pages`"
    stale = [name for name, text in made.items()
             if (DOCS / name).read_text(encoding="utf-8") != text]
    assert stale == [], "run `python -m specs.pages`"


def test_a_page_tells_of_every_rule_that_is_its_own() -> None:
    made = pages()
    for rule in ("packages.files-intact", "boot.lasting-arguments", "running.listening"):
        assert f"`{rule}`" in made["baseline.md"]
    assert "`aws.time`" in made["targets-aws.md"]
    assert "`packages.files-intact`" not in made["targets-aws.md"]
