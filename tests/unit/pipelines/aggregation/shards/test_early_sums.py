"""Chunks enter the sums with the coefficient that the shards would give them, or not at all."""

import numpy as np

from pipelines.aggregation.shards.early_sums import EarlySums
from pipelines.aggregation.shards.shard import addend_of
from pipelines.aggregation.shards.sums import ExactSums
from tests.unit.pipelines.aggregation.builders import a_model_update, a_round, an_update

CHUNK = np.arange(4, dtype="<f4").tobytes()
RECORD = bytes([1]) * 32


def test_what_was_heard_need_not_be_read() -> None:
    sums, round_ = ExactSums(1 << 20), a_round()
    eager = EarlySums(sums)
    for index in (0, 1, 1):
        eager(round_, index, RECORD, a_model_update(weight=10), CHUNK)
    wanted = addend_of(round_, an_update(1, weight=10), RECORD)
    for index in (0, 1):
        total, changes = sums.take(round_, index, [wanted])
        assert changes == []
        np.testing.assert_array_equal(total.values, 10 * np.arange(4) * 2**round_.fraction_bits)


def test_rules_that_decide_later_get_nothing() -> None:
    sums = ExactSums(1 << 20)
    round_ = a_round(rule='{"name": "median"}')
    EarlySums(sums)(round_, 0, RECORD, a_model_update(), CHUNK)
    assert sums.num_bytes == 0


def test_what_no_sum_takes_in_is_left_to_the_shards() -> None:
    sums, round_ = ExactSums(1 << 20), a_round()
    eager = EarlySums(sums)
    eager(round_, 0, RECORD, a_model_update(), CHUNK)
    eager(round_, 0, bytes([2]) * 32, a_model_update(), np.full(4, np.inf, "<f4").tobytes())
    wanted = addend_of(round_, an_update(1), RECORD)
    assert sums.take(round_, 0, [wanted])[1] == [(wanted, 10)]
