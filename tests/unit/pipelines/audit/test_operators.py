"""The operators of the audit stage with states of memory: bundles in, one chained log out, whatever is restarted."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fluvial.identity.keys import SigningKey
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AuditEvent, SequencedEvent
from fluvial.wire.topics import Topics
from governance.audit.cloud_events import headers
from pipelines.audit.operators import Sequence, Sign
from pipelines.flink.bundles import Kind, pack_bundle
from pipelines.flink.frames import SourceRecord, sink_frame, source_frame


class Value:
    """Flink's ValueState."""

    stored: Any = None

    def value(self) -> Any:
        return self.stored

    def update(self, value: Any) -> None:
        self.stored = value

    def clear(self) -> None:
        self.stored = None


class Map(dict[Any, Any]):
    """Flink's MapState."""

    def put(self, key: Any, value: Any) -> None:
        self[key] = value

    def remove(self, key: Any) -> None:
        del self[key]


class Context:
    """Runtime context and context of a call; the states outlive the functions, as a checkpoint does."""

    def __init__(self) -> None:
        self.states: dict[str, Any] = {}
        self.timers: list[int] = []

    def get_state(self, descriptor: Any) -> Value:
        return self.states.setdefault(descriptor.name, Value())  # type: ignore[no-any-return]

    def get_map_state(self, descriptor: Any) -> Map:
        return self.states.setdefault(descriptor.name, Map())  # type: ignore[no-any-return]

    def timer_service(self) -> Any:
        return SimpleNamespace(register_processing_time_timer=self.timers.append)


def event(number: int) -> AuditEvent:
    return AuditEvent(id=f"e/{number}", source="/test", type="t", subject="s", time_ms=number, data=b"data %d" % number)


def bundle(values: list[bytes], start: int = 0) -> bytes:
    records = [SourceRecord(0, start + number, 0, b"", value) for number, value in enumerate(values)]
    return pack_bundle(Kind.SOURCE, [source_frame(record) for record in records])


@pytest.fixture
def settings(tmp_path: Path) -> Any:
    SigningKey.from_seed(bytes(32)).save(tmp_path / "log.pem")
    return SimpleNamespace(topics=Topics("t."), keys_dir=tmp_path, checkpoint_every_ms=50, log_origin="example.org/log")


def leaves_of(out: Iterator[bytes], settings: Any) -> list[bytes]:
    """The leaves in bundles of sink frames, each checked against the frame that it must be."""
    leaves = []
    for one in out:
        at = 3
        while at < len(one):
            length = int.from_bytes(one[at : at + 4], "big")
            frame = one[at + 4 : at + 4 + length]
            at += 4 + length
            start = frame.index(b"\xc3\x01")
            leaf = frame[start:]
            sequenced = decode(leaf, SequencedEvent)
            assert frame == sink_frame(settings.topics.audit, b"", leaf, headers(sequenced.event))
            leaves.append(leaf)
    return leaves


def opened(function: Any, context: Context) -> Any:
    function.open(context)
    return function


def test_each_event_gets_one_leaf_also_after_a_restart(settings: Any) -> None:
    context = Context()
    sequence = opened(Sequence(settings), context)
    events = [encode(event(number)) for number in range(6)]
    leaves = leaves_of(sequence.process_element(bundle([*events[:3], events[1]]), context), settings)
    assert list(sequence.process_element(bundle(events[:2]), context)) == []
    again = opened(Sequence(settings), context)
    leaves += leaves_of(again.process_element(bundle(events), context), settings)
    sequenced = [decode(leaf, SequencedEvent) for leaf in leaves]
    assert [one.sequence for one in sequenced] == list(range(6))
    assert [one.event.id for one in sequenced] == [f"e/{number}" for number in range(6)]


def test_the_signer_takes_bundles_as_it_takes_leaves(settings: Any) -> None:
    context = Context()
    sequence = opened(Sequence(settings), context)
    values = [encode(event(number)) for number in range(7)]
    leaves = leaves_of(sequence.process_element(bundle(values), context), settings)
    notes = []
    for cuts in ([7], [1, 2, 4], [3, 4]):
        signing, start = Context(), 0
        sign = opened(Sign(settings), signing)
        for count in cuts:
            assert list(sign.process_element(bundle(leaves[start : start + count], start), signing)) == []
            start += count
            sign = opened(Sign(settings), signing)
        assert len(signing.timers) == 1
        notes.append(list(sign.on_timer(signing.timers[0], signing)))
    assert len(notes[0]) == 1
    assert notes[0] == notes[1] == notes[2]
