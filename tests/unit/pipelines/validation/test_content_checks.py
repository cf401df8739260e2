"""Content checks read each partition forward, once for all updates that wait, whoever settles first."""

import hashlib
import threading
import time
from typing import Any

import pytest

from fluvial.wire.errors import ChunkUnavailable
from fluvial.wire.records import ChunkReference
from governance.admission.gate import Source
from pipelines.validation.content_checks import ContentChecks


class Record:
    """Stands for NeedsContent: what the checks use of it."""

    def __init__(self, number: int, chunks: list[ChunkReference], offset: int = 0) -> None:
        self.source = Source(topic="updates", partition=number, offset=offset, timestamp_ms=0, key=b"alice")
        self.record_sha256 = bytes([number]) * 32
        self.update = self
        self.chunks = chunks


class Recorder:
    """Stands for an Inspection: remembers what it was given."""

    def __init__(self, stop_after: int = 99) -> None:
        self.given: dict[int, bytes] = {}
        self.missing = False
        self._stop_after = stop_after

    @property
    def refused(self) -> bool:
        return self.missing or len(self.given) >= self._stop_after

    def add(self, index: int, chunk: bytes) -> bool:
        assert index not in self.given
        self.given[index] = chunk
        return not self.refused

    def unavailable(self) -> None:
        self.missing = True

    def result(self) -> Any:
        return self.given


def reference(partition: int, offset: int) -> ChunkReference:
    chunk = b"%d/%d" % (partition, offset)
    return ChunkReference(partition=partition, offset=offset, length=len(chunk), sha256=hashlib.sha256(chunk).digest())


class Log:
    def __init__(self) -> None:
        self.reads: list[tuple[int, int]] = []

    def read(self, chunk: ChunkReference) -> bytes:
        self.reads.append((chunk.partition, chunk.offset))
        if chunk.offset >= 100:
            raise ChunkUnavailable("gone")
        return b"%d/%d" % (chunk.partition, chunk.offset)


def interleaved(count: int) -> list[Record]:
    """Partition 0: updates take turns.  a0 b0 a1 b1 a2 b2;  partition 1 the same."""
    return [
        Record(number, [reference(p, turn * count + number) for turn in range(3) for p in (0, 1)])
        for number in range(count)
    ]


def test_waiting_updates_are_read_together_in_the_order_of_the_log() -> None:
    log, records = Log(), interleaved(4)
    checks = ContentChecks(log.read)
    inspections = [Recorder() for _ in records]
    for record, inspection in zip(records, inspections, strict=True):
        checks.submit(record, inspection)  # type: ignore[arg-type]  # stand-ins
    results = [checks.settle(record) for record in records]  # type: ignore[arg-type]  # stand-ins
    assert log.reads == [(p, offset) for p in (0, 1) for offset in range(12)]
    assert results[1] == {i: b"%d/%d" % (c.partition, c.offset) for i, c in enumerate(records[1].chunks)}


def test_a_chunk_that_is_gone_concerns_its_update_alone() -> None:
    log = Log()
    checks = ContentChecks(log.read)
    lost, whole = Record(1, [reference(0, 100), reference(0, 101)]), Record(2, [reference(0, 3)])
    inspections = Recorder(), Recorder()
    checks.submit(lost, inspections[0])  # type: ignore[arg-type]  # stand-ins
    checks.submit(whole, inspections[1])  # type: ignore[arg-type]  # stand-ins
    assert checks.settle(whole) == {0: b"0/3"}  # type: ignore[arg-type, comparison-overlap]  # stand-ins
    checks.settle(lost)  # type: ignore[arg-type]  # stand-ins
    assert inspections[0].missing
    assert log.reads == [(0, 3), (0, 100)]


def test_after_a_timeout_everything_still_waits() -> None:
    log, fail = Log(), [True]

    def read(chunk: ChunkReference) -> bytes:
        if fail.pop() if fail else False:
            raise TimeoutError
        return log.read(chunk)

    checks = ContentChecks(read)
    records = interleaved(2)
    for record in records:
        checks.submit(record, Recorder())  # type: ignore[arg-type]  # stand-ins
    with pytest.raises(TimeoutError):
        checks.settle(records[0])  # type: ignore[arg-type]  # stand-ins
    assert [len(checks.settle(record)) for record in records] == [6, 6]  # type: ignore[arg-type]  # stand-ins


def test_a_sparse_stretch_is_worth_waiting_for() -> None:
    checks = ContentChecks(Log().read)
    records = interleaved(4)
    checks.submit(records[0], Recorder())  # type: ignore[arg-type]  # stand-ins
    assert not checks.dense(records[0])  # type: ignore[arg-type]  # stand-ins
    for record in records[1:]:
        assert not checks.dense(records[0])  # type: ignore[arg-type]  # stand-ins
        checks.submit(record, Recorder())  # type: ignore[arg-type]  # stand-ins
    assert checks.dense(records[0])  # type: ignore[arg-type]  # stand-ins


def test_threads_read_in_the_background() -> None:
    log, told = Log(), []
    checks = ContentChecks(log.read, lambda needs, index, chunk: told.append((needs.record_sha256[0], index, chunk)))
    records = interleaved(4)
    refusing = Recorder(stop_after=2)
    for record in records:
        inspection = refusing if record is records[3] else Recorder()
        checks.submit(record, inspection)  # type: ignore[arg-type]  # stand-ins
    deadline = time.monotonic() + 30
    while not all(checks.ready(record) for record in records):  # type: ignore[arg-type]  # stand-ins
        assert time.monotonic() < deadline
        time.sleep(0.001)
    num_read = len(log.reads)
    assert num_read == 20
    results = [checks.settle(record) for record in records]  # type: ignore[arg-type]  # stand-ins
    assert [len(result) for result in results] == [6, 6, 6, 2]
    assert len(log.reads) == num_read
    # Of the update that is refused, the chunk with which it is refused is not handed on.
    assert sorted(number for number, _, _ in told) == [0] * 6 + [1] * 6 + [2] * 6 + [3]


def test_what_the_background_could_not_read_is_met_again() -> None:
    fail = [True]

    def read(chunk: ChunkReference) -> bytes:
        if fail:
            raise TimeoutError
        return b"%d/%d" % (chunk.partition, chunk.offset)

    checks = ContentChecks(read)
    (record,) = interleaved(1)
    checks.submit(record, Recorder())  # type: ignore[arg-type]  # stand-ins
    deadline = time.monotonic() + 30
    while not checks.ready(record):  # type: ignore[arg-type]  # stand-ins
        assert time.monotonic() < deadline
        time.sleep(0.001)
    with pytest.raises(TimeoutError):
        checks.settle(record)  # type: ignore[arg-type]  # stand-ins
    fail.clear()
    assert len(checks.settle(record)) == 6  # type: ignore[arg-type]  # stand-ins


def test_what_is_withdrawn_is_not_read() -> None:
    log = Log()
    checks = ContentChecks(log.read)
    records = interleaved(2)
    for record in records:
        checks.submit(record, Recorder())  # type: ignore[arg-type]  # stand-ins
    checks.withdraw(records[0])  # type: ignore[arg-type]  # stand-ins
    checks.withdraw(records[0])  # type: ignore[arg-type]  # stand-ins
    checks.settle(records[1])  # type: ignore[arg-type]  # stand-ins
    assert log.reads == [(p, offset) for p in (0, 1) for offset in (1, 3, 5)]


def test_two_threads_share_the_work() -> None:
    log = Log()
    checks = ContentChecks(log.read)
    records = interleaved(8)
    for record in records:
        checks.submit(record, Recorder())  # type: ignore[arg-type]  # stand-ins
    results: dict[int, Any] = {}

    def settle(mine: list[Record]) -> None:
        for record in mine:
            results[record.record_sha256[0]] = checks.settle(record)  # type: ignore[arg-type]  # stand-ins

    threads = [threading.Thread(target=settle, args=(records[start::2],)) for start in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(len(result) for result in results.values()) == [6] * 8
    assert sorted(log.reads) == [(p, offset) for p in (0, 1) for offset in range(24)]


def test_equal_records_at_two_places_have_their_own_results() -> None:
    log = Log()
    checks = ContentChecks(log.read)
    first, second = (Record(1, [reference(0, 5)], offset) for offset in (7, 8))
    inspections = Recorder(), Recorder()
    for record, inspection in zip((first, second), inspections, strict=True):
        checks.submit(record, inspection)  # type: ignore[arg-type]  # stand-ins
    for record, inspection in zip((first, second), inspections, strict=True):
        assert checks.settle(record) is inspection.given  # type: ignore[arg-type, comparison-overlap]  # stand-ins
