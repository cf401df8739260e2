from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fluvial.edge.training.data_files import (
    load_all_participants,
    load_evaluation,
    load_grouped,
    load_participant,
    num_participants,
)


def data_file(folder: Path, **tensors: np.ndarray) -> Path:
    save_file(tensors, folder / "data.safetensors")
    return folder / "data.safetensors"


def test_a_participant_gets_its_own_examples(tmp_path: Path) -> None:
    path = data_file(
        tmp_path, inputs=np.arange(8.0).reshape(4, 2), targets=np.array([0, 1, 2, 3]), group=np.array([1, 0, 1, 0])
    )
    mine = load_participant(path, 1)
    assert mine.inputs.tolist() == [[0, 1], [4, 5]]
    assert mine.targets.tolist() == [0, 2]
    assert (mine.inputs.dtype, mine.targets.dtype) == (np.float32, np.int64)
    assert num_participants(path) == 2
    assert len(load_all_participants(path)) == 4
    with pytest.raises(ValueError, match="no examples of participant 2"):
        load_participant(path, 2)


def test_images_are_scaled_to_one(tmp_path: Path) -> None:
    path = data_file(tmp_path, inputs=np.array([[0, 51, 255]], np.uint8), targets=np.array([3]))
    assert load_evaluation(path).inputs.tolist() == [[0.0, np.float32(0.2), 1.0]]


def test_a_file_that_is_no_data_file_is_refused(tmp_path: Path) -> None:
    path = data_file(tmp_path, inputs=np.zeros((2, 2)), targets=np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="one length"):
        load_evaluation(path)
    with pytest.raises(ValueError, match="one length"):
        load_participant(path, 0)


def test_a_file_that_tells_no_participants_apart_is_of_one(tmp_path: Path) -> None:
    path = data_file(tmp_path, inputs=np.ones((3, 2)), targets=np.array([0, 1, 1]))
    assert len(load_participant(path, 0)) == 3
    assert num_participants(path) == 1
    with pytest.raises(ValueError, match="no examples of participant 1"):
        load_participant(path, 1)


@pytest.mark.parametrize(
    ("tensors", "why"),
    [
        ({"inputs": np.zeros((2, 2)), "targets": np.zeros(2)}, "targets must be lists of whole numbers"),
        ({"inputs": np.zeros((2, 2)), "targets": np.zeros((2, 1), np.int64)}, "targets must be lists"),
        ({"inputs": np.float32(1.0), "targets": np.int64(1)}, "of one length"),
        ({"inputs": np.zeros((2, 2), np.bool_), "targets": np.zeros(2, np.int64)}, "inputs are bool"),
        ({"inputs": np.zeros((2, 2))}, "needs inputs, targets"),
    ],
)
def test_whatever_a_file_may_hold_is_a_reason(tmp_path: Path, tensors: dict[str, np.ndarray], why: str) -> None:
    path = data_file(tmp_path, **{name: np.asarray(tensor) for name, tensor in tensors.items()})
    with pytest.raises(ValueError, match=why):
        load_evaluation(path)


def test_a_file_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no data at .*missing\.safetensors"):
        load_evaluation(tmp_path / "missing.safetensors")
    with pytest.raises(ValueError, match=r"cannot be read|no data file"):
        load_evaluation(tmp_path)
    damaged = data_file(tmp_path, inputs=np.zeros((2, 2)), targets=np.zeros(2, np.int64))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    with pytest.raises(ValueError, match="the evaluation set is no data file"):
        load_evaluation(damaged, "the evaluation set")


def test_a_type_that_numpy_does_not_have_and_a_folder_are_told_as_such(tmp_path: Path) -> None:
    header = b'{"inputs":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}'
    (tmp_path / "float8").write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    header = header.replace(b"F8_E4M3", b"BF16").replace(b"[0,1]", b"[0,2]")
    (tmp_path / "bfloat16").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(ValueError, match="type BF16, which numpy does not have"):
        load_evaluation(tmp_path / "bfloat16")
    with pytest.raises(ValueError, match=r"is no data file: tensor inputs is of type F8_E4M3"):
        load_evaluation(tmp_path / "float8")
    with pytest.raises(ValueError, match="cannot be read: it is a folder"):
        load_evaluation(tmp_path)


def test_names_of_groups_nested_without_end_are_no_data_file(tmp_path: Path) -> None:
    numbers = np.zeros(1, np.int64)
    tensors = {"inputs": np.zeros((1, 1)), "targets": numbers, "groups.sex": numbers}
    save_file(tensors, tmp_path / "deep", metadata={"groups": "[" * 100_000})
    with pytest.raises(ValueError, match="names of groups are no JSON"):
        load_grouped(tmp_path / "deep")
