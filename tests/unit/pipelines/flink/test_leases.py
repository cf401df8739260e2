"""Taking stages: who is refused, who is fenced, and what two that come at once get."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from fluvial.identity.brokers import Brokers
from fluvial.identity.keys import SigningKey
from fluvial.wire.framing import decode
from fluvial.wire.records import Fencing, HolderState, Lease, LeaseCause
from fluvial.wire.topics import Topics
from pipelines.flink.leases import LeaseLog, StagesHeld, take
from pipelines.leases.holding import SINK, Holding
from pipelines.leases.liveness import Beat
from pipelines.leases.table import LeaseTable
from tests.unit.pipelines.leases.builders import KEY, beat, lease, sealed

NOW_MS = 1_000_000


class MemoryLog(LeaseLog):
    """Topics in memory. others: what somebody else does between our look at the log and our writing."""

    def __init__(self, *records: bytes, beats: dict[int, Beat] | None = None) -> None:
        super().__init__(Brokers(bootstrap_servers=""), Topics("f."), KEY.public_key)
        self.records = list(records)
        self.said = beats or {}
        self.others: list[Callable[[], None]] = []
        self.waited, self.copies = 0, 1
        self.told: list[int] = []
        """Leases whose takers said that all is fenced."""

    def read(self) -> LeaseTable:
        for offset in range(self._position, len(self.records)):
            self.table.add(self.records[offset], offset, NOW_MS - 500)
        self._position = len(self.records)
        return self.table

    def beats(self) -> dict[int, Beat]:
        return self.said

    def now_ms(self) -> int:
        return NOW_MS

    def _write(self, record: Lease | Fencing, of: Lease, key: SigningKey) -> Any:
        if self.others and isinstance(record, Lease):
            self.others.pop(0)()
        self.records += [sealed(record, key)] * self.copies

    def tell_of_fencing(self, epoch: int, key: SigningKey) -> None:
        super().tell_of_fencing(epoch, key)
        self.told.append(epoch)

    def wait_for_former_leaders(self) -> None:
        self.waited += 1


class KnownTransactions:
    """What the brokers know. more: ids that are found at later looks."""

    def __init__(self, *known: str) -> None:
        self.known, self.more, self.fenced = list(known), [], []  # type: list[str], list[str], list[str]

    def ids(self, prefix: str) -> list[str]:
        found = [known for known in self.known if known.startswith(prefix)]
        self.known += self.more
        self.more = []
        return found

    def fence(self, ids: Sequence[str]) -> None:
        self.fenced += ids


def ids_of(epoch: int, *writers: str) -> list[str]:
    holding = Holding(epoch=epoch, offset=0, stages=("x",), secret="s" * 16)
    return [holding.transactional_id("f.", writer) for writer in writers]


def taken(
    log: MemoryLog,
    transactions: KnownTransactions | None = None,
    *,
    stages: tuple[str, ...] = ("audit",),
    take_over: bool = False,
    gone: Sequence[int] = (),
    restores: bool = False,
) -> Holding:
    return take(
        log,
        lease(0, *stages, job="mine"),
        KEY,
        transactions or KnownTransactions(),
        topic_prefix="f.",
        take_over=take_over,
        gone=gone,
        restores=restores,
    )


def held_by(epoch: int, *stages: str, state: HolderState = HolderState.RUNNING, age_ms: int = 1_000) -> MemoryLog:
    return MemoryLog(sealed(lease(epoch, *stages)), beats={epoch: beat(epoch, NOW_MS - age_ms, state)})


def test_stages_that_nobody_holds_are_taken() -> None:
    log = MemoryLog()
    first, second = taken(log), taken(log, stages=("validation",))
    assert (first.epoch, first.offset, first.stages) == (1, 0, ("audit",))
    assert (second.epoch, second.offset, second.stages) == (2, 1, ("validation",))
    assert first.secret != second.secret
    assert log.table.at(2).lease.cause is LeaseCause.FREE
    assert first.record == b"", "nothing to tell"


def test_a_holder_that_is_alive_is_named_and_keeps_its_stages() -> None:
    log = held_by(1, "validation", "audit")
    with pytest.raises(
        StagesHeld, match=r"stage audit is held by the job one on host since .*, heard from 1 s ago"
    ) as told:
        taken(log)
    assert "it also runs validation" in str(told.value)
    assert len(log.records) == 1


def test_a_lease_that_was_written_twice_because_an_answer_was_lost_is_the_writers_own() -> None:
    log = MemoryLog()
    log.copies = 2
    assert (taken(log).epoch, len(log.records)) == (1, 2)


def test_what_this_process_took_before_the_broker_went_away_is_not_asked_for() -> None:
    mine = replace(lease(0, "audit", job="mine"), pid=7, process_started_ms=5_000)
    log = MemoryLog(sealed(replace(mine, epoch=1)))
    after_the_clock_was_set = replace(mine, process_started_ms=6_000)
    take(log, after_the_clock_was_set, KEY, KnownTransactions(), topic_prefix="f.")
    assert log.table.epoch == 2
    for other in (replace(mine, job="other"), replace(mine, pid=8), replace(mine, process_started_ms=500_000)):
        with pytest.raises(StagesHeld):
            take(log, other, KEY, KnownTransactions(), topic_prefix="f.")


def test_taking_over_says_so_in_the_lease_and_fences_the_holder() -> None:
    log = held_by(1, "validation", "audit")
    transactions = KnownTransactions(
        *ids_of(1, "sink-0-0", "sink-0-1", "models-0"), "f.somebody-else", *ids_of(7, "sink")
    )
    holding = taken(log, transactions, take_over=True)
    assert holding.epoch == 2
    assert log.table.at(2).lease.cause is LeaseCause.TAKEN_OVER
    assert decode(holding.record, Lease) == log.table.at(2).lease
    assert holding.taken_ms == NOW_MS - 500, "the broker's time of the lease"
    assert log.table.successor(1) is log.table.at(2)
    assert transactions.fenced == sorted(ids_of(1, "sink-0-0", "sink-0-1", "models-0"))
    assert log.waited == 1
    assert log.told == [2]


@pytest.mark.parametrize("age_ms", [20_000, 10**6])
def test_a_holder_that_has_fallen_silent_is_taken_over_without_asking(age_ms: int) -> None:
    transactions = KnownTransactions(*ids_of(1, "sink-0-0"))
    assert taken(held_by(1, "audit", age_ms=age_ms), transactions).epoch == 2
    assert transactions.fenced == ids_of(1, "sink-0-0")


def test_a_holder_that_is_known_to_be_gone_is_not_asked() -> None:
    assert taken(held_by(1, "audit"), gone=[1]).epoch == 2
    lost = held_by(1, "audit", state=HolderState.TRANSACTION_LOST)
    assert taken(lost).epoch == 2
    assert lost.table.at(2).lease.cause is LeaseCause.TRANSACTION_LOST, "whoever submits it again need not say so"
    assert taken(lost, gone=[2]).record == b"", "the one after it is told nothing"


def test_everybody_who_held_one_of_the_stages_before_is_fenced_and_nobody_else() -> None:
    log = MemoryLog(*map(sealed, (lease(1, "audit"), lease(2, "validation"), lease(3, "audit", "evaluation"))))
    transactions = KnownTransactions(*ids_of(1, "sink-0-0"), *ids_of(2, "sink-0-0"), *ids_of(3, "sink-0-0"))
    taken(log, transactions, take_over=True)
    assert transactions.fenced == [*ids_of(1, "sink-0-0"), *ids_of(3, "sink-0-0")]


def test_whoever_was_fenced_once_is_not_fenced_again() -> None:
    log, transactions = MemoryLog(), KnownTransactions()
    for epoch in range(1, 30):
        assert taken(log, transactions, take_over=True).epoch == epoch
        transactions.known += ids_of(epoch, "sink-0-0", "sink-0-1")
    former = [known for epoch in range(1, 29) for known in ids_of(epoch, "sink-0-0", "sink-0-1")]
    assert transactions.fenced == former, "each once"


def test_ids_that_come_to_light_while_others_are_fenced_are_fenced_too() -> None:
    transactions = KnownTransactions(*ids_of(1, "sink-0-0"))
    transactions.more = ids_of(1, "sink-0-1")
    taken(held_by(1, "audit", age_ms=10**6), transactions)
    assert transactions.fenced == [*ids_of(1, "sink-0-0"), *ids_of(1, "sink-0-1")]


def test_who_begins_from_a_savepoint_commits_what_was_prepared_unless_somebody_may_still_be_there() -> None:
    ids = ids_of(1, f"{SINK}-0-0", "models-0")
    transactions = KnownTransactions(*ids)
    restoring = held_by(1, "audit")
    taken(restoring, transactions, gone=[1], restores=True)
    assert transactions.fenced == ids_of(1, "models-0")
    assert restoring.told == [], "what was spared is yet to be fenced"
    transactions = KnownTransactions(*ids)
    taken(held_by(1, "audit", age_ms=10**6), transactions, restores=True)
    assert transactions.fenced == sorted(ids)


def test_of_two_that_come_at_once_the_second_finds_the_first() -> None:
    log = MemoryLog()

    def another_takes_it() -> None:
        log.records.append(sealed(lease(1, "audit", job="theirs")))

    log.others = [another_takes_it]
    with pytest.raises(StagesHeld, match=r"held by the job theirs on host since .*, starting"):
        taken(log)
    assert [held.lease.job for held in log.table.in_force()] == ["theirs"]


def test_of_two_that_take_different_stages_at_once_both_have_theirs() -> None:
    log = MemoryLog()
    log.others = [lambda: log.records.append(sealed(lease(1, "validation", job="theirs")))]
    assert taken(log).epoch == 2
    assert [held.lease.job for held in log.table.in_force()] == ["theirs", "mine"]
