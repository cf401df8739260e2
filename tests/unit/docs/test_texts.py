"""What the texts point at is there: files and folders of the checkout, headings, decisions by their number."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.docs.blocks import CHECKOUT, PAGES

ARCHITECTURE, DECISIONS = CHECKOUT / "ARCHITECTURE.md", CHECKOUT / "docs" / "decisions.md"
TEXTS = [*PAGES, *(CHECKOUT / f"{name}.md" for name in ("ARCHITECTURE", "CONTRIBUTING", "SECURITY"))]
FOLDERS = "deploy|docs|fluvial|governance|models|pipelines|requirements|schemas|tests"


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_places_in_the_checkout_exist(text: Path) -> None:
    named = re.findall(rf"`((?:{FOLDERS})/[\w./-]*)`", text.read_text())
    missing = {place for place in named if "NAME" not in place and not _is_there(CHECKOUT / place.rstrip("/"))}
    assert missing == set()


def _is_there(place: Path) -> bool:
    return place.exists() or place.with_name(f"{place.name}.py").exists()


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_links_lead_to_files_and_headings(text: Path) -> None:
    for target, heading in re.findall(r"\]\(([^)#\s]*)(?:#([^)]+))?\)", text.read_text()):
        if target.startswith("http"):
            continue
        page = text.parent / target if target else text
        assert page.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
            assert heading in {re.sub(r"[^\w\s-]", "", each.lower()).replace(" ", "-") for each in headings}, heading


def test_each_decision_has_its_number_and_its_place_in_the_table_by_theme() -> None:
    numbers = [int(number) for number in re.findall(r"^ *(\d+)\. \*\*", DECISIONS.read_text(), re.M)]
    assert numbers == list(range(1, len(numbers) + 1))
    rows = ARCHITECTURE.read_text().partition("## Decisions\n")[2].partition("\n## ")[0]
    assert sorted(int(number) for number in re.findall(r"\b\d+\b", rows)) == numbers


def test_decisions_that_are_named_by_number_were_made() -> None:
    last = max(int(number) for number in re.findall(r"^ *(\d+)\. \*\*", DECISIONS.read_text(), re.M))
    sources = [
        path
        for folder in ("fluvial", "governance", "models", "pipelines")
        for path in (CHECKOUT / folder).rglob("*.py")
    ]
    named = [
        int(number)
        for text in [*TEXTS, *sources]
        for numbers in re.findall(r"\b[Dd]ecisions? (\d+(?:, \d+)*)\b", text.read_text())
        for number in numbers.split(", ")
    ]
    assert named
    assert max(named) <= last
