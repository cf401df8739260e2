import numpy as np
import pytest

from fluvial.encoding import Span
from fluvial.encoding.partial_sum import scale_of
from fluvial.wire.records import TensorLayout
from models.aggregation.contribution import add_chunk
from models.aggregation.fixed_point import ChunkSum

LAYOUT = (TensorLayout(name="a", shape=(2, 2)), TensorLayout(name="b", shape=()), TensorLayout(name="c", shape=(3,)))
SCALES = (0.5, 2.0, 1.0)


def test_both_encodings_of_the_same_values_give_the_same_sum() -> None:
    quantised = np.array([-127, 0, 1, 2, 3, 4, 5, 127], np.int8)
    values = quantised * np.repeat(np.array(SCALES), [4, 1, 3])
    exact, by_scale = ChunkSum(4, 20), ChunkSum(4, 20)
    shared = {"span": Span(LAYOUT, 2, 4), "weight": 7}
    add_chunk(exact, values[2:6].astype("<f4").tobytes(), encoding="float32", scales=(), **shared)
    add_chunk(by_scale, quantised[2:6].tobytes(), encoding="int8", scales=SCALES, **shared)
    assert exact.values.tolist() == by_scale.values.tolist()


def test_the_sum_of_a_region_enters_as_it_is() -> None:
    flat, region, parent = ChunkSum(2, 20), ChunkSum(2, 20), ChunkSum(2, 20)
    shared = {"span": Span(LAYOUT, 0, 2), "scales": (scale_of(7, 20),)}
    for values, weight in (([0.5, -2.0], 3), ([1.25, 0.1], 4)):
        for total in (flat, region):
            total.add(np.array(values, np.float32), weight)
    raw = region.values.astype("<i8").tobytes()
    add_chunk(parent, raw, encoding="partial_sum", weight=7, **shared)
    assert parent.values.tolist() == flat.values.tolist()
    add_chunk(parent, raw, encoding="partial_sum", weight=14, **shared)
    assert parent.values.tolist() == (3 * flat.values).tolist()
    add_chunk(parent, raw, encoding="partial_sum", weight=-21, **shared)
    assert parent.values.tolist() == [0, 0]


def test_a_region_that_counts_as_one_update_enters_by_its_mean() -> None:
    region, parent = ChunkSum(2, 20), ChunkSum(2, 20)
    region.add(np.array([0.5, -2.0], np.float32), 3)
    region.add(np.array([1.25, 0.1], np.float32), 4)
    mean = (region.values / scale_of(7, 20)).astype(np.float32)
    shared = {"encoding": "partial_sum", "span": Span(LAYOUT, 0, 2), "scales": (scale_of(7, 20),)}
    raw = region.values.astype("<i8").tobytes()
    add_chunk(parent, raw, weight=5, **shared)
    assert parent.values.tolist() == (5 * np.rint(mean * np.float32(2**20)).astype(np.int64)).tolist()
    add_chunk(parent, raw, weight=-5, **shared)
    assert parent.values.tolist() == [0, 0]


def test_a_partial_sum_with_the_scale_of_another_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="belongs to no weight"):
        add_chunk(ChunkSum(1, 20), bytes(8), encoding="partial_sum", span=Span(LAYOUT, 0, 1), scales=(7.0,), weight=7)


@pytest.mark.parametrize(
    ("encoding", "size"),
    [("float32", 4), ("float32", 17), ("int8", 3), ("int8", 16), ("partial_sum", 16), ("morse", 8)],
)
def test_bytes_that_do_not_fit_are_refused(encoding: str, size: int) -> None:
    with pytest.raises(ValueError, match=r"do not hold|no tensor encoding"):
        add_chunk(ChunkSum(4, 20), bytes(size), encoding=encoding, span=Span(LAYOUT, 0, 4), scales=SCALES, weight=1)


def test_a_span_that_is_not_the_sums_is_refused() -> None:
    with pytest.raises(ValueError, match="3 elements are not those of a sum of 4"):
        add_chunk(ChunkSum(4, 20), bytes(12), encoding="float32", span=Span(LAYOUT, 0, 3), scales=(), weight=1)


def test_a_scale_is_needed_for_each_tensor() -> None:
    with pytest.raises(ValueError, match="2 scales for 3 tensors"):
        add_chunk(ChunkSum(4, 20), bytes(4), encoding="int8", span=Span(LAYOUT, 0, 4), scales=SCALES[:2], weight=1)
