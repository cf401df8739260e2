"""The rule's operator over a fake of Flink's context: it waits for all shards, decides once, and fails in the open."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np

from fluvial.wire.framing import encode
from fluvial.wire.records import Outcome, Round
from pipelines.aggregation.operators.select import Select
from pipelines.aggregation.operators.side_outputs import TO_KEEPER, TO_SINK
from pipelines.aggregation.rounds.receipts import receipt_frames
from pipelines.aggregation.rounds.task_state import contributions_from_json
from pipelines.aggregation.rule import plan_message
from pipelines.config import Settings
from pipelines.flink.messages import pack, unpack
from tests.unit.pipelines.aggregation.builders import a_round, an_update

KRUM = '{"name": "multi_krum", "num_byzantine": 1}'
SETTINGS = Settings.model_construct(topic_prefix="f.", partitions=2, parallelism=1)
UPDATES = [an_update(number) for number in range(5)]


class Context:
    """State of one key."""

    def get_state(self, descriptor: Any) -> Any:
        held: list[Any] = [None]
        return SimpleNamespace(
            value=lambda: held[0],
            update=lambda value: held.__setitem__(0, value),
            clear=lambda: held.__setitem__(0, None),
        )

    def get_list_state(self, descriptor: Any) -> Any:
        held: list[bytes] = []
        return SimpleNamespace(add=held.append, get=lambda: list(held), clear=held.clear)


def select() -> Select:
    operator = Select(SETTINGS)
    operator.open(Context())
    return operator


def closed(round_: Round, updates: list[Any]) -> bytes:
    return pack("demo/1", "closed", [encode(round_), *(encode(update) for update in updates)])


def measured(chunk: int, values: np.ndarray, attempt: int = 1) -> bytes:
    about = {"attempt": attempt, "chunks": [chunk], "shape": list(values.shape)}
    return pack("demo/1", "measured", [json.dumps(about).encode(), values.astype("<f8").tobytes()])


def send(operator: Select, *messages: bytes) -> list[Any]:
    return [out for message in messages for out in operator.process_element(message, None)]


def test_a_rule_that_measures_nothing_decides_when_the_round_closes() -> None:
    *to_shards, (tag, to_keeper) = send(select(), closed(a_round(), UPDATES[:2]))
    assert tag is TO_KEEPER
    assert len(to_shards) == 2
    _, kind, (plan, round_, *updates) = unpack(to_shards[0])
    assert (kind, round_, updates) == ("combine", encode(a_round()), [encode(update) for update in UPDATES[:2]])
    assert plan_message.load(plan).rows == ((10, 10),)
    key, kind, (about, body) = unpack(to_keeper)
    divisor, contributions = json.loads(body)
    assert (key, kind, json.loads(about), divisor) == ("demo", "selected", [1, 1], 20)
    assert [each.effective_weight for each in contributions_from_json(contributions)] == [10, 10]


def test_a_rule_that_measures_waits_for_every_shard_of_its_attempt() -> None:
    rows = np.array([[1.0, 0.0], [1.0, 0.1], [-40.0, 0.0], [1.1, 0.0], [1.0, -0.1]])
    first, second = (rows[:, [part]] @ rows[:, [part]].T for part in (0, 1))
    operator = select()
    assert send(operator, measured(0, first), measured(1, second, attempt=9), closed(a_round(rule=KRUM), UPDATES)) == []
    *to_shards, (_, to_keeper) = send(operator, measured(1, second))
    assert unpack(to_shards[0])[2][2:] == [encode(update) for update in (*UPDATES[:2], *UPDATES[3:])]
    _, contributions = json.loads(unpack(to_keeper)[2][1])
    assert [each.selected for each in contributions_from_json(contributions)] == [True, True, False, True, True]


def test_a_rule_that_cannot_decide_fails_the_round_and_not_the_job() -> None:
    gram = np.eye(4)
    out = send(select(), measured(0, gram), measured(1, gram), closed(a_round(rule=KRUM), UPDATES[:4]))
    frames = [frame for tag, frame in out if tag is TO_SINK]
    failed = [receipt_frames(SETTINGS, update, Outcome.ROUND_FAILED) for update in UPDATES[:4]]
    assert frames == [frame for receipt in failed for frame in receipt]
    (to_keeper,) = [message for tag, message in out if tag is TO_KEEPER]
    key, kind, (about,) = unpack(to_keeper)
    assert (key, kind, json.loads(about)) == ("demo", "undecided", [1, 1, 4])
