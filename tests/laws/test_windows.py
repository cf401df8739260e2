"""Laws of windows: every accepted update is in one place, and no round takes more than it may.

The window's own operator runs over Flink state kept in dicts, and may be restarted at any point, with its state or with
nothing but the log: then the newest round is read again, and what is accepted comes again, in any order. Beside it
stands the least that a keeper does: after a close the model and the next round, after a failure the next attempt.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AcceptedUpdate, Outcome, Round, RoundStatus, WindowMode
from pipelines.aggregation import committed
from pipelines.aggregation.messages import Add, Closed, Place, RoundFailed
from pipelines.aggregation.operators import collect as collect_operator
from pipelines.aggregation.operators.collect import CollectRound
from pipelines.aggregation.operators.side_outputs import TO_COMBINE, TO_KEEPER, TO_SELECT
from pipelines.aggregation.rounds.recovery import Recovery
from pipelines.flink.messages import pack, unpack
from tests.laws.effort import examples
from tests.unit.pipelines.aggregation.builders import a_round, an_update
from tests.unit.pipelines.aggregation.committed_log import CommittedLog
from tests.unit.pipelines.flink_state import FlinkState

SIZE_MS, WAIT_MS, RESTART_MS, TASK = 1_000, 200, 300, "demo"
SETTINGS: Any = SimpleNamespace(partitions=1, parallelism=1, arrival_wait_ms=WAIT_MS, parking_ms=RESTART_MS)


class Federation:
    """The window, a least keeper, and the places of all updates."""

    def __init__(self, round_: Round) -> None:
        self.flink, self.log = FlinkState(), CommittedLog()
        self.now_ms = round_.opened_ms
        self.pending = round_
        self.sent: list[AcceptedUpdate] = []
        self.again: list[AcceptedUpdate] = []
        """After a loss: what has not come again."""
        self.closed: list[tuple[Round, list[AcceptedUpdate]]] = []
        """Closed and not published: a loss takes them back."""
        self.published: list[tuple[Round, list[AcceptedUpdate]]] = []
        self.failed: list[tuple[int, int, int]] = []
        self.answered: list[tuple[AcceptedUpdate, Outcome]] = []
        self.added: dict[Place, list[bytes]] = defaultdict(list)
        self.log.announce(round_)
        self.restart()

    def restart(self) -> None:
        self.window = CollectRound(SETTINGS)
        with (
            patch.object(collect_operator, "_now_ms", lambda: self.now_ms),
            patch.object(committed, "acquire", lambda settings, attempt: self._recovery()),
            patch.object(committed, "release", lambda settings, attempt: None),
        ):
            self.window.open(self.flink)

    def _recovery(self) -> Recovery:
        self.log.now_ms = self.now_ms
        return self.log.recovery()

    def lose_state(self, order: Any) -> None:
        """Nothing is left but the log. What has closed without a model is as if it had not."""
        self.flink = FlinkState()
        self.added.clear()
        if self.closed:
            self.pending = self.closed[0][0]
            self.closed.clear()
        self.again = order.sample(self.sent, len(self.sent))
        self.restart()

    def _has_receipt(self) -> set[str]:
        gone = {update.update_id for _, updates in self.published for update in updates}
        return gone | {update.update_id for update, _ in self.answered}

    def send(self, updates: list[AcceptedUpdate]) -> None:
        self.sent += updates
        self.log.accept(*updates)
        self._run(pack(TASK, "accepted", [encode(update) for update in updates]))

    def repeat(self, count: int) -> None:
        """Whoever reads the log again hands on what it does not know to be answered."""
        coming = {update.update_id for update in self.again}
        met = [update for update in self.sent if update.update_id not in coming]
        if met:
            self._run(pack(TASK, "accepted", [encode(update) for update in met[-count:]]))

    def send_again(self, count: int) -> None:
        updates, self.again = self.again[:count], self.again[count:]
        if updates:
            self._run(pack(TASK, "accepted", [encode(update) for update in updates]))

    def deliver_round(self) -> None:
        self._publish()
        self._run(pack(TASK, "round", [encode(self.pending)]))

    def _publish(self) -> None:
        """What has closed is a model, and the next round is announced with it."""
        for _, updates in self.closed:
            for update in updates:
                self.log.answer(update, Outcome.INCLUDED)
        if self.closed:
            self.log.announce(self.pending)
        self.published += self.closed
        self.closed.clear()

    def pass_time(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        self._take(lambda: self.flink.fire(self.window, self.now_ms))

    def skip_a_round(self) -> None:
        """What no keeper does: the next round, whatever became of this one."""
        self._publish()
        self._open(self.pending, self.pending.round + 1, 1)
        self.log.announce(self.pending)
        self.deliver_round()

    def finish(self) -> None:
        """All comes again, and the task ends at the round to come."""
        self.deliver_round()
        self.send_again(len(self.again))
        self.deliver_round()
        self.pending = replace(self.pending, round=self.pending.round + 1, status=RoundStatus.FINISHED)
        self.deliver_round()

    def _run(self, message: bytes) -> None:
        self._take(lambda: self.flink.call(self.window, TASK, message))

    def _take(self, call: Callable[[], list[Any]]) -> None:
        def answer(_: Any, update: AcceptedUpdate, outcome: Outcome) -> list[bytes]:
            self.answered.append((update, outcome))
            self.log.answer(update, outcome)
            return []

        with (
            patch.object(collect_operator, "receipt_frames", answer),
            patch.object(collect_operator, "_now_ms", lambda: self.now_ms),
        ):
            for tag, message in call():
                self._routed(tag, *unpack(message)[1:])

    def _routed(self, tag: Any, kind: str, parts: list[bytes]) -> None:
        if tag is TO_SELECT:
            closed = Closed.of(parts)
            self.closed.append((closed.round, closed.updates))
            added = self.added.pop(Place(closed.round.round, closed.round.attempt), [])
            assert Counter(added) == Counter(closed.encoded_updates)
            self._open(closed.round, closed.round.round + 1, 1)
        elif tag is TO_KEEPER:
            failed = RoundFailed.of(parts)
            self.failed.append((*failed.place, failed.num_updates))
            self._open(self.pending, failed.place.round, failed.place.attempt + 1)
            self.log.announce(self.pending)
        elif tag is TO_COMBINE and kind == Add.kind:
            added = Add.of(parts)
            assert added.task == TASK
            self.added[added.place] += added.encoded_updates

    def state(self, name: str) -> list[bytes]:
        """What a list state of the window holds."""
        self.flink.key = TASK
        return self.flink.get_list_state(SimpleNamespace(name=name)).get()

    def _open(self, round_: Round, number: int, attempt: int) -> None:
        deadline_ms = self.now_ms + SIZE_MS
        if round_.window is WindowMode.TUMBLING:
            deadline_ms = (self.now_ms // SIZE_MS + 1) * SIZE_MS
        self.pending = replace(round_, round=number, attempt=attempt, opened_ms=self.now_ms, deadline_ms=deadline_ms)

    def check_places(self) -> None:
        """Admitted, held, aggregated or answered: each update in exactly one place."""
        waiting = [*self.state("admitted"), *self.state("held")]
        places = [decode(data, AcceptedUpdate) for data in waiting]
        places += [update for _, updates in (*self.closed, *self.published) for update in updates]
        places += [update for update, _ in self.answered]
        places += [update for update in self.again if update.update_id not in self._has_receipt()]
        assert Counter(update.update_id for update in places) == Counter(update.update_id for update in self.sent)

    def check_bounds(self) -> None:
        for round_, updates in (*self.closed, *self.published):
            assert round_.quorum <= len(updates) <= round_.target
            for update in updates:
                assert 0 <= round_.round - update.round <= round_.max_staleness
                if round_.window is WindowMode.SYNCHRONOUS:
                    assert update.attempt == round_.attempt
                    assert update.source_timestamp_ms <= round_.deadline_ms + round_.grace_ms
                if round_.window is WindowMode.TUMBLING:
                    assert update.source_timestamp_ms < round_.deadline_ms


ROUNDS = st.builds(
    lambda mode, quorum, spare, staleness, grace: a_round(
        window=mode,
        quorum=quorum,
        target=quorum + spare,
        max_staleness=0 if mode is WindowMode.SYNCHRONOUS else staleness,
        grace_ms=grace if mode is WindowMode.SYNCHRONOUS else 0,
    ),
    st.sampled_from(WindowMode),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from((0, 700)),
)

UPDATES = st.lists(
    st.tuples(st.sampled_from((0, 0, 0, 1, 1, 2, 4, -1)), st.sampled_from((0, 0, 0, -1, 1)), st.integers(-800, 0)),
    min_size=1,
    max_size=4,
)
SEND = st.tuples(st.just("send"), UPDATES)
PASS = st.tuples(st.just("pass"), st.sampled_from((1, 150, 450, 1_200, 5_000)))
ROUND = st.tuples(st.just("round"), st.none())
RESTART = st.tuples(st.just("restart"), st.none())
SKIP = st.tuples(st.just("skip"), st.none())
LOSE = st.tuples(st.just("lose"), st.randoms(use_true_random=False))
REPEAT = st.tuples(st.just("repeat"), st.integers(1, 5))
AGAIN = st.tuples(st.just("again"), st.integers(1, 5))
STEPS = st.lists(
    st.one_of(SEND, PASS, ROUND, SEND, ROUND, RESTART, SKIP, LOSE, AGAIN, AGAIN, REPEAT), min_size=20, max_size=50
)


def play(round_: Round, steps: list[tuple[str, Any]]) -> Federation:
    """Updates by how far they lag behind the keeper's round, their attempt, and how long the broker has had them."""
    federation = Federation(round_)
    for step, what in steps:
        match step:
            case "send":
                federation.send(
                    [
                        an_update(
                            number % 256,
                            update_id=f"update-{number}",
                            round=max(1, federation.pending.round - lag),
                            attempt=max(1, federation.pending.attempt + attempt),
                            source_timestamp_ms=federation.now_ms + age_ms,
                        )
                        for number, (lag, attempt, age_ms) in enumerate(what, len(federation.sent))
                    ]
                )
            case "pass":
                federation.pass_time(what)
            case "round":
                federation.deliver_round()
            case "restart":
                federation.restart()
            case "skip":
                federation.skip_a_round()
            case "lose":
                federation.lose_state(what)
            case "repeat":
                federation.repeat(what)
            case "again":
                federation.send_again(what)
        federation.check_places()
    return federation


@examples(15)
@given(ROUNDS, STEPS)
def test_no_update_is_lost_or_counted_twice(round_: Round, steps: list[tuple[str, Any]]) -> None:
    federation = play(round_, steps)
    federation.check_bounds()
    federation.finish()
    federation.check_places()
    last = federation.pending.round
    held = [decode(data, AcceptedUpdate) for data in federation.state("held")]
    newer = [update for update in held if update.round > last or update.attempt > 1]
    assert held == newer, "only updates of rounds and attempts that never were may still wait"


@examples(15)
@given(ROUNDS, STEPS)
def test_only_synchronous_rounds_give_updates_back(round_: Round, steps: list[tuple[str, Any]]) -> None:
    federation = play(round_, steps)
    given_back = sum(outcome is Outcome.ROUND_FAILED for _, outcome in federation.answered)
    assert given_back == sum(num for *_, num in federation.failed) * (round_.window is WindowMode.SYNCHRONOUS)


@given(
    ROUNDS.map(lambda round_: replace(round_, round=4, target=10)),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1_500)), max_size=8),
    st.randoms(use_true_random=False),
    st.integers(0, 8),
)
def test_what_is_admitted_does_not_depend_on_the_order_while_nothing_closes(
    round_: Round, what: list[tuple[int, int]], random: Any, overtaking: int
) -> None:
    """Nor on how many updates overtake the round's record."""
    updates = [
        an_update(number, round=max(1, 4 - lag), source_timestamp_ms=round_.opened_ms + at_ms)
        for number, (lag, at_ms) in enumerate(what)
    ]

    def admitted(order: list[AcceptedUpdate], early: int) -> set[bytes]:
        federation = Federation(round_)
        federation.send(order[:early])
        federation.deliver_round()
        federation.send(order[early:])
        federation.check_places()
        return set(federation.state("admitted"))

    shuffled = random.sample(updates, len(updates))
    assert admitted(shuffled, min(overtaking, len(updates))) == admitted(updates, 0)


def test_after_an_outage_what_the_broker_had_in_time_still_counts() -> None:
    """The timers of a restarted job fire before the log has been read on."""
    federation = Federation(a_round(quorum=2, target=3))
    federation.deliver_round()
    federation.send([an_update(1)])
    federation.now_ms = 60_000
    federation.restart()
    federation.pass_time(1)
    federation.send([an_update(2), an_update(3, source_timestamp_ms=2_001)])
    federation.pass_time(RESTART_MS)
    ((_, updates),) = federation.closed
    assert [update.update_id for update in updates] == ["update-1", "update-2"]
    assert [(update.update_id, outcome) for update, outcome in federation.answered] == [("update-3", Outcome.LATE)]
