"""A guarded operator that is started again after each failure, as Flink does it, until the input is through."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from pyflink.datastream import FlatMapFunction, KeyedProcessFunction

from fluvial.wire.errors import TransportError
from fluvial.wire.framing import decode
from fluvial.wire.records import AuditEvent, Failure, SetAside
from fluvial.wire.topics import Topics
from pipelines.flink import failure_log, guard
from pipelines.flink.bundles import Kind, pack_bundle, parse_sources
from pipelines.flink.frames import SinkRecord, SourceRecord, parse_sink, parse_source, source_frame
from pipelines.flink.guard import Form, guarded

TOPICS = Topics()
SETTINGS: Any = SimpleNamespace(topics=TOPICS, submission="s", record_attempts=3, brokers=None, code="")


class Log:
    """What the guard has written outside of transactions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.records: list[SinkRecord] = []
        monkeypatch.setattr(failure_log, "write_now", self._write)
        monkeypatch.setattr(failure_log, "failures", lambda _: self.failures())
        # A restart takes longer than a millisecond; failures of the same one are copies.
        monkeypatch.setattr(guard, "time", SimpleNamespace(time=count(1).__next__))

    def of(self, topic: str) -> list[SinkRecord]:
        return [record for record in self.records if record.topic == topic]

    def failures(self) -> list[Failure]:
        return [decode(record.value or b"", Failure) for record in self.of(TOPICS.failures)]

    def _write(self, _: Any, frames: list[bytes]) -> None:
        self.records += [parse_sink(frame) for frame in frames]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    return Log(monkeypatch)


class Echo(KeyedProcessFunction):
    """Gives the offsets of a bundle's records; cannot stand what says so."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error or KeyError("no such thing")

    def process_element(self, value: bytes, ctx: Any) -> Iterator[int]:
        for record in parse_sources(value):
            if record.value == b"poison":
                raise self._error
            yield record.offset

    def set_aside(self, value: bytes, ctx: Any, failure: Failure) -> Iterator[str]:
        (record,) = parse_sources(value)
        yield f"without {record.offset}: {failure.error}"


class EchoRecord(FlatMapFunction):
    def flat_map(self, value: bytes) -> Iterator[int]:
        record = parse_source(value)
        if record.value == b"poison":
            raise KeyError("no such thing")
        yield record.offset


class Timers(KeyedProcessFunction):
    def process_element(self, value: bytes, ctx: Any) -> Iterator[int]:
        raise NotImplementedError

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[int]:
        raise ValueError("the work of a timer")

    def timer_set_aside(self, timestamp: int, ctx: Any, failure: Failure) -> Iterator[str]:
        yield f"instead of {timestamp}: {failure.error}"


def record(offset: int, value: bytes = b"fine") -> SourceRecord:
    return SourceRecord(0, offset, 1, b"key", value)


def bundle(*records: SourceRecord) -> bytes:
    return pack_bundle(Kind.SOURCE, [source_frame(record) for record in records])


def context(attempt: int) -> Any:
    return SimpleNamespace(get_attempt_number=lambda: attempt, get_current_key=lambda: "lane")


def run(function: Any, form: Form, inputs: list[bytes], most: int = 10) -> tuple[list[Any], int]:
    """What comes out of the start that gets through, and how many failed before it."""
    for attempt in range(most):
        operator, ctx, out = guarded(function, "echo", SETTINGS, form), context(attempt), []
        operator.open(ctx)
        try:
            for value in inputs:
                out += (
                    operator.flat_map(value) if hasattr(operator, "flat_map") else operator.process_element(value, ctx)
                )
        except Exception:
            continue
        return out, attempt
    raise AssertionError("it never gets through")


def test_a_bundle_goes_on_without_its_poison(log: Log) -> None:
    inputs = [bundle(record(1), record(2, b"poison"), record(3)), bundle(record(4))]
    out, failed = run(Echo(), Form.BUNDLE, inputs)
    assert out == [1, "without 2: KeyError", 3, 4]
    assert failed == 2
    assert [failure.items for failure in log.failures()] == [("0@1", "0@2", "0@3"), ("0@2",), ("0@2",)]
    assert [failure.set_aside for failure in log.failures()] == [False, False, True]
    (kept,) = log.of(TOPICS.quarantine)
    assert (kept.key, kept.value) == (b"echo/0@2", b"poison")
    assert dict(kept.headers)["reason"] == b"RAISED"
    assert b"no such thing" in dict(kept.headers)["traceback"]
    (event,) = [decode(found.value or b"", AuditEvent) for found in log.of(TOPICS.events)]
    told = decode(event.data, SetAside)
    assert (told.operator, told.item, told.error) == ("echo", "0@2", "KeyError")


def test_two_poisons_in_one_bundle_cost_one_start_more(log: Log) -> None:
    inputs = [bundle(record(1, b"poison"), record(2), record(3, b"poison"))]
    out, failed = run(Echo(), Form.BUNDLE, inputs)
    assert out == ["without 1: KeyError", 2, "without 3: KeyError"]
    assert failed == 3


def test_bundles_of_another_size_after_each_start_make_no_difference(log: Log) -> None:
    records = [record(1), record(2, b"poison"), record(3)]
    starts = iter([[bundle(*records)], [bundle(*records[:1]), bundle(*records[1:])], [bundle(*records)]])
    for attempt, inputs in enumerate(starts):
        operator = guarded(Echo(), "echo", SETTINGS, Form.BUNDLE)
        operator.open(context(attempt))
        out: list[Any] = []
        try:
            for value in inputs:
                out += operator.process_element(value, context(attempt))
        except KeyError:
            assert attempt < 2
    assert out == [1, "without 2: KeyError", 3]


def test_a_function_without_keys_is_guarded_too(log: Log) -> None:
    inputs = [source_frame(record(1)), source_frame(record(2, b"poison")), source_frame(record(3))]
    out, failed = run(EchoRecord(), Form.RECORD, inputs)
    assert out == [1, 3]
    assert failed == 2


@pytest.mark.parametrize(
    "error",
    [
        TransportError("the broker is away"),
        TimeoutError(),
        ConnectionResetError(),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EMFILE, "Too many open files"),
    ],
)
def test_what_is_nobodys_fault_is_held_against_nobody(log: Log, error: Exception) -> None:
    with pytest.raises(AssertionError, match="never gets through"):
        run(Echo(error), Form.BUNDLE, [bundle(record(2, b"poison"))], most=5)
    assert log.records == []


def test_a_timer_is_set_aside_where_the_operator_says_how(log: Log) -> None:
    for attempt in range(3):
        operator = guarded(Timers(), "timers", SETTINGS, Form.MESSAGE)
        operator.open(context(attempt))
        if attempt < 2:
            with pytest.raises(ValueError, match="the work of a timer"):
                list(operator.on_timer(5, context(attempt)))
    assert list(operator.on_timer(5, context(2))) == ["instead of 5: ValueError"]


def test_a_timer_set_aside_condemns_none_that_comes_after_it(log: Log) -> None:
    for attempt in range(3):
        operator = guarded(Timers(), "timers", SETTINGS, Form.MESSAGE)
        operator.open(context(attempt))
        if attempt < 2:
            with pytest.raises(ValueError, match="the work of a timer"):
                list(operator.on_timer(5, context(attempt)))
    assert list(operator.on_timer(5, context(2))) == ["instead of 5: ValueError"]
    with pytest.raises(ValueError, match="the work of a timer"):
        list(operator.on_timer(6, context(2)))


def test_what_cannot_be_guarded_is_said_when_the_job_is_built() -> None:
    with pytest.raises(TypeError, match="cannot be guarded"):
        guarded(object(), "x", SETTINGS, Form.MESSAGE)
