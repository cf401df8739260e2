"""What every Transport must do.

A test class inherits this and brings the fixtures `transport` and `topic` (three partitions, empty).
"""

import time
from collections.abc import Mapping
from contextlib import closing

import pytest

from fluvial.kafka import (
    Bounds,
    End,
    Message,
    Reader,
    Snapshot,
    Start,
    Transport,
    TransportFailed,
    read_all,
    read_to_end,
)
from fluvial.wire.errors import ChunkUnavailable

CHUNK = bytes(range(256)) * 4096


class TransportSuite:
    """One suite, all implementations."""

    def test_an_acknowledged_record_lies_where_its_position_says(self, transport: Transport, topic: str) -> None:
        positions = [transport.produce(topic, b"%d" % n, key=b"k", partition=n % 3).result(30) for n in range(7)]
        assert [(at.partition, at.offset) for at in positions] == [(n % 3, n // 3) for n in range(7)]
        assert all(at.timestamp_ms > 0 for at in positions)
        wanted = [(at.partition, at.offset) for at in reversed(positions)]
        assert transport.fetch(topic, wanted) == [b"%d" % n for n in reversed(range(7))]

    def test_records_of_a_mebibyte_pass_in_a_burst(self, transport: Transport, topic: str) -> None:
        sent = [transport.produce(topic, CHUNK + b"%d" % n, key=b"k", partition=n % 3) for n in range(24)]
        positions = [future.result(60) for future in sent]
        assert len({(at.partition, at.offset) for at in positions}) == 24
        values = transport.fetch(topic, [(at.partition, at.offset) for at in positions])
        assert values == [CHUNK + b"%d" % n for n in range(24)]

    def test_more_than_a_client_buffers_is_sent_without_waiting_in_between(
        self, transport: Transport, topic: str
    ) -> None:
        sent = [transport.produce(topic, CHUNK, key=b"k", partition=n % 3) for n in range(96)]
        assert len({(at.partition, at.offset) for at in (future.result(120) for future in sent)}) == 96

    def test_a_key_always_chooses_the_same_partition(self, transport: Transport, topic: str) -> None:
        for name in (b"a", b"b", b"hospital"):
            assert len({transport.produce(topic, b"x", key=name).result(30).partition for _ in range(4)}) == 1

    def test_fetch_skips_what_was_not_asked_for_and_can_go_back(self, transport: Transport, topic: str) -> None:
        for n in range(20):
            transport.produce(topic, b"%d" % n, key=b"k", partition=0).result(30)
        assert transport.fetch(topic, [(0, 3), (0, 17)]) == [b"3", b"17"]
        assert transport.fetch(topic, [(0, 1)]) == [b"1"]

    def test_each_record_is_given_in_the_order_of_its_partition(self, transport: Transport, topic: str) -> None:
        for n in range(12):
            transport.produce(topic, b"%d" % n, key=b"k", partition=n % 3).result(30)
        taken: list[tuple[tuple[int, int], bytes]] = []
        transport.fetch_each(topic, {(2, 3), (0, 2), (0, 0)}, lambda place, value: taken.append((place, value)))
        assert sorted(taken) == [((0, 0), b"0"), ((0, 2), b"6"), ((2, 3), b"11")]
        assert [place for place, _ in taken if place[0] == 0] == [(0, 0), (0, 2)]

    def test_what_the_taker_raises_is_raised_and_the_next_fetch_works(self, transport: Transport, topic: str) -> None:
        for n in range(4):
            transport.produce(topic, b"%d" % n, key=b"k", partition=0).result(30)

        def refuse(place: tuple[int, int], value: bytes) -> None:
            raise KeyError(place)

        with pytest.raises(KeyError):
            transport.fetch_each(topic, [(0, 1), (0, 2)], refuse)
        assert transport.fetch(topic, [(0, 3), (0, 0), (0, 3)]) == [b"3", b"0", b"3"]

    def test_an_offset_past_the_end_is_reported_at_once(self, transport: Transport, topic: str) -> None:
        for n in range(5):
            transport.produce(topic, b"%d" % n, key=b"k", partition=0).result(30)
        for absent in ([(0, 9)], [(0, 2), (0, 9)], [(0, 2), (0, 5)], [(0, 1), (1, 0)]):
            started = time.monotonic()
            with pytest.raises(ChunkUnavailable):
                transport.fetch(topic, absent, timeout=50)
            assert time.monotonic() - started < 40

    def test_a_reader_from_the_beginning_gets_everything_and_goes_on(self, transport: Transport, topic: str) -> None:
        for n in range(10):
            transport.produce(topic, b"%d" % n, key=b"k", partition=n % 3).result(30)
        reader = transport.read(topic)
        try:
            assert {m.value for m in read_to_end(reader, 30)} == {b"%d" % n for n in range(10)}
            at = transport.produce(topic, b"later", key=b"k", partition=1).result(30)
            (message,) = _next(reader)
            assert (message.value, message.key, message.topic) == (b"later", b"k", topic)
            assert (message.partition, message.offset, message.timestamp_ms) == (1, at.offset, at.timestamp_ms)
        finally:
            reader.close()

    def test_an_empty_topic_is_read_to_its_end_at_once(self, transport: Transport, topic: str) -> None:
        reader = transport.read(topic)
        try:
            assert list(read_to_end(reader, 10)) == []
        finally:
            reader.close()

    def test_a_reader_from_the_end_sees_only_what_comes(self, transport: Transport, topic: str) -> None:
        transport.produce(topic, b"before", key=b"k").result(30)
        reader = transport.read(topic, Start.END)
        try:
            transport.produce(topic, b"after", key=b"k").result(30)
            assert [m.value for m in _next(reader)] == [b"after"]
        finally:
            reader.close()

    def test_a_reader_from_a_time_sees_what_came_since(self, transport: Transport, topic: str) -> None:
        transport.produce(topic, b"before", key=b"k", partition=0).result(30)
        since = transport.produce(topic, b"at", key=b"k", partition=1).result(30).timestamp_ms
        transport.produce(topic, b"after", key=b"k", partition=1).result(30)
        reader = transport.read(topic, since)
        try:
            values = {m.value for m in read_to_end(reader, 30)}
            assert {b"at", b"after"} <= values
            assert values <= {b"before", b"at", b"after"}  # "before" may bear the same millisecond
        finally:
            reader.close()

    def test_a_time_in_the_future_leaves_nothing_to_read(self, transport: Transport, topic: str) -> None:
        now = transport.produce(topic, b"now", key=b"k").result(30).timestamp_ms
        reader = transport.read(topic, now + 3_600_000)
        try:
            assert list(read_to_end(reader, 30)) == []
        finally:
            reader.close()

    def test_bounds_say_what_each_partition_holds(self, transport: Transport, topic: str) -> None:
        for n in range(4):
            transport.produce(topic, b"%d" % n, key=b"k", partition=n % 2).result(30)
        assert transport.bounds(topic) == {0: Bounds(0, 2), 1: Bounds(0, 2), 2: Bounds(0, 0)}

    def test_offsets_of_a_time_are_those_of_what_came_since_or_the_ends(self, transport: Transport, topic: str) -> None:
        transport.produce(topic, b"before", key=b"k", partition=0).result(30)
        time.sleep(0.01)
        at = transport.produce(topic, b"at", key=b"k", partition=0).result(30)
        assert transport.offsets_at(topic, at.timestamp_ms) == {0: at.offset, 1: 0, 2: 0}
        assert transport.offsets_at(topic, at.timestamp_ms + 3_600_000) == {0: at.offset + 1, 1: 0, 2: 0}

    def test_a_reader_reads_from_offsets_on_those_partitions_alone(self, transport: Transport, topic: str) -> None:
        for n in range(8):
            transport.produce(topic, b"%d" % n, key=b"k", partition=n % 2).result(30)
        with closing(transport.read(topic, {0: 2})) as reader:
            assert [m.value for m in read_to_end(reader, 30)] == [b"4", b"6"]

    def test_a_reader_begins_where_its_caller_chooses_of_what_there_is(self, transport: Transport, topic: str) -> None:
        for n in range(8):
            transport.produce(topic, b"%d" % n, key=b"k", partition=n % 2).result(30)
        told: list[Mapping[int, Bounds]] = []

        def last_but_one(held: Mapping[int, Bounds]) -> dict[int, int]:
            told.append(held)
            return {number: max(first, end - 2) for number, (first, end) in held.items()}

        with closing(transport.read(topic, last_but_one, End.PRESENT)) as reader:
            transport.produce(topic, b"later", key=b"k", partition=0).result(30)
            assert sorted(m.value for m in read_to_end(reader, 30)) == [b"4", b"5", b"6", b"7"]
            assert reader.caught_up()
        assert told == [{0: (0, 4), 1: (0, 4), 2: (0, 0)}]

    def test_where_all_that_was_asked_for_is_over_nothing_is_waited_for(self, transport: Transport, topic: str) -> None:
        transport.produce(topic, b"0", key=b"k", partition=0).result(30)
        with closing(transport.read(topic, {0: 1}, {0: 1, 1: 0})) as reader:
            assert list(read_to_end(reader, 30)) == []

    def test_a_reader_stops_where_it_is_told_to(self, transport: Transport, topic: str) -> None:
        for n in range(12):
            transport.produce(topic, b"%d" % n, key=b"k", partition=n % 3).result(30)
        with closing(transport.read(topic, until={0: 3, 1: 1, 2: 0})) as reader:
            assert sorted(m.value for m in read_to_end(reader, 30)) == [b"0", b"1", b"3", b"6"]
            assert reader.poll(0.1) == []

    def test_all_that_a_topic_holds_is_read_and_nothing_that_comes_meanwhile(
        self, transport: Transport, topic: str
    ) -> None:
        for n in range(6):
            transport.produce(topic, b"%d" % n, key=b"k", partition=n % 2).result(30)
        found = [next(reading := read_all(transport, topic, 30)).value]
        transport.produce(topic, b"later", key=b"k", partition=2).result(30)
        found += [message.value for message in reading]
        assert sorted(found) == [b"%d" % n for n in range(6)]

    def test_a_snapshot_holds_what_was_there_when_it_was_taken(self, transport: Transport, topic: str) -> None:
        for n in range(6):
            transport.produce(topic, b"%d" % n, key=b"k", partition=n % 2).result(30)
        snapshot = Snapshot(transport, [topic])
        transport.produce(topic, b"later", key=b"k", partition=2).result(30)
        for _ in range(2):
            assert sorted(m.value or b"" for m in snapshot.records(topic)) == [b"%d" % n for n in range(6)]
        assert snapshot.begin_offsets(topic) == {0: 0, 1: 0, 2: 0}
        with closing(snapshot.follow(topic)) as following:  # type: ignore[type-var]  # a generator
            assert next(following).value == b"later"

    def test_partitions_are_counted(self, transport: Transport, topic: str) -> None:
        assert transport.num_partitions(topic) == 3

    def test_a_topic_that_does_not_exist_is_an_error(self, transport: Transport, topic: str) -> None:
        with pytest.raises(TransportFailed):
            transport.read(topic + "-absent")


def _next(reader: Reader) -> list[Message]:
    for _ in range(100):
        if messages := reader.poll(0.2):
            return messages
    raise TimeoutError
