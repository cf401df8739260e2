import numpy as np
import pytest

from fluvial.encoding import Span, encoder
from fluvial.wire.records import TensorLayout

LAYOUT = (TensorLayout(name="weight", shape=(2, 2)), TensorLayout(name="bias", shape=()))
WHOLE = Span(LAYOUT, 0, 5)
ENCODING = encoder("int8")


def test_each_tensor_has_its_own_scale() -> None:
    encoded = ENCODING.encode(np.array([127, -254, 0, 1, 0.25], np.float32), LAYOUT, 3)
    assert encoded.scales == (2.0, float(np.float32(0.25 / 127)))
    codes = [np.frombuffer(chunk, np.int8).tolist() for chunk in encoded.chunks]
    assert codes == [[64, -127, 0], [0, 127]]  # ties go to the even neighbour


def test_a_tensor_of_zeros_stays_zero() -> None:
    encoded = ENCODING.encode(np.zeros(5, np.float32), LAYOUT, 5)
    assert (list(encoded.chunks), encoded.scales) == ([bytes(5)], (0.0, 0.0))
    assert not ENCODING.decode(bytes(5), WHOLE, encoded.scales).any()


def test_codes_are_symmetric_where_the_scale_itself_is_rounded_down() -> None:
    tiny = np.float32(-2.6e-43)  # the scale is one subnormal step, a third too small
    encoded = ENCODING.encode(np.array([tiny, 0, 0, 0, 0], np.float32), LAYOUT, 5)
    assert np.frombuffer(encoded.chunks[0], np.int8)[0] == -127


def test_a_chunk_that_begins_inside_a_tensor_takes_its_scale() -> None:
    decoded = ENCODING.decode(np.array([3, 4, 5], np.int8).tobytes(), Span(LAYOUT, 2, 3), (10.0, 100.0))
    assert decoded.tolist() == [30, 40, 500]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_elements_that_are_not_finite_have_no_scale(value: float) -> None:
    with pytest.raises(ValueError, match="bias"):
        ENCODING.encode(np.array([1, 1, 1, 1, value], np.float32), LAYOUT, 5)


@pytest.mark.parametrize("delta", [np.zeros(4, np.float32), np.zeros(5)])
def test_a_delta_of_another_shape_or_type_is_refused(delta: np.ndarray) -> None:
    with pytest.raises(ValueError, match="for 5 elements"):
        ENCODING.encode(delta, LAYOUT, 5)


@pytest.mark.parametrize("scales", [(), (1.0,), (1.0, 1.0, 1.0)])
def test_scales_that_do_not_fit_are_refused(scales: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="for 2 tensors"):
        ENCODING.decode(bytes(5), WHOLE, scales)


@pytest.mark.parametrize(("raw", "start", "size"), [(bytes(6), 0, 6), (bytes(1), 5, 1), (bytes(1), -1, 1), (b"", 0, 1)])
def test_a_chunk_outside_the_model_is_refused(raw: bytes, start: int, size: int) -> None:
    with pytest.raises(ValueError, match="do not hold"):
        ENCODING.decode(raw, Span(LAYOUT, start, size), (1.0, 1.0))


@pytest.mark.parametrize("scale", [np.nan, np.inf, -np.inf, 1e308])
def test_a_hostile_scale_gives_elements_that_admission_refuses(scale: float) -> None:
    decoded = ENCODING.decode(b"\x01\x00\x01\x00\x01", WHOLE, (scale, 1.0))
    assert not np.isfinite(decoded[:4]).all()
    assert decoded[4] == 1
