"""What lies behind is counted as far as that is cheap, else told in offsets. The rest is in tests/system."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from confluent_kafka import KafkaError

from deploy.broker import lag
from fluvial.identity.brokers import Brokers

BROKERS = Brokers(bootstrap_servers="nowhere:1")
UPDATES, MODELS = ("updates", 0), ("models", 0)
BEGINS, ENDS = {UPDATES: 0, MODELS: 0}, {UPDATES: 3, MODELS: 4}


class Said:
    """A record of so many bytes, or an error."""

    def __init__(self, place: lag.Place, offset: int, num_bytes: int = 1, error: int | None = None) -> None:
        self._place, self._offset, self._num_bytes, self._error = place, offset, num_bytes, error

    def __len__(self) -> int:
        return self._num_bytes

    def topic(self) -> str:
        return self._place[0]

    def partition(self) -> int:
        return self._place[1]

    def offset(self) -> int:
        return self._offset

    def error(self) -> KafkaError | None:
        return None if self._error is None else KafkaError(self._error)


class Consumer:
    """Says one thing after the other, and then nothing. Each question takes a second."""

    def __init__(self, says: Iterable[Said]) -> None:
        self.says, self.num_asked = iter(says), 0

    def assign(self, places: object) -> None: ...

    def close(self) -> None: ...

    def poll(self, timeout: float) -> Said | None:
        self.num_asked += 1
        return next(self.says, None)


def counted(monkeypatch: pytest.MonkeyPatch, *says: Said) -> tuple[Mapping[lag.Place, int], Consumer]:
    consumer = Consumer(says)

    def connect(*_: Any) -> Consumer:
        return consumer

    monkeypatch.setattr(lag.clients, "consumer", connect)
    monkeypatch.setattr(lag.clients, "meet", lambda *_: None)
    monkeypatch.setattr(lag.time, "monotonic", lambda: float(consumer.num_asked))
    return lag._records(BROKERS, BEGINS, ENDS), consumer


UPDATES_READ = Said(UPDATES, 0), Said(UPDATES, 3, error=KafkaError._PARTITION_EOF)


def test_what_was_read_to_its_end_is_told_in_records(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = counted(monkeypatch, *UPDATES_READ, Said(MODELS, 1), Said(MODELS, 3))
    assert found == {UPDATES: 1, MODELS: 2}


@pytest.mark.parametrize(
    "then",
    [
        pytest.param([], id="nothing more comes"),
        pytest.param([Said(MODELS, 0, error=KafkaError._TRANSPORT), Said(MODELS, 3)], id="an error"),
        pytest.param([Said(UPDATES, 9 + number) for number in range(1000)], id="others come in without end"),
    ],
)
def test_what_cannot_be_read_to_its_end_stays_in_offsets(monkeypatch: pytest.MonkeyPatch, then: list[Said]) -> None:
    found, consumer = counted(monkeypatch, *UPDATES_READ, Said(MODELS, 1), *then)
    assert found.keys() == {UPDATES}
    assert consumer.num_asked <= lag.SECONDS + 1


def test_many_bytes_are_not_read_for_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    large = [Said(MODELS, 0, lag._COUNTED_BYTES), *(Said(MODELS, offset, 4 << 20) for offset in (1, 2, 3))]
    found, consumer = counted(monkeypatch, *UPDATES_READ, *large)
    assert found.keys() == {UPDATES}
    assert consumer.num_asked == 3
