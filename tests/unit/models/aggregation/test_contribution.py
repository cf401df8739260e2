import numpy as np
import pytest

from fluvial.encoding.partial_sum import scale_of
from fluvial.wire.records import TensorLayout
from models.aggregation.contribution import add_chunk, int8_segments
from models.aggregation.fixed_point import ChunkSum

LAYOUT = (TensorLayout(name="a", shape=(2, 2)), TensorLayout(name="b", shape=()), TensorLayout(name="c", shape=(3,)))
SCALES = (0.5, 2.0, 1.0)


def test_a_chunk_is_cut_where_tensors_meet() -> None:
    # elements   0 1 2 3 | 4 | 5 6 7      the chunk is [3, 7)
    segments = int8_segments(LAYOUT, SCALES, 3, 4)
    assert [(segment.start, segment.stop, segment.scale) for segment in segments] == [
        (0, 1, 0.5),
        (1, 2, 2.0),
        (2, 4, 1.0),
    ]
    assert [(segment.start, segment.stop) for segment in int8_segments(LAYOUT, SCALES, 5, 3)] == [(0, 3)]


def test_both_encodings_of_the_same_values_give_the_same_sum() -> None:
    quantised = np.array([-127, 0, 1, 2, 3, 4, 5, 127], np.int8)
    values = quantised * np.repeat(np.array(SCALES), [4, 1, 3])
    exact, by_scale = ChunkSum(4, 20), ChunkSum(4, 20)
    shared = {"first_element": 2, "layout": LAYOUT, "weight": 7}
    add_chunk(exact, values[2:6].astype("<f4").tobytes(), encoding="float32", scales=(), **shared)
    add_chunk(by_scale, quantised[2:6].tobytes(), encoding="int8", scales=SCALES, **shared)
    assert exact.values.tolist() == by_scale.values.tolist()
    assert exact.total_weight == by_scale.total_weight == 7


def test_the_sum_of_a_region_enters_as_it_is() -> None:
    flat, region, parent = ChunkSum(2, 20), ChunkSum(2, 20), ChunkSum(2, 20)
    shared = {"first_element": 0, "layout": LAYOUT, "scales": (scale_of(7, 20),)}
    for values, weight in (([0.5, -2.0], 3), ([1.25, 0.1], 4)):
        for total in (flat, region):
            add_chunk(total, np.array(values, "<f4").tobytes(), encoding="float32", weight=weight, **shared)
    raw = region.values.astype("<i8").tobytes()
    add_chunk(parent, raw, encoding="partial_sum", weight=7, **shared)
    assert parent.values.tolist() == flat.values.tolist()
    assert parent.total_weight == flat.total_weight == 7
    add_chunk(parent, raw, encoding="partial_sum", weight=14, **shared)
    assert parent.values.tolist() == (3 * flat.values).tolist()
    add_chunk(parent, raw, encoding="partial_sum", weight=-21, **shared)
    assert parent.values.tolist() == [0, 0]
    assert parent.total_weight == 0


def test_a_region_that_counts_as_one_update_enters_by_its_mean() -> None:
    region, parent = ChunkSum(2, 20), ChunkSum(2, 20)
    region.add(np.array([0.5, -2.0], np.float32), 3)
    region.add(np.array([1.25, 0.1], np.float32), 4)
    mean = (region.values / scale_of(7, 20)).astype(np.float32)
    shared = {"encoding": "partial_sum", "first_element": 0, "layout": LAYOUT, "scales": (scale_of(7, 20),)}
    raw = region.values.astype("<i8").tobytes()
    add_chunk(parent, raw, weight=5, **shared)
    assert parent.values.tolist() == (5 * np.rint(mean * np.float32(2**20)).astype(np.int64)).tolist()
    add_chunk(parent, raw, weight=-5, **shared)
    assert parent.values.tolist() == [0, 0]


def test_a_partial_sum_with_the_scale_of_another_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="belongs to no weight"):
        add_chunk(
            ChunkSum(1, 20), bytes(8), encoding="partial_sum", first_element=0, layout=LAYOUT, scales=(7.0,), weight=7
        )


@pytest.mark.parametrize(
    ("encoding", "size"),
    [("float32", 4), ("float32", 17), ("int8", 3), ("int8", 16), ("partial_sum", 16), ("bfloat16", 8)],
)
def test_bytes_that_do_not_fit_are_refused(encoding: str, size: int) -> None:
    with pytest.raises(ValueError, match=r"expected|encoding"):
        add_chunk(
            ChunkSum(4, 20), bytes(size), encoding=encoding, first_element=0, layout=LAYOUT, scales=SCALES, weight=1
        )


def test_a_scale_is_needed_for_each_tensor() -> None:
    with pytest.raises(ValueError, match="zip"):
        add_chunk(
            ChunkSum(4, 20), bytes(4), encoding="int8", first_element=0, layout=LAYOUT, scales=SCALES[:2], weight=1
        )
