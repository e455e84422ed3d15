"""What all pages have in common: links lead somewhere, and make knows what they tell to make."""

import re
from pathlib import Path

import pytest

from devcluster.paths import ROOT
from documentation.pages import Page
from tidegate.cli.main import sync

ELSEWHERE = (
    *("README.md", "tests/README.md", "examples/README.md", "charts/tidegate/README.md"),
    *(".github/CONTRIBUTING.md", ".github/SECURITY.md"),
)
PAGES = [*ELSEWHERE, *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]


def anchors(text: str) -> set[str]:
    """What GitHub makes of headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_have_targets(name: str) -> None:
    page = Page.read(name)
    for target in re.findall(r"\]\(([^)\s]+)\)", page.sentences()):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        assert path.exists(), f"{name} links to {target}"
        assert not anchor or anchor in anchors(path.read_text()), f"{name} links to {target}"


@pytest.mark.parametrize("name", PAGES)
def test_make_has_the_named_targets(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in (command.text for command in Page.read(name).commands()):
        if command.startswith("make "):
            assert f"\n{command.split()[1]}: " in makefile


@pytest.mark.parametrize("name", PAGES)
def test_kubectl_sync_has_the_named_commands(name: str) -> None:
    spoken_of = re.findall(r"`kubectl sync ([a-z-]+)", Page.read(name).sentences())
    assert [command for command in spoken_of if command not in sync.commands] == []


def test_every_page_is_linked_from_the_readme() -> None:
    found, left = set(), [Path("README.md")]
    while left:
        page = left.pop()
        if page in found:
            continue
        found.add(page)
        links = re.findall(r"\]\(([^)\s#]+\.md)[^)]*\)", (ROOT / page).read_text())
        left += [(ROOT / page.parent / link).resolve().relative_to(ROOT) for link in links]
    assert {str(page) for page in found} >= set(PAGES)
