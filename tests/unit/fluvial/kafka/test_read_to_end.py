from dataclasses import dataclass, field

import pytest

from fluvial.kafka import Message, TransportUnavailable, read_all, read_to_end
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport


def message(offset: int) -> Message:
    return Message(topic="t", partition=0, offset=offset, timestamp_ms=1, key=None, value=b"")


@dataclass
class ScriptedReader:
    """Answers polls with what was written down; caught up when all of it has been returned."""

    answers: list[list[Message]]
    stuck: bool = False
    polled: list[float] = field(default_factory=list)

    def poll(self, timeout: float) -> list[Message]:
        self.polled.append(timeout)
        return self.answers.pop(0) if self.answers else []

    def caught_up(self) -> bool:
        return not self.stuck and not self.answers

    def close(self) -> None:
        pass


def test_everything_is_returned_and_the_end_is_not_waited_at() -> None:
    reader = ScriptedReader([[message(0)], [], [message(1), message(2)]])
    assert [m.offset for m in read_to_end(reader, 30)] == [0, 1, 2]
    assert reader.polled[-1] == 0.0


def test_a_broker_that_says_nothing_is_not_waited_for_for_ever() -> None:
    reader = ScriptedReader([[message(0)], []], stuck=True)
    reading = read_to_end(reader, 0.0)
    assert next(reading).offset == 0
    with pytest.raises(TransportUnavailable, match="nothing arrived"):
        next(reading)


def test_records_know_where_they_lie() -> None:
    assert str(message(3)) == "t/0@3"


def test_one_connection_is_enough_to_read_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader finds where its topic ends; to ask for that beforehand takes a consumer of its own."""
    transport = MemoryTransport({"t": 2})
    for number in range(4):
        transport.produce("t", b"%d" % number, key=b"", partition=number % 2).result()
    monkeypatch.setattr(transport, "bounds", lambda topic: pytest.fail("a second consumer"))
    assert sorted(read.value or b"" for read in read_all(transport, "t", 1.0)) == [b"0", b"1", b"2", b"3"]
