"""What the demonstration trains beside the federation."""

from __future__ import annotations

from deploy.demo.central import measure_central
from deploy.demo.example import example
from deploy.demo.training import local_trainer
from fluvial.edge.packages import Packages
from fluvial.edge.training.task_code import TaskCode


def test_a_packaged_example_trains_each_group_and_the_central_model_from_its_package() -> None:
    found = example("engines")
    task_file = found.task_file.model_copy(update={"rounds": 1})
    code = TaskCode.of(task_file, Packages(found.packages))
    for group in range(len(found.names)):
        local_trainer(code, found.data, group)
    central = measure_central(code, found.data, len(found.names))
    assert set(central.metrics) == set(found.metrics)
    assert central.groups
