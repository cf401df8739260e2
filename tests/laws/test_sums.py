"""Whatever the cache of sums was given, in any order, by whom, and however little room it had: what `take` asks for
makes the sum of exactly what is wanted."""

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from fluvial.wire.errors import ChunkUnavailable
from models.aggregation.fixed_point import ChunkSum
from pipelines.aggregation.shards.sums import Addend, ExactSums, add_to
from tests.unit.pipelines.aggregation.builders import a_round, an_update

ROUND = a_round()
NUM_UPDATES, NUM_CHUNKS, CHUNK = 6, 2, 4
VALUES = np.random.default_rng(5).normal(size=(NUM_UPDATES, NUM_CHUNKS, CHUNK)).astype(np.float32)


def addend(number: int, coefficient: int, shift: int = 0) -> Addend:
    return Addend(record_sha256=bytes([number]) * 32, update=an_update(number), coefficient=coefficient, shift=shift)


def raw(one: Addend, index: int, gone: set[int]) -> bytes:
    if one.record_sha256[0] in gone:
        raise ChunkUnavailable("gone")
    return VALUES[one.record_sha256[0], index].tobytes()


def in_one_go(wanted: list[Addend], index: int) -> npt.NDArray[np.int64]:
    total = ChunkSum(CHUNK, ROUND.fraction_bits)
    for one in wanted:
        total.add(VALUES[one.record_sha256[0], index], one.coefficient, one.shift)
    return total.values


numbers = st.integers(0, NUM_UPDATES - 1)
coefficients = st.integers(1, 100)
shifts = st.sampled_from([0, 0, 7])
arrivals = st.lists(st.tuples(numbers, st.integers(0, NUM_CHUNKS - 1), coefficients, shifts), max_size=30)


@given(
    arrived=arrivals,
    wanted=st.dictionaries(numbers, st.tuples(coefficients, shifts)),
    gone=st.sets(numbers),
    room=st.sampled_from([0, 8 * CHUNK, 1 << 20]),
)
def test_the_sum_of_what_is_wanted(
    arrived: list[tuple[int, int, int, int]], wanted: dict[int, tuple[int, int]], gone: set[int], room: int
) -> None:
    """arrived: chunks of updates, some only in part, some that are refused in the end and then vanish from the log."""
    sums = ExactSums(room)
    for number, index, *term in arrived:
        sums.add(ROUND, index, addend(number, *term), VALUES[number, index].tobytes())
    assert sums.num_bytes <= room
    addends = [addend(number, *term) for number, term in wanted.items()]
    for index in range(NUM_CHUNKS):
        total, changes = sums.take(ROUND, index, addends)
        assert len(changes) <= len(addends)
        try:
            for one, coefficient in changes:
                add_to(total, ROUND, index, one, coefficient, raw(one, index, gone - wanted.keys()))
        except ChunkUnavailable:
            total.clear()
            for one in addends:
                add_to(total, ROUND, index, one, one.coefficient, raw(one, index, set()))
        np.testing.assert_array_equal(total.values, in_one_go(addends, index))
    assert sums.num_bytes == 0
