import numpy as np
import pytest

from fluvial.encoding import Span, encoder
from fluvial.wire.records import TensorLayout

LAYOUT = (TensorLayout(name="weight", shape=(2, 2)), TensorLayout(name="bias", shape=()))
ENCODING = encoder("float32")


def test_bytes_are_little_endian_in_order() -> None:
    encoded = ENCODING.encode(np.array([1, -2, 0, 0.5, np.inf], np.float32), LAYOUT, 5)
    assert [bytes(chunk).hex() for chunk in encoded.chunks] == ["0000803f000000c0000000000000003f0000807f"]
    assert encoded.scales == ()


def test_chunks_are_views_of_the_delta() -> None:
    delta = np.arange(5, dtype=np.float32)
    encoded = ENCODING.encode(delta, LAYOUT, 2)
    delta[4] = 9
    assert [np.frombuffer(chunk, "<f4").tolist() for chunk in encoded.chunks] == [[0, 1], [2, 3], [9]]


@pytest.mark.parametrize("delta", [np.zeros(4, np.float32), np.zeros(5), np.zeros((5, 1), np.float32)])
def test_a_delta_of_another_shape_or_type_is_refused(delta: np.ndarray) -> None:
    with pytest.raises(ValueError, match="for 5 elements"):
        ENCODING.encode(delta, LAYOUT, 5)


@pytest.mark.parametrize(
    ("raw", "start", "size"), [(bytes(3), 0, 1), (bytes(4), 5, 1), (bytes(24), 0, 6), (bytes(4), -1, 1)]
)
def test_a_chunk_outside_the_model_is_refused(raw: bytes, start: int, size: int) -> None:
    with pytest.raises(ValueError, match="do not hold"):
        ENCODING.decode(raw, Span(LAYOUT, start, size), ())


def test_a_decoded_chunk_is_a_view_that_nobody_writes_to() -> None:
    assert not ENCODING.decode(bytes(20), Span(LAYOUT, 0, 5), ()).flags.writeable
