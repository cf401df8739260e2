"""What the pages say of commands, files and code is so; what they have run, tests/system/test_quickstart.py runs."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

from docs.generate import command_line, task_file
from fluvial.wire.task_file import TaskFile
from governance.promotion.life import picture
from tests.unit.docs.blocks import CHECKOUT, PAGES, blocks

OF_EXTRAS = {"lightning", "transformers", "peft"}


@pytest.fixture(scope="module")
def root() -> typer.main.TyperGroup:
    found = command_line()
    assert isinstance(found, typer.main.TyperGroup)
    return found


def invocations(page: Path) -> list[list[str]]:
    """The words behind `fluvial` of every invocation in the page's shell blocks."""
    lines = [
        line.partition("#")[0]
        for block in [*blocks(page, "bash"), *blocks(page, "bash run")]
        for line in block.replace("\\\n", " ").replace("STAGE…", "audit").splitlines()
    ]
    commands = [each for line in lines for each in re.findall(r"(?<![.\w/-])fluvial [a-z][^|&;)>]*", line)]
    return [shlex.split(command)[1:] for command in commands]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_verbs_and_options_exist(page: Path, root: typer.main.TyperGroup) -> None:
    for words in invocations(page):
        if "install" in words:
            continue
        command = root
        while hasattr(command, "commands"):
            assert words[0] in command.commands, words
            command = command.commands[words.pop(0)]
        known = {name for param in command.params for name in [*param.opts, *param.secondary_opts]}
        assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known, words


def test_every_field_of_a_task_file_says_what_it_means() -> None:
    rows = [line for line in task_file().splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    assert [row for row in rows if row.endswith("|  |")] == []


def test_pages_have_commands() -> None:
    assert sum(len(invocations(page)) for page in PAGES) > 20


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_is_of_this_language_and_of_this_library(page: Path) -> None:
    """Names that are imported exist; what is called is not tried. Blocks that need what only `make extras` installs are
    run by tests/extras."""
    for block in blocks(page, "python"):
        compile(block, str(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        imports = [line for line in block.splitlines() if line.startswith(("import ", "from fluvial"))]
        try:
            exec("\n".join(imports), {})
        except ModuleNotFoundError as error:
            if error.name not in OF_EXTRAS:
                raise


def test_terms_of_the_pages_are_those_of_task_files() -> None:
    schema = TaskFile.model_json_schema()
    sections = [
        name for block in blocks(CHECKOUT / "docs" / "tasks.md", "yaml") for name in re.findall(r"^(\w+):", block, re.M)
    ]
    assert sections
    assert set(sections) <= schema["properties"].keys()


def test_the_picture_of_a_variants_life_is_drawn_from_the_table_that_decides() -> None:
    (drawn,) = blocks(CHECKOUT / "docs" / "acceleration.md", "mermaid")
    assert drawn == picture()


OUR_OWN_VARIABLES = {
    "FLUVIAL_CLUSTER",
    "FLUVIAL_COMPLETE",
    "FLUVIAL_JOB_START",
    "FLUVIAL_ONE_JOB",
    "FLUVIAL_WRITE_CLASS_ARCHIVES",
}
"""What processes of ours, and a shell that completes a line, tell each other; nobody else sets them."""


def test_every_variable_that_is_read_is_explained_and_no_other() -> None:
    packages = ("fluvial", "pipelines", "deploy", "governance", "models", "schemas")
    sources = (path.read_text() for package in packages for path in (CHECKOUT / package).rglob("*.py"))
    read = {name for source in sources for name in re.findall(r"FLUVIAL_[A-Z_]+", source)}
    table = (CHECKOUT / "docs" / "operating.md").read_text()
    assert set(re.findall(r"^\| `(FLUVIAL_[A-Z_]+)`", table, re.MULTILINE)) == read - OUR_OWN_VARIABLES
