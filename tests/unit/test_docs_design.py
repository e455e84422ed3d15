"""docs/design.md is what code and tests cite: every "design section 6.1" and "invariant I4" has a heading there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.paths import ROOT

PAGE = (ROOT / "docs" / "design.md").read_text()
NUMBERED = set(re.findall(r"^#+ (\d+(?:\.\d+)*)\.? ", PAGE, re.M))
INVARIANTS = set(re.findall(r"^#+ (I\d+) ", PAGE, re.M))

_SECTIONS = re.compile(
    r"\bdesign\s+(?:#\s*)?sections?\s+([\d.]+(?:(?:,|\s+and|\s+to|,\s+and)\s+(?:sections?\s+)?[\d.]+)*)"
)
_INVARIANT = re.compile(r"\bI\d\b")

SOURCES = sorted(
    path
    for folder in ("operator", "tests", "docs", "charts")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".md", ".yaml") and path.name != "design.md"
)


def sections_cited(text: str) -> set[str]:
    """The numbers of all sections that a text cites, such as "design sections 4 and 6.2"."""
    joined = re.sub(r"\n\s*(?:#\s*)?", " ", text)
    cited = (re.findall(r"\d+(?:\.\d+)*", found) for found in _SECTIONS.findall(joined))
    return {number for numbers in cited for number in numbers}


def citations() -> Iterator[tuple[Path, str]]:
    for path in SOURCES:
        text = path.read_text()
        yield from ((path, number) for number in sections_cited(text))
        yield from ((path, name) for name in _INVARIANT.findall(text))


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("the contract (design section 6.1). Raised", {"6.1"}),
        ("(design sections 4 and 6.2)", {"4", "6.2"}),
        ("design sections 1, 3 and section 4.", {"1", "3", "4"}),
        ("# as in design\n    # section 6.1, where", {"6.1"}),
        ("a section of the design", set()),
    ],
)
def test_citations_are_found_in_every_notation(text: str, cited: set[str]) -> None:
    assert sections_cited(text) == cited


def test_the_page_is_cited() -> None:
    cited = {number for _, number in citations()}
    assert cited >= {"3", "4", "6.1", "6.2", "I1", "I4", "I7"}


def test_every_citation_has_a_heading() -> None:
    assert [
        f"{path.relative_to(ROOT)}: {number}" for path, number in citations() if number not in NUMBERED | INVARIANTS
    ] == []


def test_its_map_names_existing_modules() -> None:
    named = set(re.findall(r"`((?:control|worker|api)/\w+\.py)`", PAGE))
    assert named
    assert [module for module in sorted(named) if not (ROOT / "operator" / "tidegate" / module).exists()] == []
