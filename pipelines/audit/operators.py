"""Flink functions of the audit stage: the sequencer and the signer of one log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

from fluvial.identity.keys import SigningKey
from fluvial.wire.framing import decode
from fluvial.wire.records import AuditEvent
from governance.audit import sequencer, signer
from governance.audit.cloud_events import headers
from pipelines.config import Settings
from pipelines.flink.frames import parse_source, sink_frame

REMEMBERED_EVENTS = 65_536
"""How many of the newest event ids the sequencer recognises as repeats. A stage repeats what it emitted after its last
checkpoint at most, which is far less."""


def one_log(frame: bytes) -> str:
    """All events of a federation go to one log, hence to one sequencer."""
    return "log"


class Sequence(KeyedProcessFunction):
    """Events in, leaves of the log out, in one order. Output: sink frames of topic audit."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._topic = self._settings.topics.audit
        self._state = ctx.get_state(ValueStateDescriptor("sequencer", Types.PICKLED_BYTE_ARRAY()))
        self._seen = ctx.get_map_state(MapStateDescriptor("seen", Types.STRING(), Types.LONG()))
        self._order = ctx.get_map_state(MapStateDescriptor("seen-order", Types.LONG(), Types.STRING()))

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        event = decode(parse_source(bytes(value)).value, AuditEvent)
        stored = self._state.value()
        state = sequencer.SequencerState.load(bytes(stored)) if stored is not None else sequencer.SequencerState()
        identity = sha256(event.id.encode()).hexdigest()[:32]
        after, leaf = sequencer.append(state, event, self._seen.contains(identity))
        if leaf is None:
            return
        self._state.update(after.dump())
        self._remember(identity, state.next_sequence)
        yield sink_frame(self._topic, b"", leaf, headers(event))

    def _remember(self, identity: str, sequence: int) -> None:
        self._seen.put(identity, sequence)
        self._order.put(sequence, identity)
        forgotten = sequence - REMEMBERED_EVENTS
        if forgotten >= 0:
            self._seen.remove(self._order.get(forgotten))
            self._order.remove(forgotten)


class Sign(KeyedProcessFunction):
    """Committed leaves in, signed tree heads out. Output: sink frames of topic checkpoints."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._topic = self._settings.topics.checkpoints
        self._key = SigningKey.load(self._settings.keys_dir / "log.pem")
        self._state = ctx.get_state(ValueStateDescriptor("signer", Types.PICKLED_BYTE_ARRAY()))
        self._due = ctx.get_state(ValueStateDescriptor("due", Types.LONG()))

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        record = parse_source(bytes(value))
        self._state.update(signer.append(self._load(), record.offset, record.value).dump())
        if self._due.value() is None:
            due = int(time.time() * 1000) + self._settings.checkpoint_every_ms
            self._due.update(due)
            ctx.timer_service().register_processing_time_timer(due)
        return iter(())

    def on_timer(self, timestamp: int, ctx: Any) -> Iterator[bytes]:
        self._due.clear()
        note = signer.checkpoint(self._load(), self._key, self._settings.log_origin)
        yield sink_frame(self._topic, b"", note)

    def _load(self) -> signer.SignerState:
        stored = self._state.value()
        return signer.SignerState.load(bytes(stored)) if stored is not None else signer.SignerState()
