"""Packaged tasks run by their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.commands.simulate import folder_of
from deploy.simulation.federation import SimulatedFederation
from deploy.simulation.learning import plan_of
from tests.unit.deploy.tasks.test_packaged_tasks import GROUPS, PARTICIPANTS


@pytest.mark.parametrize("name", GROUPS)
def test_a_packaged_task_runs_by_its_name(name: str, tmp_path: Path) -> None:
    folder = folder_of(name)
    for file in sorted((folder / "data").iterdir()):
        with np.load(file) as arrays:
            np.savez(tmp_path / file.name, **{key: arrays[key][::8] for key in arrays})
    (row,) = SimulatedFederation(plan_of(folder, data=tmp_path, num_rounds=1), workers=1).run()
    assert row.included == PARTICIPANTS
    assert row.metrics is not None
    assert len(row.metrics.groups) == sum(GROUPS[name].values())
    assert not any(group.reason for group in row.metrics.groups)
