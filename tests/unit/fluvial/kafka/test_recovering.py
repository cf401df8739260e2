"""Replacement of clients, over a library whose clients are lost when the test says so."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fluvial.identity.brokers import Brokers, Security
from fluvial.kafka import End, Message, Position, Start, TransportFailed, TransportUnavailable, recovering
from fluvial.kafka.backend import Missing
from fluvial.kafka.errors import ConnectionLost
from fluvial.kafka.interface import Beginning, Bounds, Take, Until
from fluvial.kafka.recovering import RecoveringTransport

PLAIN = Brokers(bootstrap_servers="a:1")
SECURE = Brokers(bootstrap_servers="a:1", security=Security(protocol="SSL", ca_file=Path("ca.pem")))


@dataclass
class Library:
    """Makes clients and keeps them. The log is one partition of numbered records."""

    records: int = 3
    producers: list["Producer"] = field(default_factory=list)
    readers: list["Reader"] = field(default_factory=list)
    fetchers: list["Fetcher"] = field(default_factory=list)
    fetches_before_loss: int = 1 << 30
    refused: bool = False

    def producer(self) -> "Producer":
        self.producers.append(Producer())
        return self.producers[-1]

    def reader(self, topic: str, start: Beginning, until: Until | None) -> "Reader":
        begin = 0 if start is Start.BEGINNING else dict(start)[0]  # type: ignore[call-overload]
        self.readers.append(Reader(self, begin, until[0] if isinstance(until, Mapping) else self.records))
        return self.readers[-1]

    def fetcher(self) -> "Fetcher":
        self.fetchers.append(Fetcher(self, self.fetches_before_loss))
        return self.fetchers[-1]

    def bounds(self, topic: str) -> Mapping[int, Bounds]:
        return {0: Bounds(0, self.records)}

    def offsets_at(self, topic: str, timestamp_ms: int) -> Mapping[int, int]:
        return {0: 0}


@dataclass
class Producer:
    lost: bool = False
    closed: bool = False

    def num_partitions(self, topic: str) -> int:
        return 1

    def produce(self, topic: str, value: bytes, key: bytes, partition: int | None) -> Future[Position]:
        future: Future[Position] = Future()
        if self.lost:
            future.set_exception(ConnectionLost("fatal"))
        else:
            future.set_result(Position(partition=0, offset=0, timestamp_ms=0))
        return future

    def is_lost(self) -> bool:
        return self.lost

    def close(self) -> None:
        self.closed = True


@dataclass
class Reader:
    library: Library
    at: int
    end: int
    lost: bool = False
    closed: bool = False

    def poll(self, timeout: float) -> list[Message]:
        if self.lost:
            raise ConnectionLost("fatal")
        if self.at >= self.library.records:
            return []
        self.at += 1
        return [Message(topic="t", partition=0, offset=self.at - 1, timestamp_ms=0, key=None, value=b"")]

    def caught_up(self) -> bool:
        return self.at >= self.end

    def ends(self) -> Mapping[int, int]:
        return {0: self.end}

    def positions(self) -> Mapping[int, int]:
        return {0: self.at}

    def close(self) -> None:
        self.closed = True


@dataclass
class Fetcher:
    library: Library
    left: int
    closed: bool = False

    def fetch(self, topic: str, missing: Missing, take: Take, timeout: float) -> None:
        while missing:
            if self.left == 0:
                raise ConnectionLost("gone", refused=self.library.refused)
            self.left -= 1
            take((0, missing[0].popleft()), b"x")
            if not missing[0]:
                del missing[0]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovering, "_PAUSE_SECONDS", 0.0)


def test_a_producer_that_gave_up_is_replaced_at_the_next_record(library: Library) -> None:
    transport = RecoveringTransport(PLAIN, library)
    assert transport.produce("t", b"v", key=b"k").result(1).offset == 0
    library.producers[0].lost = True
    assert transport.produce("t", b"v", key=b"k").result(1).offset == 0
    assert len(library.producers) == 2
    transport.close()
    assert library.producers[1].closed


def test_a_reader_goes_on_behind_the_last_record_it_returned(library: Library) -> None:
    reader = RecoveringTransport(PLAIN, library).read("t")
    assert [message.offset for message in reader.poll(0.0)] == [0]
    library.readers[0].lost = True
    assert reader.poll(0.0) == []
    assert not reader.caught_up()
    assert [message.offset for _ in range(2) for message in reader.poll(0.0)] == [1, 2]
    assert reader.caught_up()
    assert library.readers[0].closed


def test_a_reader_that_stops_where_the_topic_ended_keeps_that_end_over_a_loss(library: Library) -> None:
    reader = RecoveringTransport(PLAIN, library).read("t", until=End.PRESENT)
    reader.poll(0.0)
    library.readers[0].lost = True
    library.records = 9
    reader.poll(0.0)
    reader.poll(0.0)
    assert library.readers[1].end == 3


def test_a_fetch_goes_on_with_what_is_missing(library: Library) -> None:
    library.fetches_before_loss = 2
    taken: list[tuple[int, int]] = []
    RecoveringTransport(PLAIN, library).fetch_each("t", [(0, n) for n in range(5)], lambda at, _: taken.append(at))
    assert taken == [(0, n) for n in range(5)]
    assert [fetcher.closed for fetcher in library.fetchers] == [True, True, False]


@pytest.mark.parametrize(("refused", "error"), [(False, TransportUnavailable), (True, TransportFailed)])
def test_a_fetch_that_a_new_connection_does_not_help_fails(
    library: Library, refused: bool, error: type[Exception]
) -> None:
    library.fetches_before_loss, library.refused = 0, refused
    with pytest.raises(error, match="gone"):
        RecoveringTransport(PLAIN, library).fetch_each("t", [(0, 0)], lambda at, _: None)
    assert len(library.fetchers) == 2


def test_nobody_looks_before_a_plain_connection(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovering, "is_reached", lambda brokers: pytest.fail("looked"))
    RecoveringTransport(PLAIN, library).produce("t", b"v", key=b"k").result(1)


def test_a_refusal_is_told_at_once(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(brokers: Brokers) -> bool:
        raise TransportFailed("expired")

    monkeypatch.setattr(recovering, "is_reached", refuse)
    transport = RecoveringTransport(SECURE, library)
    with pytest.raises(TransportFailed, match="expired"):
        transport.produce("t", b"v", key=b"k").result(0)
    with pytest.raises(TransportFailed, match="expired"):
        transport.read("t")
    assert not library.producers
    assert not library.readers


def test_a_reader_waits_while_the_broker_is_away_and_tells_when_it_refuses(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[bool | TransportFailed] = [True, False, False, TransportFailed("revoked")]

    def look(brokers: Brokers) -> bool:
        answer = answers.pop(0)
        if isinstance(answer, TransportFailed):
            raise answer
        return answer

    monkeypatch.setattr(recovering, "is_reached", look)
    reader = RecoveringTransport(SECURE, library).read("t")
    library.readers[0].lost = True
    assert [reader.poll(0.0) for _ in range(3)] == [[], [], []]
    with pytest.raises(TransportFailed, match="revoked"):
        reader.poll(0.0)
