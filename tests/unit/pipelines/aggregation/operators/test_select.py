"""The rule's operator over a fake of Flink's context: it waits for all shards, decides once, and fails in the open."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fluvial.wire.framing import encode
from fluvial.wire.layout import chunk_partition
from fluvial.wire.records import Round
from pipelines.aggregation.messages import Closed, CombineRound, Measured, NotMeasured, Place, Selected, Undecided
from pipelines.aggregation.operators.select import Select
from pipelines.aggregation.operators.side_outputs import TO_KEEPER
from pipelines.config import Settings
from pipelines.flink.keys import shard_of
from pipelines.flink.messages import unpack
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
    return Closed(encode(round_), tuple(encode(update) for update in updates)).packed("demo/1")


def measured(chunk: int, values: np.ndarray, attempt: int = 1) -> bytes:
    return Measured(Place(1, attempt), {chunk: values}).packed("demo/1")


def send(operator: Select, *messages: bytes) -> list[Any]:
    return [out for message in messages for out in operator.process_element(message, None)]


def test_a_rule_that_measures_nothing_decides_when_the_round_closes() -> None:
    *to_shards, (tag, to_keeper) = send(select(), closed(a_round(), UPDATES[:2]))
    assert tag is TO_KEEPER
    assert len(to_shards) == 2
    _, kind, parts = unpack(to_shards[0])
    combine = CombineRound.of(parts)
    assert (kind, combine.round, combine.updates) == ("combine", a_round(), UPDATES[:2])
    assert combine.plan.rows == ((10, 10),)
    key, kind, parts = unpack(to_keeper)
    assert (key, kind) == ("demo", "selected")
    assert Selected.of(parts) == Selected(Place(1, 1), tuple(UPDATES[:2]), (10, 10), 20)


def test_the_keeper_gets_no_content() -> None:
    update = replace(UPDATES[0], inline=b"1234")
    *_, (_, to_keeper) = send(select(), closed(a_round(), [update]))
    assert Selected.of(unpack(to_keeper)[2]).updates == (UPDATES[0],)


def test_a_rule_that_measures_waits_for_every_shard_of_its_attempt() -> None:
    rows = np.array([[1.0, 0.0], [1.0, 0.1], [-40.0, 0.0], [1.1, 0.0], [1.0, -0.1]])
    first, second = (rows[:, [part]] @ rows[:, [part]].T for part in (0, 1))
    operator = select()
    assert send(operator, measured(0, first), measured(1, second, attempt=9), closed(a_round(rule=KRUM), UPDATES)) == []
    *to_shards, (_, to_keeper) = send(operator, measured(1, second))
    assert CombineRound.of(unpack(to_shards[0])[2]).updates == [*UPDATES[:2], *UPDATES[3:]]
    weights = Selected.of(unpack(to_keeper)[2]).effective_weights
    assert [weight > 0 for weight in weights] == [True, True, False, True, True]


def test_of_a_small_model_the_shards_that_have_some_of_it_are_waited_for_and_told() -> None:
    operator, small = select(), a_round(rule=KRUM, chunk_elements=8)
    assert send(operator, closed(small, UPDATES)) == []
    rows = np.array([[1.0], [1.0], [-40.0], [1.1], [1.0]])
    *to_shards, (_, to_keeper) = send(operator, measured(0, rows @ rows.T))
    assert [shard_of(unpack(each)[0]) for each in to_shards] == [chunk_partition("demo", 0, SETTINGS.partitions)]
    assert unpack(to_keeper)[1] == "selected"


def test_a_rule_that_cannot_decide_fails_the_round_and_not_the_job() -> None:
    gram = np.eye(4)
    out = send(select(), measured(0, gram), measured(1, gram), closed(a_round(rule=KRUM), UPDATES[:4]))
    ((tag, to_keeper),) = out
    key, kind, parts = unpack(to_keeper)
    undecided = Undecided.of(parts)
    assert (tag, key, kind) == (TO_KEEPER, "demo", "undecided")
    assert (undecided.place, undecided.updates) == (Place(1, 1), tuple(UPDATES[:4]))
    assert undecided.reason.startswith("the rule cannot decide: ")


@pytest.mark.parametrize(
    "values", [[np.full((2, 2), np.nan)] * 2, [np.eye(2), np.eye(3)], [np.full((2, 2), 1e308)] * 2]
)
def test_whatever_was_measured_the_rule_decides_or_says_that_it_cannot(values: list[np.ndarray]) -> None:
    messages = [measured(chunk, each) for chunk, each in enumerate(values)]
    for rule in (KRUM, '{"name": "geometric_median"}', '{"name": "centered_clipping"}', '{"name": "bulyan"}', "junk"):
        out = send(select(), *messages, closed(a_round(rule=rule), UPDATES[:2]))
        assert unpack(out[-1][1])[1] in ("undecided", "selected")


def test_what_a_shard_cannot_measure_fails_the_round_once_all_shards_have_answered() -> None:
    operator = select()
    lost = NotMeasured(Place(1, 1), "a chunk is gone").packed("demo/1")
    assert send(operator, closed(a_round(rule=KRUM), UPDATES), lost) == []
    ((_, to_keeper),) = send(operator, measured(1, np.eye(5)))
    assert Undecided.of(unpack(to_keeper)[2]).reason.endswith("a chunk is gone")
    assert send(operator, measured(0, np.eye(5), attempt=2)) == []
