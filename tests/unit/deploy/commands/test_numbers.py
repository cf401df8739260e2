"""Numbers that people give to verbs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from fluvial.cli.common import Exit, reported
from fluvial.cli.verbs import app, mount_for
from fluvial.wire.task_file import TaskFile
from tests.unit.fluvial.cli.runner import command_of

mount_for([])

NAMES = {"version", "sequence", "round_number", "attempt", "index", "seed", "number", "decision", "promotion", "first"}
"""Of numbers that name something: of too large a one nothing is there."""
COMPARED = {"num_rounds", "participants", "rounds", "target"}
"""Nothing is made of so many; the task file, or the examples that there are, bound them."""


def verbs(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, verb in group.commands.items():
        if hasattr(verb, "commands"):
            yield from verbs(verb, f"{path} {name}")
        else:
            yield f"{path} {name}", verb


def test_how_many_of_anything_has_a_bound() -> None:
    numbers = [
        (f"{path} {parameter.name}", parameter)
        for path, verb in verbs(command_of(app))
        for parameter in verb.params
        if getattr(parameter.type, "min", None) is not None
    ]
    assert len(numbers) > 30
    without = {path for path, parameter in numbers if parameter.type.max is None and parameter.name not in NAMES}
    assert {path for path in without if path.split()[-1] not in COMPARED} == set()


def test_a_wrong_document_is_told_by_its_fields_alone(capsys: pytest.CaptureFixture[str]) -> None:
    @reported
    def command() -> None:
        TaskFile.model_validate({"task": "heart"})

    with pytest.raises(typer.Exit) as ending:
        command()
    assert ending.value.exit_code == Exit.USAGE
    told = capsys.readouterr().err
    assert "title: Field required; model: Field required" in told
    assert "pydantic" not in told
    assert "heart" not in told
