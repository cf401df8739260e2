"""What bench inference serves: the network of the task digits, whose terms are those of the wire."""

from __future__ import annotations

from deploy.bench.serving.digits import VARIANT, module_of, task_file


def test_the_task_that_is_measured_names_the_variant_that_is_served() -> None:
    task = task_file()
    assert task.acceleration is not None
    assert [variant.name for variant in task.acceleration.variants] == [VARIANT]
    module, shape = module_of(task.specification())
    assert shape == (1, 28, 28)
    assert not module.training
