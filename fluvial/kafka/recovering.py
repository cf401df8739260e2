"""The Transport over any client library: its clients are replaced when a new connection may cure what befell them.

Before a client connects by TLS for the first time, and again after a loss, one looks whether the brokers take it at
all: so a refusal is told at once and in words, and an absence is waited for.
"""

import threading
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from contextvars import ContextVar

from fluvial.identity.brokers import Brokers
from fluvial.kafka.backend import Backend, BackendFetcher, BackendProducer, BackendReader
from fluvial.kafka.errors import ConnectionLost, TransportFailed, TransportUnavailable
from fluvial.kafka.interface import (
    FETCH_TIMEOUT_SECONDS,
    Beginning,
    Bounds,
    Message,
    Place,
    Position,
    Reader,
    Start,
    Take,
    Until,
    fetch_all,
)
from fluvial.kafka.reachability import is_reached, nobody_listens
from fluvial.wire.errors import TransportError
from fluvial.wire.foreign_text import logger

TOLD_SOON: ContextVar[bool] = ContextVar("told_soon", default=False)
"""Whether the first connection fails within seconds where nobody listens, as who types a command wants it. Jobs, and
threads of what runs for long, wait for a broker that is restarted."""

_REFUSED_SECONDS = 1.5
_PAUSE_SECONDS = 1.0
_log = logger(__name__)


class RecoveringTransport:
    """See `Transport`."""

    def __init__(self, brokers: Brokers, backend: Backend) -> None:
        self._door = _Door(brokers)
        self._backend = backend
        self._lock = threading.Lock()
        self._fetch_lock = threading.Lock()
        self._producer: BackendProducer | None = None
        self._fetcher: BackendFetcher | None = None

    def num_partitions(self, topic: str) -> int:
        return self._current_producer().num_partitions(topic)

    def produce(self, topic: str, value: bytes, *, key: bytes, partition: int | None = None) -> Future[Position]:
        try:
            return self._current_producer().produce(topic, value, key, partition)
        except TransportError as error:
            refused: Future[Position] = Future()
            refused.set_exception(error)
            return refused

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        self._door.check()
        return self._backend.bounds(topic)

    def offsets_at(self, topic: str, timestamp_ms: int) -> Mapping[int, int]:
        self._door.check()
        return self._backend.offsets_at(topic, timestamp_ms)

    def read(
        self,
        topic: str,
        start: Beginning = Start.BEGINNING,
        until: Until | None = None,
    ) -> Reader:
        self._door.check()
        return RecoveringReader(self._backend, self._door, topic, start, until)

    def fetch_each(
        self, topic: str, places: Collection[Place], take: Take, timeout: float = FETCH_TIMEOUT_SECONDS
    ) -> None:
        missing: dict[int, deque[int]] = {}
        for number, offset in sorted(places):
            missing.setdefault(number, deque()).append(offset)
        with self._fetch_lock:
            left: int | None = None
            while missing:
                if left is not None:
                    _log.warning("connecting anew to fetch the other %d records of %s", left, topic)
                try:
                    self._current_fetcher().fetch(topic, missing, take, timeout)
                except ConnectionLost as error:
                    self._drop_fetcher()
                    before, left = left, sum(map(len, missing.values()))
                    if before == left:  # the new connection brought nothing either
                        raise TransportFailed(str(error)) if error.refused else error from None
                except TransportError:
                    self._drop_fetcher()
                    raise

    def fetch(self, topic: str, places: Sequence[Place], timeout: float = FETCH_TIMEOUT_SECONDS) -> list[bytes]:
        return fetch_all(self, topic, places, timeout)

    def close(self) -> None:
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()
        with self._fetch_lock:
            self._drop_fetcher()

    def _current_producer(self) -> BackendProducer:
        with self._lock:
            if self._producer is not None and self._producer.is_lost():
                _log.warning("connecting anew to send records")
                # What it still holds fails by itself; nobody is to wait for that.
                threading.Thread(target=self._producer.close, name="fluvial-closing", daemon=True).start()
                self._producer = None
                self._door.shut()
            if self._producer is None:
                self._door.check()
                self._producer = self._backend.producer()
            return self._producer

    def _current_fetcher(self) -> BackendFetcher:
        if self._fetcher is None:
            self._door.check()
            self._fetcher = self._backend.fetcher()
        return self._fetcher

    def _drop_fetcher(self) -> None:
        fetcher, self._fetcher = self._fetcher, None
        if fetcher is not None:
            fetcher.close()


class RecoveringReader:
    """See `Reader`. After a loss it goes on behind the last record that it returned."""

    def __init__(
        self,
        backend: Backend,
        door: "_Door",
        topic: str,
        start: Beginning,
        until: Until | None,
    ) -> None:
        self._backend, self._door, self._topic = backend, door, topic
        self._positions: Mapping[int, int] = {}
        self._again_at = 0.0
        reader = backend.reader(topic, start, until)
        self._reader: BackendReader | None = reader
        self._until = None if until is None else reader.ends()

    def poll(self, timeout: float) -> list[Message]:
        reader = self._reader or self._reopened(timeout)
        if reader is None:
            return []
        try:
            return reader.poll(timeout)
        except ConnectionLost as error:
            _log.warning("connecting anew to read %s: %s", self._topic, error)
            self._positions = dict(reader.positions())
            self._reader = None
            self._door.shut()
            reader.close()
            return []

    def caught_up(self) -> bool:
        return self._reader is not None and self._reader.caught_up()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _reopened(self, timeout: float) -> BackendReader | None:
        pause = self._again_at - time.monotonic()
        if pause > 0:
            time.sleep(min(timeout, pause))
            return None
        self._again_at = time.monotonic() + _PAUSE_SECONDS
        try:
            if self._door.check():
                self._reader = self._backend.reader(self._topic, self._positions, self._until)
        except TransportUnavailable as error:
            _log.warning("%s cannot be read yet: %s", self._topic, error)
        return self._reader


class _Door:
    """Whether the brokers take this client, as long as nothing says otherwise. Threads may share it."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._is_open = brokers.security.protocol == "PLAINTEXT"
        self._is_plain = self._is_open
        self._was_asked = False

    def check(self) -> bool:
        """False when no broker can be reached now. Raises TransportFailed when they refuse this client, and at first,
        for who wants to be told soon, TransportUnavailable where nobody listens."""
        if not self._was_asked and TOLD_SOON.get():
            if absent := nobody_listens(self._brokers, _REFUSED_SECONDS):
                raise TransportUnavailable(f"the broker is not there: {absent}")
            self._was_asked = True
        if not self._is_open:
            self._is_open = is_reached(self._brokers)
        return self._is_open

    def shut(self) -> None:
        """Look again before the next connection."""
        self._is_open = self._is_plain
