"""Files are those of the specification, held against its own library."""

import json

import numpy as np
import pytest
from safetensors.numpy import load, save

from fluvial.edge.safetensors import Stored, file_of, metadata_of, stored_in

TENSORS = {
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3),
    "halves": np.array([0.5, -2.0], np.float16),
    "numbers": np.array([[1], [-1]], np.int64),
    "bytes": np.array([0, 255], np.uint8),
    "truths": np.array([True, False]),
    "none": np.zeros((0, 4), np.float64),
    "scalar": np.array(7.0),
}


def file_with(header: object, data: bytes = bytes(8)) -> bytes:
    raw = json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + data


def test_what_the_library_wrote_is_read() -> None:
    content = save(TENSORS, metadata={"made": "here"})
    found = {stored.name: stored for stored in stored_in(content)}
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].shape == tensor.shape
        assert bytes(found[name].data) == tensor.tobytes()
    assert metadata_of(content) == {"made": "here"}


def test_the_library_reads_what_is_written() -> None:
    stored = [Stored("a", "F32", (2,), np.float32([1, 2]).tobytes()), Stored("b", "U8", (0,), b"")]
    found = load(file_of(stored, {"made": "here"}))
    assert {name: tensor.tolist() for name, tensor in found.items()} == {"a": [1, 2], "b": []}
    assert stored_in(file_of(stored, {})) == stored


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "Expecting value"),
        (b"inputs,targets\n1,0\n", "."),
        (file_with([]), "its header"),
        (file_with({"a": 3}), "its header"),
        (file_with({"a": {"dtype": "F32", "shape": [2]}}), "its header"),
        (file_with({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}), "its header"),
        (file_with({"a": {"dtype": ["F32"], "shape": [2], "data_offsets": [0, 8]}}), "its header"),
        (file_with({"a": {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}}), "a is of type F8_E4M3"),
        (file_with({"a": {"dtype": 3, "shape": [8], "data_offsets": [0, 8]}}), "a is of type 3"),
        (file_with({"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}}), "a does not lie in the file"),
        (file_with({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}), "a does not lie in the file"),
        (file_with({"a": {"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}}), "neither shape nor place"),
        (file_with({"a": {"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]}}), "neither shape nor place"),
        (file_with({"a": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}}), "neither shape nor place"),
    ],
)
def test_what_is_no_such_file_is_refused_in_words(content: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        stored_in(content)
