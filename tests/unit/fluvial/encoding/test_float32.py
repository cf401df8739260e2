import numpy as np
import pytest

from fluvial.encoding import get
from fluvial.wire.records import TensorLayout

LAYOUT = (TensorLayout(name="weight", shape=(2, 2)), TensorLayout(name="bias", shape=()))
ENCODING = get("float32")


def test_bytes_are_little_endian_in_order() -> None:
    raw, scales = ENCODING.encode(np.array([1, -2, 0, 0.5, np.inf], np.float32), LAYOUT)
    assert raw.hex() == "0000803f000000c0000000000000003f0000807f"
    assert scales == ()


@pytest.mark.parametrize("delta", [np.zeros(4, np.float32), np.zeros(5), np.zeros((5, 1), np.float32)])
def test_a_delta_of_another_shape_or_type_is_refused(delta: np.ndarray) -> None:
    with pytest.raises(ValueError, match="for 5 elements"):
        ENCODING.encode(delta, LAYOUT)


@pytest.mark.parametrize(("raw", "first"), [(bytes(3), 0), (bytes(4), 5), (bytes(24), 0), (bytes(4), -1)])
def test_a_chunk_outside_the_model_is_refused(raw: bytes, first: int) -> None:
    with pytest.raises(ValueError, match="do not lie in 5 elements"):
        ENCODING.decode_chunk(raw, first, LAYOUT, ())


def test_a_decoded_chunk_is_a_view_that_nobody_writes_to() -> None:
    assert not ENCODING.decode_chunk(bytes(20), 0, LAYOUT, ()).flags.writeable
