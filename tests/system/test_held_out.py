"""A task without an evaluation set, from its file to what participants measured of its models, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.docs.blocks import CHECKOUT

pytestmark = [pytest.mark.system, pytest.mark.soak, pytest.mark.timeout(300)]

SCRIPT = """
set -e
fluvial up
fluvial submit validation aggregation evaluation audit --package forms
fluvial task create forms/task.yaml --package forms
for index in 0 1 2; do
  token=$(fluvial task token "clinic-$index")
  FLUVIAL_TOKEN=$token fluvial enrol --name "clinic-$index" --task forms --yes
done
for index in 0 1 2; do
  fluvial participate forms --name "clinic-$index" --data forms/data --index "$index" --package forms --tell-metrics &
  clinics="$clinics $!"
done
wait $clinics
sleep 3
fluvial model show forms 0 --json > show-0.json
fluvial model show forms 1 --json > show-1.json
fluvial model show forms 1
fluvial rounds watch forms --once
fluvial audit verify --grace 60
"""


def test_a_task_without_an_evaluation_set_lives_by_what_participants_tell(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
        "COLUMNS": "200",
    }

    def run(*words: str, seconds: float) -> str:
        done = subprocess.run(
            words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    run("fluvial", "init", "forms", "--template", "tabular", seconds=60)
    file = tmp_path / "forms/task.yaml"
    task = yaml.safe_load(file.read_text())
    del task["evaluation"], task["data"]["evaluation"]
    task |= {"rounds": 2, "quorum": 3, "target": 3, "held_out": {"metrics": ["accuracy", "loss"], "fraction": 0.3}}
    file.write_text(yaml.safe_dump(task))
    (tmp_path / "forms/data").mkdir(exist_ok=True)
    try:
        shown = run("bash", "-c", SCRIPT, seconds=240)
    finally:
        subprocess.run(["fluvial", "down"], cwd=tmp_path, env=environment, capture_output=True, timeout=60)
    told = {
        version: {
            each["metric"]: each
            for each in json.loads((tmp_path / f"show-{version}.json").read_text())["measured_by_participants"]
        }
        for version in (0, 1)
    }
    assert all(found.keys() == {"accuracy", "loss"} for found in told.values())
    assert all(each["participants"] == 3 for found in told.values() for each in found.values())
    assert told[1]["loss"]["mean"] < told[0]["loss"]["mean"], "the model that they trained is better on what they kept"
    assert "forms: model version 1 measured by participants:" in shown
    assert "verified" in shown
