"""Every command line that a page shows is taken by the command line's own parser, arguments and values included; every
program, target and module that it names is there."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer._click.exceptions import MissingParameter, NoArgsIsHelpError, UsageError

from docs.generate import command_line
from tests.unit.docs.blocks import CHECKOUT

PAGES = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "deploy/**/*.md", "schemas/*.md", "tests/**/*.md")
    for page in CHECKOUT.glob(pattern)
    if page.name not in ("CHANGELOG.md", "commands.md") and "node_modules" not in page.parts
)
VALUES = {"$index": "0", "STAGE…": "audit", "SEQUENCE": "7", "VERSION": "3", "[ROUND]": "1"}
"""Instead of variables and placeholders, where their place does not take any word."""

Words = list[str]


@pytest.fixture(scope="module")
def root() -> typer.main.TyperGroup:
    found = command_line()
    assert isinstance(found, typer.main.TyperGroup)
    return found


def block_lines(text: str) -> Iterator[str]:
    """Lines of the page's blocks of commands, without comments."""
    blocks = re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.M | re.S)
    fenced = [content for info, content in blocks if info in ("", "bash", "bash run")]
    for line in "\n".join(fenced).replace("\\\n", " ").splitlines():
        yield re.sub(r"\s#.*", "", line)


def spans(text: str) -> list[str]:
    """What stands between backticks in the page's text."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]


def invocations(lines: list[str]) -> list[Words]:
    """The words behind `fluvial` of every invocation."""
    found = [each for line in lines for each in re.findall(r"(?<![.\w/\[-])fluvial( [a-z][^|&;)>`]*)", line)]
    return [[VALUES.get(word, word) for word in shlex.split(each)] for each in found if "pip install" not in each]


def parse(root: typer.main.TyperGroup, words: Words) -> None:
    """As the command line would, up to its running. Raises UsageError."""
    context = root.make_context("fluvial", list(words))
    command = root
    while isinstance(command, typer.core.TyperGroup):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])  # type: ignore[assignment]
        context = command.make_context(name, rest, parent=context)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the checkout's files, where those that pages tell their reader to write can be made."""
    for name in ("deploy", "models", "docs"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_the_parser_takes_every_command(page: Path, root: typer.main.TyperGroup, elsewhere: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for words in invocations(list(block_lines(text))):
        for word in words:
            if re.fullmatch(r"[\w./-]+\.[a-z]+", word) and not word.startswith("-") and not Path(word).exists():
                Path(word).parent.mkdir(parents=True, exist_ok=True)
                Path(word).touch()
        try:
            parse(root, words)
        except UsageError as error:
            pytest.fail(f"{page.name}: fluvial {shlex.join(words)}: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_a_command_that_is_named_in_passing_exists(page: Path, root: typer.main.TyperGroup, elsewhere: Path) -> None:
    """Its arguments may be left out there."""
    for words in invocations(
        [each for each in spans(page.read_text(encoding="utf-8")) if re.match(r"fluvial [a-z][^\\\\\[]*$", each)]
    ):
        try:
            parse(root, words)
        except (MissingParameter, NoArgsIsHelpError):
            pass
        except UsageError as error:
            if not any(said in error.format_message() for said in ("does not exist", "requires an argument")):
                pytest.fail(f"{page.name}: `fluvial {shlex.join(words)}`: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_targets_and_modules_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    lines = [*block_lines(text), *spans(text)]
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.M))
    for line in lines:
        if found := re.match(r"make ([a-z-]+)", line):
            assert found[1] in targets, line
        for module in re.findall(r"python -m ((?:docs|schemas|pipelines|models|deploy|tests|fluvial)[\w.]*)", line):
            assert importlib.util.find_spec(module), line


def test_most_commands_are_shown_somewhere(root: typer.main.TyperGroup) -> None:
    shown = {words[0] for page in PAGES for words in invocations(list(block_lines(page.read_text(encoding="utf-8"))))}
    assert len(shown) > 12, shown
