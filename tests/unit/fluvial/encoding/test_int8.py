import numpy as np
import pytest

from fluvial.encoding import get
from fluvial.wire.records import TensorLayout

LAYOUT = (TensorLayout(name="weight", shape=(2, 2)), TensorLayout(name="bias", shape=()))
ENCODING = get("int8")


def test_each_tensor_has_its_own_scale() -> None:
    raw, scales = ENCODING.encode(np.array([127, -254, 0, 1, 0.25], np.float32), LAYOUT)
    assert scales == (2.0, float(np.float32(0.25 / 127)))
    assert np.frombuffer(raw, np.int8).tolist() == [64, -127, 0, 0, 127]  # ties go to the even neighbour
    assert ENCODING.num_scales(LAYOUT) == 2


def test_a_tensor_of_zeros_stays_zero() -> None:
    raw, scales = ENCODING.encode(np.zeros(5, np.float32), LAYOUT)
    assert (raw, scales) == (bytes(5), (0.0, 0.0))
    assert not ENCODING.decode_chunk(raw, 0, LAYOUT, scales).any()


def test_codes_are_symmetric_where_the_scale_itself_is_rounded_down() -> None:
    tiny = np.float32(-2.6e-43)  # the scale is one subnormal step, a third too small
    raw, _ = ENCODING.encode(np.array([tiny, 0, 0, 0, 0], np.float32), LAYOUT)
    assert np.frombuffer(raw, np.int8)[0] == -127


def test_a_chunk_that_begins_inside_a_tensor_takes_its_scale() -> None:
    decoded = ENCODING.decode_chunk(np.array([3, 4, 5], np.int8).tobytes(), 2, LAYOUT, (10.0, 100.0))
    assert decoded.tolist() == [30, 40, 500]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_elements_that_are_not_finite_have_no_scale(value: float) -> None:
    with pytest.raises(ValueError, match="bias"):
        ENCODING.encode(np.array([1, 1, 1, 1, value], np.float32), LAYOUT)


@pytest.mark.parametrize("delta", [np.zeros(4, np.float32), np.zeros(5)])
def test_a_delta_of_another_shape_or_type_is_refused(delta: np.ndarray) -> None:
    with pytest.raises(ValueError, match="for 5 elements"):
        ENCODING.encode(delta, LAYOUT)


@pytest.mark.parametrize("scales", [(), (1.0,), (1.0, 1.0, 1.0)])
def test_scales_that_do_not_fit_are_refused(scales: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="for 2 tensors"):
        ENCODING.decode_chunk(bytes(5), 0, LAYOUT, scales)


@pytest.mark.parametrize(("raw", "first"), [(bytes(6), 0), (bytes(1), 5), (bytes(1), -1)])
def test_a_chunk_outside_the_model_is_refused(raw: bytes, first: int) -> None:
    with pytest.raises(ValueError, match="do not lie in 5 elements"):
        ENCODING.decode_chunk(raw, first, LAYOUT, (1.0, 1.0))


@pytest.mark.parametrize("scale", [np.nan, np.inf, -np.inf, 1e308])
def test_a_hostile_scale_gives_elements_that_admission_refuses(scale: float) -> None:
    decoded = ENCODING.decode_chunk(b"\x01\x00\x01\x00\x01", 0, LAYOUT, (scale, 1.0))
    assert not np.isfinite(decoded[:4]).all()
    assert decoded[4] == 1
