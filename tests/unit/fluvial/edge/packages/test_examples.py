import numpy as np
import pytest
import torch

from fluvial.edge.packages import Examples, joined
from models.datasets import Dataset

ROWS, TARGETS = np.ones((3, 2), np.float32), np.array([0, 1, 1])


def test_whatever_a_loader_may_return_is_made_examples() -> None:
    for found in (
        Examples(inputs=ROWS, targets=TARGETS),
        Dataset(inputs=ROWS, targets=TARGETS),
        (ROWS, TARGETS),
        (torch.from_numpy(ROWS), torch.from_numpy(TARGETS)),
        (ROWS.tolist(), TARGETS.tolist()),
    ):
        examples = Examples.of(found)
        assert len(examples) == 3
        assert isinstance(examples.inputs, np.ndarray)
        assert examples.targets.tolist() == [0, 1, 1]


def test_labels_of_groups_get_numbers() -> None:
    examples = Examples.of((ROWS, TARGETS, {"age": [70, 20, 70]}))
    members, names = examples.groups["age"]
    assert names == ("20", "70")
    assert members.tolist() == [1, 0, 1]


def test_inputs_may_be_several() -> None:
    by_name = Examples.of(({"ids": TARGETS, "amounts": ROWS}, TARGETS))
    by_place = Examples.of(((TARGETS, ROWS), TARGETS))
    assert list(by_name.arrays()) == ["inputs ids", "inputs amounts"]
    assert [len(array) for array in by_place.first().arrays().values()] == [1, 1]
    assert len(joined([by_name, by_name])) == 6
    with pytest.raises(ValueError, match="different inputs"):
        joined([by_name, by_place])


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (None, "does not give examples: it returned NoneType"),
        ((ROWS[:0], TARGETS[:0]), "yields nothing"),
        ((ROWS[:2], TARGETS), "2 rows of inputs and 3 targets"),
        (({}, TARGETS), "examples without inputs"),
        ((ROWS * np.nan, TARGETS), "the inputs are not all finite"),
        ((ROWS, np.array([0, np.inf, 1])), "the targets are not all finite"),
        ((np.array(["a", "b", "c"]), TARGETS), "no numbers"),
        ((np.array([{}, {}, {}]), TARGETS), "no numbers"),
        ((ROWS, TARGETS, {"age": [1, 2]}), "groups of age"),
        ((ROWS, TARGETS, [1, 2]), "groups are a mapping"),
    ],
)
def test_what_a_loader_may_not_return_is_refused_naming_it(found: object, why: str) -> None:
    with pytest.raises(ValueError, match=f"^mine.data:load .*{why}"):
        Examples.of(found, "mine.data:load")
