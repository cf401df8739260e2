"""Terms of acceleration that could build or judge nothing are refused before they are signed."""

from pathlib import Path

import pytest

from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.task_file import TaskFile
from models.acceleration.terms import check_terms
from tests.unit.models.acceleration.test_workshop import order

__all__ = ["order"]


def terms(order, *, calibration="", gate="", recipe="onnx_fp32", parameters=None, **policy):
    """The task's code, and terms of acceleration."""
    variants = [{"name": "one", "recipe": recipe, "parameters": parameters or {}}]
    sets = {"calibration": calibration or order.calibration, "gate": gate or order.gate}
    spec = AccelerationSpec.model_validate({"variants": variants, **sets, "policy": policy})
    return TaskCode.of(TaskFile.model_validate_json(order.specification), root=Path(order.root)), spec


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"margins": {"sex:men": 0.05, "accuracy": 0.01, "recall:1": 0.03, "all": 0.02}},
        {"floors": {"accuracy:sex:women": 0.5, "recall:1:sex:men": 0.5, "recall:sex:men": 0.4, "accuracy:all": 0.5}},
    ],
)
def test_terms_that_can_be_held_to_pass(order, policy):
    check_terms(*terms(order, **policy))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"recipe": "int8"}, "the variant one: unknown recipe 'int8'; known: onnx_fp32"),
        ({"recipe": "pruned_structured", "parameters": {"share": 0.5}}, "do not fit the recipe pruned_structured"),
        ({"gate": "none.safetensors"}, "none.safetensors"),
        ({"calibration": "nothing.safetensors"}, "nothing.safetensors"),
        (
            {"floors": {"accuracy:sex:woman": 0.7}},
            "floors: accuracy:sex:woman is of a group .* it has sex:men, sex:women",
        ),
        ({"margins": {"age:50-80": 0.1}}, "margins: age:50-80 is of a group"),
        ({"floors": {"recall:1:sex:man": 0.7}}, "floors: recall:1:sex:man is of a group"),
    ],
)
def test_terms_that_cannot_are_refused_with_what_there_is(order, changes, why):
    with pytest.raises(ValueError, match=f"^acceleration: .*{why}"):
        check_terms(*terms(order, **changes))
