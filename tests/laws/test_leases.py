"""Whatever jobs take stages from each other, wherever each of them is stopped and goes on, and whoever dies while it
takes them: once a job has its stages, nothing that an earlier holder does becomes visible, although none is fenced
twice by those who said that they are done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.identity.keys import SigningKey
from fluvial.wire.records import Lease
from pipelines.flink.leases import take
from pipelines.leases.holding import Holding, user_of
from tests.unit.pipelines.flink.test_leases import MemoryLog
from tests.unit.pipelines.leases.builders import KEY, lease

STAGES = ("validation", "aggregation", "audit")
PREFIX = "f."

Step = Callable[[], None]


class Died(Exception):
    """A job ended while it took its stages."""


@dataclass
class Brokers:
    """Transactional ids and their epochs. `between` happens before each request is served."""

    between: Step
    epochs: dict[str, int] = field(default_factory=dict)
    fenced: list[str] = field(default_factory=list)

    def ids(self, prefix: str) -> list[str]:
        self.between()
        return [known for known in self.epochs if known.startswith(prefix)]

    def fence(self, ids: Sequence[str]) -> None:
        for known in ids:
            self.between()
            self.epochs[known] += 1
            self.fenced.append(known)

    def begin(self, known: str) -> int:
        self.epochs[known] = self.epochs.get(known, 0) + 1
        return self.epochs[known]


class Log(MemoryLog):
    """`between` happens before each record is written, and after it."""

    between: Step

    def write(self, record: Lease, key: SigningKey) -> bool:
        self.between()
        counts = super().write(record, key)
        self.between()
        return counts

    def tell_of_fencing(self, epoch: int, key: SigningKey) -> None:
        self.between()
        super().tell_of_fencing(epoch, key)
        self.between()


@dataclass
class Job:
    """A holder, one of whose writers goes through the steps of its transactions, one at a time."""

    holding: Holding
    writer: int
    begun: int = 0
    looked: bool = False

    def step(self, brokers: Brokers, log: Log) -> bool:
        """Whether something became visible by it."""
        known = self.holding.transactional_id(PREFIX, f"sink-{self.writer}")
        if not self.begun:
            self.begun = brokers.begin(known)
        elif not self.looked:
            if log.read().successor(self.holding.epoch) is None:
                self.looked = True
            else:
                self.begun = 0  # it ends; whoever starts it again tries the same
        else:
            committed = brokers.epochs[known] == self.begun
            self.begun, self.looked = 0, False
            return committed
        return False


class World:
    """Jobs that hold, or have held, stages; what happens between the steps of one that takes some is drawn."""

    def __init__(self, data: st.DataObject) -> None:
        self.data, self.jobs = data, list[Job]()
        self.taken: list[Holding] = []
        self.deaths = 0
        self.taking = False
        self.brokers = Brokers(self.between)
        self.log = Log()
        self.log.between = self.between

    def between(self) -> None:
        for _ in range(self.data.draw(st.integers(0, 3))):
            self.some_job_goes_on()
        if self.taking and self.data.draw(st.integers(0, 4)) == 0:
            raise Died

    def some_job_goes_on(self) -> None:
        if not self.jobs:
            return
        job = self.data.draw(st.sampled_from(self.jobs))
        if job.step(self.brokers, self.log):
            mine = job.holding
            later = [other for other in self.taken if other.epoch > mine.epoch]
            assert all(set(mine.stages).isdisjoint(other.stages) for other in later), f"{mine.epoch} writes on"

    def take(self, stages: tuple[str, ...]) -> None:
        self.taking = True
        try:
            holding = take(self.log, lease(0, *stages), KEY, self.brokers, topic_prefix=PREFIX, take_over=True)
        except Died:
            self.deaths += 1
            return
        finally:
            self.taking = False
        self.taken.append(holding)
        self.jobs += [Job(holding, writer) for writer in range(2)]


def play(data: st.DataObject) -> World:
    world = World(data)
    for _ in range(data.draw(st.integers(2, 6))):
        world.take(tuple(data.draw(st.sets(st.sampled_from(STAGES), min_size=1).map(sorted))))
        world.between()
    return world


@given(st.data())
def test_once_a_job_has_its_stages_nothing_of_an_earlier_holder_becomes_visible(data: st.DataObject) -> None:
    world = play(data)
    for known in set(world.brokers.fenced):
        assert user_of(known, PREFIX) is not None
        assert world.brokers.fenced.count(known) <= 1 + world.deaths


def test_who_dies_before_it_has_fenced_leaves_it_to_the_next() -> None:
    """A lease in the log does not say that its taker lived to fence anybody."""
    nothing: Step = lambda: None  # noqa: E731
    brokers, log = Brokers(nothing), Log()
    log.between = nothing

    def taken() -> Job:
        return Job(take(log, lease(0, "audit"), KEY, brokers, topic_prefix=PREFIX, take_over=True), 0)

    def die() -> None:
        raise Died

    first = taken()
    assert not first.step(brokers, log)
    assert not first.step(brokers, log)
    assert (first.begun, first.looked) == (1, True), "the lease was still its own"
    brokers.between = die
    with pytest.raises(Died):
        taken()
    brokers.between = nothing
    third = taken()
    assert third.holding.epoch == 3
    assert not first.step(brokers, log), "fenced"
    fourth = taken()
    assert [user.epoch for known in brokers.fenced if (user := user_of(known, PREFIX))] == [1], "once, by the third"
    assert [third.step(brokers, log) or fourth.step(brokers, log) for _ in range(3)] == [False, False, True]
