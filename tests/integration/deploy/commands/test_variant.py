"""`fluvial variant`: what an operator sees of a variant that is tuned, over a federation in memory."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from deploy.acts import first_model, model_of_code, tuning
from deploy.commands import variant
from tests.integration.pipelines.replay.test_variants import Stage
from tests.unit.deploy.acts.test_tuning import World

RUNNER = CliRunner()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    for module in (first_model, model_of_code, tuning, variant):
        monkeypatch.setattr(module, "CHECKOUT", tmp_path)
    world = World(tmp_path)
    directory = SimpleNamespace(federation=lambda: world.federation, keys=tmp_path / "keys")
    monkeypatch.setattr(variant, "DataDirectory", lambda data_dir: directory)
    monkeypatch.setattr(variant, "connect", lambda *_: world.transport)
    monkeypatch.setattr(variant, "load_federation", lambda *_: world.federation)
    return world


def test_rounds_are_opened_and_what_they_make_is_verified(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = RUNNER.invoke(variant.app, ["tune", "toy", "3", "tuned"])
    assert opened.exit_code == 0, opened.output
    assert "task toy-3-tuned: 1 round on 38 parameters that are left of toy, version 3" in opened.output
    again = RUNNER.invoke(variant.app, ["tune", "toy", "3", "tuned"])
    assert again.exit_code != 0
    assert "exists already" in again.output

    unbuilt = RUNNER.invoke(variant.app, ["verify", "toy", "3", "tuned"])
    assert unbuilt.exit_code != 0
    task = world.record("toy-3-tuned")
    trained = np.linspace(-1, 1, 38, dtype=np.float32)
    Stage(monkeypatch, world).built(task, world.publish(task, 1, trained))
    verified = RUNNER.invoke(variant.app, ["verify", "toy", "3", "tuned"])
    assert verified.exit_code == 0, verified.output
    assert "tuned by  the rounds of toy-3-tuned, which began with the pruned model" in verified.output
    assert "bytes     the same" in verified.output
    assert verified.output.rstrip().endswith("verified")
    as_json = json.loads(RUNNER.invoke(variant.app, ["verify", "toy", "3", "tuned", "--json"]).stdout)
    assert (as_json["verified"], as_json["tuned_by"], as_json["same_bytes"]) == (True, "toy-3-tuned", True)
    assert as_json["differences"] == []
