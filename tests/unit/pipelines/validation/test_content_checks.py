"""Content checks read each partition forward, once for all updates that wait, in threads of their own."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from fluvial.admission.judgement import Place
from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import ChunkReference, ModelUpdate, Reason, TensorLayout
from governance.admission import gate
from pipelines.flink.chunk_cache import Chunk
from pipelines.validation.content_checks import BATCH_S, LONGEST_BATCH_S, ContentChecks
from tests.steps import lines_run
from tests.unit.governance.admission.builders import a_round, a_world, an_inline_update, an_update, judge, sealed

CHUNK = b"\0" * 8
PATIENCE_S = 30.0
ROUND = a_round(chunk_elements=2, layout=(TensorLayout(name="weight", shape=(100,)),), num_elements=100)


def reference(partition: int, offset: int, chunk: bytes = CHUNK) -> ChunkReference:
    return ChunkReference(partition=partition, offset=offset, length=len(chunk), sha256=sha256(chunk).digest())


def needs_of(number: int, chunks: list[ChunkReference]) -> gate.NeedsEvidence:
    """An update with these chunks, at place (updates, number, 0). Whether they fit its round plays no part."""
    good = judge(sealed(an_update()), a_world())
    assert isinstance(good, gate.NeedsEvidence)
    source = replace(good.source, topic="updates", partition=number, offset=0)
    return replace(good, source=source, update=an_update(chunks=tuple(chunks)), round=ROUND)


class Log:
    """Chunks of zeros at all offsets below 100."""

    def __init__(self) -> None:
        self.reads: list[tuple[int, int]] = []
        self.readers: set[int] = set()
        self.failing: list[Exception] = []

    def read(self, chunk: ChunkReference) -> Chunk:
        self.readers.add(threading.get_ident())
        self.reads.append((chunk.partition, chunk.offset))
        if self.failing:
            raise self.failing[0]
        if chunk.offset >= 100:
            raise ChunkUnavailable("gone")
        return Chunk(b"%d" % chunk.offset, CHUNK)


def is_own(update: ModelUpdate, key: bytes | None) -> bool:
    """The chunk at offset 66 is somebody else's."""
    return key != b"66"


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def interleaved(count: int) -> list[gate.NeedsEvidence]:
    """Partition 0: updates take turns.  a0 b0 a1 b1 a2 b2;  partition 1 the same."""
    return [
        needs_of(number, [reference(p, turn * count + number) for turn in range(3) for p in (0, 1)])
        for number in range(count)
    ]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def wait_until_ready(checks: ContentChecks, records: list[gate.NeedsEvidence]) -> None:
    wait_for(lambda: all(checks.ready(place(record)) for record in records))


def place(needs: gate.NeedsEvidence) -> Place:
    return needs.source.place


def test_waiting_updates_are_read_together_in_the_order_of_the_log_and_not_by_who_asks(clock: Clock) -> None:
    log, records, told = Log(), interleaved(4), list[Any]()
    checks = ContentChecks(
        log.read, is_own, lambda needs, index, chunk: told.append((place(needs)[1], index, chunk)), clock
    )
    for record in records:
        checks.submit(record)
    assert not any(checks.ready(place(record)) for record in records)
    assert log.reads == []
    clock.now_s += BATCH_S
    wait_until_ready(checks, records)
    for partition in (0, 1):
        assert [offset for p, offset in log.reads if p == partition] == list(range(12))
    assert [checks.settle(place(record)) for record in records] == [gate.Finding()] * 4
    assert sorted(told) == [(number, index, CHUNK) for number in range(4) for index in range(6)]
    assert threading.get_ident() not in log.readers


def test_a_chunk_that_is_gone_concerns_its_update_alone_and_nothing_behind_it_is_read(clock: Clock) -> None:
    log = Log()
    checks = ContentChecks(log.read, is_own, clock=clock)
    lost, whole = needs_of(1, [reference(0, 100), reference(0, 101)]), needs_of(2, [reference(0, 3)])
    for record in (lost, whole):
        checks.submit(record)
    clock.now_s += LONGEST_BATCH_S
    wait_until_ready(checks, [lost, whole])
    assert checks.settle(place(whole)).fault is None
    assert checks.settle(place(lost)).fault is Reason.INCOMPLETE
    assert log.reads == [(0, 3), (0, 100)]


def test_what_the_broker_does_not_answer_is_tried_again(clock: Clock) -> None:
    log, records = Log(), interleaved(2)
    log.failing = [TimeoutError("away")]
    checks = ContentChecks(log.read, is_own, clock=clock)
    for record in records:
        checks.submit(record)
    clock.now_s += BATCH_S
    assert not checks.ready(place(records[0]))
    wait_for(lambda: len(log.reads) == 2)
    log.failing.clear()
    time.sleep(0.01)
    assert not checks.ready(place(records[0]))
    assert len(log.reads) == 2
    clock.now_s += 1.0
    wait_until_ready(checks, records)
    assert [checks.settle(place(record)) for record in records] == [gate.Finding()] * 2


def test_a_partition_whose_broker_does_not_answer_leaves_a_reader_to_the_others(clock: Clock) -> None:
    is_asked, answers, log = threading.Event(), threading.Event(), Log()

    def read(chunk: ChunkReference) -> Chunk:
        if chunk.partition == 0:
            is_asked.set()
            assert answers.wait(2 * PATIENCE_S)
        return log.read(chunk)

    checks = ContentChecks(read, is_own, clock=clock)
    stuck, other = needs_of(1, [reference(0, offset) for offset in range(4)]), needs_of(2, [reference(1, 0)])
    checks.submit(stuck)
    clock.now_s += LONGEST_BATCH_S
    for _ in range(2):
        assert not checks.ready(place(stuck))  # each look sends a thread there
        assert is_asked.wait(PATIENCE_S)
        wait_for(lambda: checks._num_queued == 0)
    checks.submit(other)
    clock.now_s += LONGEST_BATCH_S
    try:
        wait_until_ready(checks, [other])
        assert not checks.ready(place(stuck))
    finally:
        answers.set()
    wait_until_ready(checks, [stuck])
    assert [checks.settle(place(record)).fault for record in (stuck, other)] == [None, None]
    checks.close()


def test_no_second_reader_is_sent_behind_one_that_is_held_up(clock: Clock) -> None:
    is_asked, answers, log = threading.Event(), threading.Event(), Log()

    def read(chunk: ChunkReference) -> Chunk:
        is_asked.set()
        assert answers.wait(2 * PATIENCE_S)
        return log.read(chunk)

    checks = ContentChecks(read, is_own, clock=clock)
    checks.submit(first := needs_of(1, [reference(0, 0)]))
    clock.now_s += LONGEST_BATCH_S
    assert not checks.ready(place(first))
    assert is_asked.wait(PATIENCE_S)
    checks.submit(second := needs_of(2, [reference(0, 1), reference(0, 2)]))
    clock.now_s += LONGEST_BATCH_S
    assert not checks.ready(place(second))
    try:
        assert checks._partitions[0].num_threads == 1
    finally:
        answers.set()
    wait_until_ready(checks, [first, second])
    checks.close()


def test_what_no_chunk_can_explain_is_raised_where_it_is_waited_for(clock: Clock) -> None:
    log, records = Log(), interleaved(2)
    log.failing = [RuntimeError("a bug")]
    checks = ContentChecks(log.read, is_own, clock=clock)
    for record in records:
        checks.submit(record)
    clock.now_s += BATCH_S
    wait_until_ready(checks, records)
    for record in records:
        with pytest.raises(RuntimeError, match="a bug"):
            checks.settle(place(record))


def test_a_sparse_stretch_is_worth_waiting_for_but_not_for_ever(clock: Clock) -> None:
    log, records = Log(), interleaved(4)
    checks = ContentChecks(log.read, is_own, clock=clock)
    for record in records[:3]:
        checks.submit(record)
        clock.now_s += BATCH_S
        assert not checks.ready(place(records[0]))
    assert log.reads == []
    clock.now_s += LONGEST_BATCH_S
    wait_until_ready(checks, records[:3])
    assert len(log.reads) == 18


def test_a_reference_far_away_does_not_keep_others_waiting(clock: Clock) -> None:
    log, records = Log(), interleaved(2)
    checks = ContentChecks(log.read, is_own, clock=clock)
    far = needs_of(9, [reference(0, 1 << 60), reference(1, 0)])
    for record in (*records, far):
        checks.submit(record)
    clock.now_s += BATCH_S
    wait_until_ready(checks, records)


def test_a_chunk_is_checked_while_the_next_of_its_partition_is_read(clock: Clock) -> None:
    """The check of the first ends only when the second has been read."""
    log, second_was_read, was_read_meanwhile = Log(), threading.Event(), list[bool]()

    def read(chunk: ChunkReference) -> Chunk:
        if chunk.offset == 1:
            second_was_read.set()
        return log.read(chunk)

    def on_checked(needs: gate.NeedsEvidence, index: int, chunk: bytes) -> None:
        if place(needs)[1] == 0:
            was_read_meanwhile.append(second_was_read.wait(PATIENCE_S))

    checks = ContentChecks(read, is_own, on_checked, clock)
    records = [needs_of(number, [reference(0, number)]) for number in range(3)]
    for record in records:
        checks.submit(record)
    clock.now_s += BATCH_S
    wait_until_ready(checks, records)
    assert was_read_meanwhile == [True]
    assert log.reads == [(0, 0), (0, 1), (0, 2)]


def test_what_is_withdrawn_is_not_read(clock: Clock) -> None:
    log, records = Log(), interleaved(2)
    checks = ContentChecks(log.read, is_own, clock=clock)
    for record in records:
        checks.submit(record)
    checks.withdraw(place(records[0]))
    checks.withdraw(place(records[0]))
    clock.now_s += LONGEST_BATCH_S
    wait_until_ready(checks, records[1:])
    assert sorted(log.reads) == [(p, offset) for p in (0, 1) for offset in (1, 3, 5)]


def test_equal_records_at_two_places_have_their_own_findings(clock: Clock) -> None:
    log = Log()
    checks = ContentChecks(log.read, is_own, clock=clock)
    first, second = (needs_of(number, [reference(0, 5)]) for number in (7, 8))
    for record in (first, second):
        checks.submit(record)
    clock.now_s += BATCH_S
    wait_until_ready(checks, [first, second])
    assert checks.settle(place(first)) == checks.settle(place(second)) == gate.Finding()
    assert log.reads == [(0, 5), (0, 5)]


def test_a_place_that_a_failed_job_left_behind_is_checked_anew(clock: Clock) -> None:
    log = Log()
    checks = ContentChecks(log.read, is_own, clock=clock)
    checks.submit(needs_of(1, [reference(0, 100)]))
    checks.submit(again := needs_of(1, [reference(0, 5)]))
    clock.now_s += BATCH_S
    wait_until_ready(checks, [again])
    assert checks.settle(place(again)) == gate.Finding()
    assert log.reads == [(0, 5)]


def test_an_inline_delta_is_inspected_at_once() -> None:
    checks = ContentChecks(Log().read, is_own)
    update = an_inline_update()
    needs = replace(needs_of(1, []), update=update, round=a_round(chunk_elements=16))
    found = checks.at_once(needs)
    assert found is not None
    assert found.max_abs == 3.0
    checks.submit(needs)
    assert checks.ready(place(needs))
    assert checks.settle(place(needs)) == found
    assert checks.at_once(needs_of(1, [reference(0, 5)])) is None


def test_looks_at_many_that_wait_are_cheap(clock: Clock) -> None:
    """500 updates of 40 chunks, of which none is dense: a look at all of them took 1.9 s. Now 57 lines for each."""
    log, checked = Log(), list[gate.NeedsEvidence]()
    checks = ContentChecks(log.read, is_own, clock=clock)
    good = needs_of(0, [])
    for number in range(500):
        chunks = tuple(reference(p, turn * 1000 + number) for turn in range(10) for p in range(4))
        source = replace(good.source, partition=number)
        checked.append(replace(good, source=source, update=replace(good.update, chunks=chunks)))
        checks.submit(checked[-1])
    clock.now_s += BATCH_S
    assert lines_run(lambda: [checks.ready(place(needs)) for needs in checked]) < 100 * len(checked)
    assert not any(checks.ready(place(needs)) for needs in checked)
    assert log.reads == []


def test_the_chunk_of_another_participant_refuses_the_update(clock: Clock) -> None:
    log, told = Log(), list[Any]()
    checks = ContentChecks(log.read, is_own, lambda needs, index, chunk: told.append(index), clock)
    copier = needs_of(1, [reference(0, 65), reference(0, 66), reference(0, 67)])
    checks.submit(copier)
    clock.now_s += BATCH_S
    wait_until_ready(checks, [copier])
    assert checks.settle(place(copier)).fault is Reason.CHUNK_CLAIMED
    assert (log.reads, told) == ([(0, 65), (0, 66)], [0])


def test_closed_checks_end_their_threads(clock: Clock) -> None:
    log = Log()
    checks = ContentChecks(log.read, is_own, clock=clock)
    checks.submit(record := needs_of(1, [reference(0, 5)]))
    clock.now_s += BATCH_S
    wait_until_ready(checks, [record])
    before = threading.active_count()
    checks.close()
    wait_for(lambda: threading.active_count() < before)
