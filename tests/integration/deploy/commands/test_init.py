"""What `fluvial init` writes learns as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from deploy.commands.init import Template, init
from deploy.commands.simulate import simulate

BETTER_THAN = {
    Template.IMAGE: ("accuracy", 0.7),
    Template.TABULAR: ("auc", 0.85),
    Template.SERIES: ("r2", 0.9),
    Template.ADAPTERS: ("accuracy", 0.65),
}


def run(verb: object, *arguments: object) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command()(verb)  # type: ignore[type-var]  # a function
    result = CliRunner().invoke(app, list(map(str, arguments)))
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("template", Template)
def test_a_package_of_each_template_learns_in_a_simulation(tmp_path: Path, template: Template) -> None:
    folder = tmp_path / f"my-{template}"
    assert run(init, folder, "--template", template)[0] == 0
    status, output, complaint = run(simulate, folder, "--json")
    assert status == 0, complaint
    found = json.loads(output)
    metric, least = BETTER_THAN[template]
    measured = found["rounds"][-1]["metrics"]
    assert measured["metrics"][metric] > least
    assert len({group["group"] for group in measured["groups"]}) > 1
    assert found["participants"] == 8
