"""Keeps one record that an operator cannot handle from stopping the job.

    stream.process(guarded(Evaluate(settings), "evaluate", settings, Form.MESSAGE), BYTES)

When the operator raises, the job fails and goes back to its checkpoint, as Flink wants it: nothing that the failed call
did to state or output remains. What was in hand goes to topic failures first, so that it is known after the restart, in
whatever process. An item that failed so `record_attempts - 1` times is set aside: its bytes and the traceback go to
topic quarantine, an event tells of it, and the operator is not called for it. What must follow then (a verdict, the end
of a round) says the operator's own method `set_aside(value, ctx, failure)`, where it has one.

A timer has no item in hand. One that raises is known by its key, and set aside only where the operator says how: by a
method `timer_set_aside(timestamp, ctx, failure)`.

Errors of the surroundings (a broker that does not answer, memory, a full disk, too many open files) are nobody's fault
and not counted.
"""

from __future__ import annotations

import errno
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from enum import Enum
from hashlib import sha256
from typing import Any

from confluent_kafka import KafkaException
from pyflink.datastream import FlatMapFunction, KeyedBroadcastProcessFunction, KeyedProcessFunction

from fluvial.wire.errors import TransportError
from fluvial.wire.foreign_text import logger
from fluvial.wire.records import Failure, SetAside
from pipelines.config import Settings
from pipelines.flink import failure_log
from pipelines.flink.attempts import attempt_of
from pipelines.flink.audit_frames import audit_frame
from pipelines.flink.bundles import Kind, pack_bundle, parse_sources
from pipelines.flink.frames import parse_source, sink_frame, source_frame
from pipelines.flink.loaded_code import check_loaded_code
from pipelines.flink.suspects import Suspects

_TRACEBACK_CHARACTERS = 4_000
_OF_THE_SURROUNDINGS = (TransportError, TimeoutError, ConnectionError, KafkaException, MemoryError)
_OF_THE_HOST = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}
)
"""What a system says of a disk, of open files and of memory, whoever asks."""

_log = logger(__name__)


class Form(Enum):
    """What the values are that an operator is called with."""

    RECORD = "a source frame"
    BUNDLE = "a bundle of source frames"
    MESSAGE = "a message between operators"


def guarded(function: Any, operator: str, settings: Settings, form: Form) -> Any:
    """The function, guarded. operator: its name in the job's graph. Raises TypeError for another kind of function."""
    guard = Guard(function, operator, settings, form)
    match function:
        case KeyedBroadcastProcessFunction():
            return _GuardedBroadcast(function, guard)
        case KeyedProcessFunction():
            return _GuardedProcess(function, guard)
        case FlatMapFunction():
            return _GuardedFlatMap(function, guard)
    raise TypeError(f"{type(function).__name__} cannot be guarded")


class Guard:
    """Calls an operator with one value after the other, and remembers across restarts what it raised on."""

    def __init__(self, function: Any, operator: str, settings: Settings, form: Form) -> None:
        self._function, self._operator, self._settings, self._form = function, operator, settings, form

    def open(self, attempt: int) -> None:
        """attempt: of the operator's task; at the first one nothing can have failed yet."""
        check_loaded_code(self._settings.code)
        failures = failure_log.failures(self._settings) if attempt else ()
        settings = self._settings
        self._suspects = Suspects(self._operator, settings.submission, settings.record_attempts, failures)

    def run(
        self, value: bytes, call: Callable[[bytes], Iterable[Any] | None], ctx: Any = None, form: Form | None = None
    ) -> Iterator[Any]:
        """What the call gives for the value. Raises what it raises."""
        form = form or self._form
        if not self._suspects:
            try:
                yield from call(value) or ()
            except Exception as error:
                self._failed([item for item, _ in _items(value, form)], error)
                raise
            return
        for part, items in self._parts(value, form):
            failure = self._suspects.condemned(items[0]) if len(items) == 1 else None
            if failure is not None:
                yield from self._set_aside(part, form, failure, ctx)
                continue
            try:
                yield from call(part) or ()
            except Exception as error:
                self._failed(items, error)
                raise
            self._suspects.acquit(items)

    def run_timer(self, timestamp: int, call: Callable[[], Iterable[Any] | None], ctx: Any) -> Iterator[Any]:
        """What a timer gives. Raises what it raises."""
        items = [f"timer of {ctx.get_current_key()}"]
        failure, instead = self._suspects.condemned(items[0]), getattr(self._function, "timer_set_aside", None)
        if failure is not None and instead is not None:
            self._tell(items[0], b"", failure)
            yield from instead(timestamp, ctx, failure) or ()
            # What the timer was for is gone; the next one of the key may be for something else.
            self._suspects.acquit(items)
            return
        try:
            yield from call() or ()
        except Exception as error:
            self._failed(items, error)
            raise
        self._suspects.acquit(items)

    def _parts(self, value: bytes, form: Form) -> Iterator[tuple[bytes, list[str]]]:
        items = [item for item, _ in _items(value, form)]
        if form is not Form.BUNDLE or not any(item in self._suspects for item in items):
            yield value, items
            return
        frames = [source_frame(record) for record in parse_sources(bytes(value))]
        for part in self._suspects.apart(items):
            yield pack_bundle(Kind.SOURCE, [frames[place] for place in part]), [items[place] for place in part]

    def _failed(self, items: list[str], error: Exception) -> None:
        if _is_of_the_surroundings(error):
            return
        trace = "".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:]
        _log.error("%s raised with %s in hand: %s", self._operator, _named(items), trace)
        failure_log.remember(self._settings, self._failure(items, type(error).__name__, trace))

    def _set_aside(self, value: bytes, form: Form, failure: Failure, ctx: Any) -> Iterator[Any]:
        ((item, raw),) = _items(value, form)
        self._tell(item, raw, failure)
        follow = getattr(self._function, "set_aside", None)
        if follow is not None:
            yield from follow(value, ctx, failure) or ()

    def _tell(self, item: str, raw: bytes, failure: Failure) -> None:
        """Written at once and not in the job's transaction: the operator's output may go elsewhere, and a repeat after
        a restart has the same ids."""
        _log.error("%s goes on without %s: %s", self._operator, item, failure.error)
        topics, where = self._settings.topics, f"{self._operator}/{item}".encode()
        event = SetAside(operator=self._operator, item=item, item_sha256=sha256(raw).digest(), error=failure.error)
        headers = [("reason", b"RAISED"), ("traceback", failure.traceback.encode())]
        frames = [
            sink_frame(topics.quarantine, where, raw, headers),
            audit_frame(topics, event, failure.time_ms),
            failure_log.failure_frame(self._settings, replace(failure, set_aside=True)),
        ]
        failure_log.write_now(self._settings, frames)

    def _failure(self, items: list[str], error: str, trace: str) -> Failure:
        return Failure(
            operator=self._operator,
            submission=self._settings.submission,
            items=tuple(items),
            error=error,
            traceback=trace,
            time_ms=int(time.time() * 1000),
        )


class _Guarded:
    """What all guarded functions do alike."""

    def __init__(self, function: Any, guard: Guard) -> None:
        self._function, self._guard = function, guard

    def open(self, ctx: Any) -> None:
        self._guard.open(attempt_of(ctx))
        self._function.open(ctx)

    def close(self) -> None:
        self._function.close()


class _GuardedFlatMap(_Guarded, FlatMapFunction):
    def flat_map(self, value: bytes) -> Iterator[Any]:
        return self._guard.run(value, self._function.flat_map)


class _GuardedKeyed(_Guarded):
    def process_element(self, value: bytes, ctx: Any) -> Iterator[Any]:
        return self._guard.run(value, lambda part: self._function.process_element(part, ctx), ctx)

    def on_timer(self, timestamp: int, ctx: Any) -> Any:
        return self._guard.run_timer(timestamp, lambda: self._function.on_timer(timestamp, ctx), ctx)


class _GuardedProcess(_GuardedKeyed, KeyedProcessFunction):
    pass


class _GuardedBroadcast(_GuardedKeyed, KeyedBroadcastProcessFunction):
    def process_broadcast_element(self, value: bytes, ctx: Any) -> Iterator[Any]:
        def call(part: bytes) -> Any:
            return self._function.process_broadcast_element(part, ctx)

        return self._guard.run(value, call, None, Form.MESSAGE)


def _is_of_the_surroundings(error: Exception) -> bool:
    of_the_host = isinstance(error, OSError) and error.errno in _OF_THE_HOST
    return of_the_host or isinstance(error, _OF_THE_SURROUNDINGS)


def _items(value: bytes, form: Form) -> list[tuple[str, bytes]]:
    """Name and bytes of each item in a value."""
    match form:
        case Form.RECORD:
            records = [parse_source(bytes(value))]
        case Form.BUNDLE:
            records = parse_sources(bytes(value))
        case Form.MESSAGE:
            return [(sha256(value).hexdigest()[:32], bytes(value))]
    return [(f"{record.partition}@{record.offset}", record.value) for record in records]


def _named(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{len(items)} items, the first {items[0]}"
