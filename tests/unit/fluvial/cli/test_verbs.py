"""Verbs that other projects declare."""

import sys
import types
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from fluvial.cli import verbs
from fluvial.cli.common import Exit, reported
from fluvial.cli.declared import Declared
from fluvial.wire.errors import FluvialError, VerificationError


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """An application of its own, so that a test's verbs do not stay."""
    app, group = typer.Typer(), typer.Typer()
    app.callback()(lambda: None)
    group.callback()(lambda: None)
    app.add_typer(group, name="model")
    monkeypatch.setattr(verbs, "app", app)
    monkeypatch.setattr(verbs, "_groups", {"model": group})
    return app


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("declared_by_a_test")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def entry(name: str, value: str = "declared_by_a_test:verb") -> Declared:
    return Declared(name, value)


def test_a_function_is_a_verb_at_the_top_or_in_a_group(command_line: typer.Typer, declared: types.ModuleType) -> None:
    def verb(word: str) -> None:
        """Says a word."""
        typer.echo(f"said {word}")

    declared.verb = verb  # type: ignore[attr-defined]
    verbs.mount(entry("say"))
    verbs.mount(entry("model.say"))
    verbs.mount(entry("new.say"))
    for arguments in (["say", "a"], ["model", "say", "b"], ["new", "say", "c"]):
        assert CliRunner().invoke(command_line, arguments).stdout == f"said {arguments[-1]}\n"


def test_an_application_is_a_group_that_others_can_add_to(
    command_line: typer.Typer, declared: types.ModuleType
) -> None:
    group = typer.Typer()
    group.command("one")(lambda: typer.echo("1"))
    declared.verb, declared.two = group, lambda: typer.echo("2")  # type: ignore[attr-defined]
    verbs.mount(entry("task"))
    verbs.mount(entry("task.two", "declared_by_a_test:two"))
    assert CliRunner().invoke(command_line, ["task", "one"]).stdout == "1\n"
    assert CliRunner().invoke(command_line, ["task", "two"]).stdout == "2\n"


def test_one_that_cannot_be_loaded_takes_no_other_down(command_line: typer.Typer, capsys) -> None:
    verbs.mount(entry("broken", "absent_module:verb"))
    assert "broken" in capsys.readouterr().err
    assert CliRunner().invoke(command_line, ["--help"]).exit_code == 0


def test_a_list_of_verbs_takes_their_words_from_their_sources(
    command_line: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
import typer
raise_when_loaded = 1 / 0
group = typer.Typer(no_args_is_help=True, help="A group.")
def verb(word: str) -> None:
    '''A verb.

    And more of it.
    '''
"""
    (tmp_path / "only_read.py").write_text(source)
    (tmp_path / "loaded.py").write_text("import typer\ntold = 'Computed.'\ngroup = typer.Typer(help=told)\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name, value in (
        ("verb", "only_read:verb"),
        ("group", "only_read:group"),
        ("group.inner", "only_read:verb"),
        ("other", "loaded:group"),
    ):
        verbs.announce(entry(name, value))
    told = CliRunner().invoke(command_line, ["--help"]).stdout
    assert [text in told for text in ("A verb.", "A group.", "Computed.", "inner")] == [True, True, True, False]
    assert {name for name in ("only_read", "loaded") if sys.modules.pop(name, None)} == {"loaded"}


class Away(FluvialError):
    retriable = True


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (VerificationError("x"), Exit.FAILURE),
        (Away("x"), Exit.UNAVAILABLE),
        (ValueError("x"), Exit.USAGE),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
    ],
)
def test_errors_become_exit_statuses(error: BaseException, status: Exit) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(typer.Exit) as caught:
        reported(fail)()
    assert caught.value.exit_code == status


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        reported(lambda: 1 // 0)()


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch, command_line: typer.Typer) -> list[str]:
    """Names of what is mounted. Of the client's verbs `model`, `list` alone is in its own application."""
    names: list[str] = []

    def mount(found: Declared) -> None:
        names.append(found.name)
        if found.name == "model":
            verbs._groups["model"].command("list")(lambda: None)

    def announce(found: Declared) -> None:
        names.append(f"{found.name} alone")

    monkeypatch.setattr(verbs, "mount", mount)
    monkeypatch.setattr(verbs, "announce", announce)
    monkeypatch.setattr(verbs, "_CLIENT", {"enrol": "a:b", "model": "a:c", "model.get": "a:d"})
    return names


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["enrol", "anna"], ["enrol"]),
        (["model", "list"], ["model"]),
        (["model", "--json", "list"], ["model"]),
        (["model", "get", "heart"], ["model", "model.get"]),
        (["model", "replay"], ["model", "model.get", "model.replay"]),
        (["model"], ["model", "model.get", "model.replay"]),
        (["up"], ["up"]),
        ([], ["enrol", "model", "model.get", "up", "model.replay"]),
        (["--help"], [f"{name} alone" for name in ("enrol", "model", "model.get", "up", "model.replay")]),
        (["unknown"], [f"{name} alone" for name in ("enrol", "model", "model.get", "up", "model.replay")]),
    ],
)
def test_a_command_line_mounts_what_it_names_and_nothing_twice(
    mounted: list[str], words: list[str], expected: list[str]
) -> None:
    verbs.mount_for(words, [entry("model.replay"), entry("up")])
    assert mounted == expected
