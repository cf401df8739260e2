"""Packaged tasks whose models are served live: what variants are measured on, and that they answer as the model."""

from __future__ import annotations

import numpy as np
import pytest

from deploy.commands.simulate import folder_of
from deploy.simulation.learning import plan_of
from fluvial.edge.training.task_code import TaskCode
from fluvial.inference.session import OnnxSession
from models.acceleration.bench import Bench, outputs_of
from models.acceleration.catalogue import parse_recipe
from models.acceleration.example_sets import load_set
from models.acceleration.recipe import Subject

GROUPS = {"speech": ("accuracy", "speaker:theo"), "air": ("mae", "station:Dongsi")}


@pytest.mark.parametrize("name", GROUPS)
def test_a_served_task_measures_its_variants_by_group_on_other_examples_than_it_calibrates_with(name: str) -> None:
    plan = plan_of(folder_of(name))
    code, acceleration = TaskCode.of(plan.task_file, plan.packages), plan.task_file.acceleration
    assert acceleration is not None
    gate, calibration = load_set(code, acceleration.gate), load_set(code, acceleration.calibration)
    assert len(gate.inputs) + len(calibration.inputs) == len(code.evaluation_examples() or ())
    assert {each.tobytes() for each in gate.inputs}.isdisjoint(each.tobytes() for each in calibration.inputs)
    state = code.state()
    reference = outputs_of(code, state.flatten(), gate.inputs)
    subject = Subject(module=state.module.eval(), calibration=calibration.inputs)
    bench = Bench(gate=gate, reference=reference, metrics=acceleration.policy.metrics)
    for variant in acceleration.variants:
        artefact = parse_recipe(variant.recipe, variant.parameters).build(subject)
        outputs = OnnxSession(artefact.data).run_in_batches(np.ascontiguousarray(gate.inputs))
        assert np.abs(outputs - reference).max() < 0.05
        found = bench.compared(outputs, artefact.data)
        counts, drops = found.counts, found.drops
        assert GROUPS[name] in {(each.metric, each.group) for each in [*counts, *drops]}
