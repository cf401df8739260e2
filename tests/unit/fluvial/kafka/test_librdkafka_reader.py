"""Where a reader of a topic finds that it has all that there was."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from fluvial.kafka.interface import Start
from fluvial.kafka.librdkafka.errors import Troubles
from fluvial.kafka.librdkafka.reader import LibrdkafkaReader


class Consumer:
    """One partition: records at its first offsets, then so many markers of transactions up to its end. The broker,
    to which nothing comes, never says that this is the end."""

    def __init__(self, num_records: int, num_markers: int) -> None:
        self._records = deque(_record(offset) for offset in range(num_records))
        self._num_records, self._end = num_records, num_records + num_markers
        self.unassigned: list[int] = []

    def list_topics(self, topic: str, timeout: float) -> Any:
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions={0: None})})

    def get_watermark_offsets(self, place: Any, timeout: float) -> tuple[int, int]:
        return 0, self._end

    def assign(self, places: list[Any]) -> None:
        pass

    def incremental_unassign(self, places: list[Any]) -> None:
        self.unassigned += [place.partition for place in places]

    def poll(self, timeout: float) -> Any:
        return self._records.popleft() if self._records else None

    def consume(self, count: int, timeout: float) -> list[Any]:
        return []

    def position(self, places: list[Any]) -> list[Any]:
        """As librdkafka has it: behind the last record that was given, and the markers that follow it."""
        given = self._num_records - len(self._records)
        offset = self._end if not self._records else given if given else -1001
        return [SimpleNamespace(partition=place.partition, offset=offset) for place in places]


def _record(offset: int) -> Any:
    return SimpleNamespace(
        topic=lambda: "rounds",
        error=lambda: None,
        partition=lambda: 0,
        offset=lambda: offset,
        key=lambda: b"key",
        value=lambda: b"value",
        timestamp=lambda: (1, 0),
        headers=lambda: None,
    )


@pytest.mark.parametrize("until", [None, {0: 4}])
@pytest.mark.parametrize("num_records", [1, 3])
def test_the_markers_of_transactions_are_no_reason_to_wait(num_records: int, until: dict[int, int] | None) -> None:
    consumer = Consumer(num_records, 4 - num_records)
    reader = LibrdkafkaReader(consumer, Troubles(), "rounds", Start.BEGINNING, until)
    for number in range(num_records):
        assert not reader.caught_up()
        assert [message.offset for message in reader.poll(1.0)] == [number]
    assert reader.caught_up()
    assert consumer.unassigned == ([] if until is None else [0])


def test_where_there_are_markers_alone_they_are_passed_all_the_same() -> None:
    reader = LibrdkafkaReader(Consumer(0, 2), Troubles(), "rounds", Start.BEGINNING, None)
    assert not reader.caught_up()
    assert reader.poll(0.0) == []
    assert reader.caught_up()
