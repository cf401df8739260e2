"""Messages between the operators: what one packs, the next one reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fluvial.wire.framing import encode
from models.aggregation.plan import Plan
from models.aggregation.reduction import Median
from pipelines.aggregation import messages
from pipelines.aggregation.messages import Message, Place
from pipelines.flink.messages import unpack
from tests.unit.pipelines.aggregation.builders import a_chunk, a_round, an_update

PLACE = Place(1 << 40, 3)
UPDATES = (an_update(1), an_update(2, participant="ñ"))
ENCODED = encode(a_round()), tuple(encode(update) for update in UPDATES)
CHUNKS = {7: a_chunk(1 << 40, bytes([1]) * 32), 0: a_chunk(0)}

EXAMPLES = (
    messages.Begin(ENCODED[0]),
    messages.Add("demo", PLACE, ENCODED[1]),
    messages.MeasureRound(*ENCODED),
    messages.Closed(*ENCODED),
    messages.Closed(ENCODED[0], ()),
    messages.RoundFailed(PLACE, 4, "Ω"),
    messages.NotMeasured(PLACE, ""),
    messages.ShardDone(PLACE, CHUNKS),
    messages.ShardDone(PLACE, {}),
    messages.ShardFailed(PLACE, "a chunk is gone"),
    messages.CombineRound(*ENCODED, Plan(rows=((1, 2),), divisor=3)),
    messages.CombineRound(*ENCODED, Plan(rows=((1, 0), (0, 1)), divisor=1, reduction=Median())),
    messages.Selected(PLACE, UPDATES, (0, 1 << 61), 9),
    messages.Undecided(PLACE, UPDATES, "why"),
    messages.Undecided(PLACE, (), ""),
)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.kind)
def test_a_message_is_read_as_it_was_packed(message: Any) -> None:
    key, kind, parts = unpack(message.packed("a key"))
    assert (key, kind) == ("a key", message.kind)
    assert type(message).of(parts) == message


@pytest.mark.parametrize("shape", [(3, 3), (3,)])
def test_measurements_keep_their_bits(shape: tuple[int, ...]) -> None:
    found = {index: np.random.default_rng(index).normal(size=shape) for index in (5, 2)}
    again = messages.Measured.of(messages.Measured(PLACE, found).parts())
    assert (again.place, list(again.measurements)) == (PLACE, [5, 2])
    for index, values in found.items():
        np.testing.assert_array_equal(again.measurements[index], values)
    assert messages.Measured.of(messages.Measured(PLACE, {}).parts()).measurements == {}


def test_kinds_are_told_apart_and_every_message_is_tried_here() -> None:
    known = {each for each in vars(messages).values() if isinstance(each, type) and issubclass(each, Message)}
    known -= {Message, messages.WithUpdates}
    assert len({each.kind for each in known}) == len(known)
    assert known - {messages.Measured} == {type(message) for message in EXAMPLES}
