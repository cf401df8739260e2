import numpy as np
import pandas
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from fluvial.edge.packages import Examples, joined
from fluvial.edge.training.data_files import Dataset as DataFile

ROWS, TARGETS = np.ones((3, 2), np.float32), np.array([0, 1, 1])


def test_whatever_a_loader_may_return_is_made_examples() -> None:
    for found in (
        Examples(inputs=ROWS, targets=TARGETS),
        DataFile(inputs=ROWS, targets=TARGETS),
        (ROWS, TARGETS),
        (torch.from_numpy(ROWS), torch.from_numpy(TARGETS)),
        (torch.from_numpy(ROWS).requires_grad_(), torch.from_numpy(TARGETS)),
        (torch.from_numpy(ROWS).bfloat16(), torch.from_numpy(TARGETS)),
        (ROWS.tolist(), TARGETS.tolist()),
        (ROWS.astype(">f4"), TARGETS.astype(">i8")),
        (ROWS.astype(np.longdouble), TARGETS),
        (ROWS.astype(object), TARGETS.astype(object)),
        (pandas.DataFrame(ROWS), pandas.Series(TARGETS)),
        TensorDataset(torch.from_numpy(ROWS), torch.from_numpy(TARGETS)),
    ):
        examples = Examples.of(found)
        assert len(examples) == 3
        assert isinstance(examples.inputs, np.ndarray)
        assert examples.targets.tolist() == [0, 1, 1]
        for array in (examples.inputs, examples.targets):
            torch.from_numpy(array)  # of a type and byte order that torch has


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
        ((np.array(["a", "b", "c"]), TARGETS), "no numbers: give each word a number"),
        ((np.array([{}, {}, {}]), TARGETS), "no numbers: dict is among them"),
        ((ROWS, [1, None, 0]), "targets are objects, which are no numbers: NoneType is among them"),
        ((np.array([{}]).reshape(()), TARGETS), "inputs are dict, which are no numbers: make an array of it"),
        (([[1.0], [1.0, 2.0], [3.0]], TARGETS), "different lengths are no array, pad them"),
        ((np.ma.masked_array(ROWS, mask=ROWS > 0), TARGETS), "some values are masked"),
        ((pair for pair in ()), "returned generator; .* a set of pairs are examples"),
        (range(3), "returned range of int, not of pairs"),
        (DataLoader(TensorDataset(torch.ones(3, 2))), "returned DataLoader; .* what it draws from is"),
        (TensorDataset(torch.ones(0, 2), torch.ones(0)), "yields nothing"),
        ((ROWS, TARGETS, {"age": [1, 2]}), "groups of age"),
        ((ROWS, TARGETS, [1, 2]), "groups are a mapping"),
    ],
)
def test_what_a_loader_may_not_return_is_refused_naming_it(found: object, why: str) -> None:
    with pytest.raises(ValueError, match=f"^mine.data:load .*{why}"):
        Examples.of(found, "mine.data:load")


class Scans(Dataset[tuple[dict[str, torch.Tensor], int]]):
    """Examples one by one, as torch's users have them."""

    def __init__(self, length: int = 2) -> None:
        self._length = length

    def __len__(self) -> int:
        return 3

    def __getitem__(self, number: int) -> tuple[dict[str, torch.Tensor], int]:
        if number >= self._length:
            raise ZeroDivisionError("damaged")
        return {"scan": torch.full((2,), float(number)), "age": torch.tensor(number)}, number % 2


def test_a_set_of_pairs_may_have_several_inputs() -> None:
    examples = Examples.of(Scans(3))
    assert {name: array.shape for name, array in examples.arrays().items()} == {
        "inputs scan": (3, 2),
        "inputs age": (3,),
    }
    assert examples.targets.tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="does not give examples: ZeroDivisionError: damaged"):
        Examples.of(Scans(2))


@pytest.mark.parametrize(
    ("attribute", "names"),
    [
        ("sex", ("a", "a")),
        ("sex", ("\ud800", "b")),
        ("sex", ("a" * 257, "b")),
        ("", ("a", "b")),
    ],
)
def test_groups_without_a_name_of_their_own_that_can_be_written_are_refused(
    attribute: str, names: tuple[str, ...]
) -> None:
    groups = {attribute: (np.array([0, 1]), names)}
    with pytest.raises(ValueError, match="a name of their own"):
        Examples(inputs=np.zeros((2, 1), np.float32), targets=np.zeros(2, np.int64), groups=groups)
