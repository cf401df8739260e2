"""Flink functions of the audit stage: the sequencer and the signer of one log. Both work in bundles: one call of Python
takes in what came together, and reads and writes Flink's state once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

from fluvial.identity.keys import SigningKey
from fluvial.wire.framing import decode
from fluvial.wire.records import AuditEvent
from governance.audit import sequencer, signer
from governance.audit.cloud_events import headers
from pipelines.audit.recent_events import SeenEvents
from pipelines.config import Settings
from pipelines.flink.bundles import Kind, pack_bundle, parse_sources
from pipelines.flink.frames import sink_frame

LOG = "log"
"""Flink's key of all events and leaves: those of a federation go to one log, hence to one sequencer and one signer."""


class Sequence(KeyedProcessFunction):
    """Bundles of events in, leaves of the log out, in one order. Output: bundles of sink frames of topic audit."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._topic = self._settings.topics.audit
        self._state = ctx.get_state(ValueStateDescriptor("sequencer", Types.PICKLED_BYTE_ARRAY()))
        self._blocks = ctx.get_map_state(MapStateDescriptor("seen-blocks", Types.LONG(), Types.PICKLED_BYTE_ARRAY()))
        self._seen: SeenEvents | None = None

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        if self._seen is None:
            self._seen = SeenEvents(self._blocks)
        stored = self._state.value()
        state = sequencer.SequencerState.load(bytes(stored)) if stored is not None else sequencer.SequencerState()
        frames = []
        for record in parse_sources(bytes(value)):
            event = decode(record.value, AuditEvent)
            after, leaf = sequencer.append(state, event, self._seen.seen(event.id))
            if leaf is not None:
                self._seen.add(event.id, state.next_sequence)
                frames.append(sink_frame(self._topic, b"", leaf, headers(event)))
                state = after
        if not frames:
            return
        self._seen.flush()
        self._state.update(state.dump())
        yield pack_bundle(Kind.SINK, frames)


class Sign(KeyedProcessFunction):
    """Bundles of committed leaves in, signed tree heads out. Output: sink frames of topic checkpoints."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, ctx: Any) -> None:
        self._topic = self._settings.topics.checkpoints
        self._key = SigningKey.load(self._settings.keys_dir / "log.pem")
        self._state = ctx.get_state(ValueStateDescriptor("signer", Types.PICKLED_BYTE_ARRAY()))
        self._due = ctx.get_state(ValueStateDescriptor("due", Types.LONG()))

    def process_element(self, value: bytes, ctx: Any) -> Iterator[bytes]:
        state = self._load()
        for record in parse_sources(bytes(value)):
            state = signer.append(state, record.offset, record.value)
        self._state.update(state.dump())
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
