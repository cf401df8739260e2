"""Reads what the audit stage has committed, for a sequencer or a signer that starts.

The newest checkpoints and the leaves behind them, and those leaves before them whose events a repeat could tell of.
What no stage wrote is skipped and counted.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping

from fluvial.identity.keys import SigningKey
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signer_state import SignerState
from fluvial.wire.foreign_text import logger
from fluvial.wire.tally import Tally
from pipelines.audit import recovery
from pipelines.audit.recovery import LogView, Signed
from pipelines.config import Settings
from pipelines.flink import log_reader
from pipelines.flink.frames import SourceRecord
from pipelines.flink.offsets import Bounds, check_reached
from pipelines.flink.stage_mac import StageMac

_CHECKPOINTS_TAIL = 1_000
_OFFSETS_A_LEAF = 2  # its own and, where every leaf has a transaction of its own, a control record's
_SETTLE_MARGIN_SECONDS = 30.0

_log = logger(__name__)


class CommittedLog:
    """The topics of the audit stage of one federation. Keys are read when it is made."""

    def __init__(self, settings: Settings) -> None:
        self._brokers, self._topics = settings.brokers, settings.topics
        self._settle_seconds = settings.transaction_timeout_ms / 1000 + _SETTLE_MARGIN_SECONDS
        self._mac = StageMac.load(settings.keys_dir)
        self.key = SigningKey.load(settings.keys_dir / "log.pem")
        self._log_key = NoteKey(name=settings.log_origin, public_key=self.key.public_key)
        self.skipped = Tally(_log)

    def signed(self) -> Signed:
        """What was signed last. Of the topic the newest records, all of it where none of those tells."""
        for tail in (_CHECKPOINTS_TAIL, None):
            records = self._read(self._topics.checkpoints, tail=tail)
            found = recovery.signed(records, self._log_key, self._skip(self._topics.checkpoints))
            if found.state.tree.size:
                break
        return found

    def view(self, remember: int = 0, *, settled: bool = False) -> LogView:
        """The log as it stands committed, with the ids of the newest `remember` events; with those of all events where
        it does not tell how far `events` was read. Raises LogContradicted.

        settled: wait for transactions that are open, because a former run of this job, or another job, may still commit
        leaves; then nothing comes behind what is seen here but what is written from now on.
        """
        began = time.monotonic()
        found = self.signed()
        view = self._view(found, remember, settled)
        if remember and not view.tells_its_source:
            view = self._view(found, None, settled)
        _log.warning("the log has %d leaves; found in %.2f s", view.state.tree.size, time.monotonic() - began)
        return view

    def state_before(self, offset: int) -> SignerState:
        """The signer's state behind what stands committed in `audit` before this offset: for a signer that is given the
        records from there on. Raises LogContradicted.

        What comes behind may be many leaves: they are not read twice, nor one by one.
        """
        found = self.signed()
        if found.newest is not None and found.newest.size != found.state.tree.size:
            return self._view(found, 0, settled=False).state  # the newest root is to be met among the leaves
        start = found.state.last_offset + 1
        between = self.leaves(start) if start < offset else iter(())
        earlier = itertools.takewhile(lambda record: record.offset < offset, between)
        return recovery.view(found, earlier, self._skip(self._topics.audit)).state

    def leaves(self, start: int, *, settled: bool = False) -> Iterator[SourceRecord]:
        """Records of `audit` that a stage wrote, from this offset on, to the end as it is now."""
        return self._read(self._topics.audit, start={0: start}, settled=settled)

    def events(self, start: Mapping[int, int]) -> Iterator[SourceRecord]:
        """Records of `events` that a stage wrote, by partition from these offsets on, to the end as it is now."""
        return self._read(self._topics.events, start=start)

    def bounds(self, topic: str) -> dict[int, Bounds]:
        """What each partition of a topic (full name) holds."""
        return log_reader.bounds(self._brokers, topic)

    def check_events(self, view: LogView) -> None:
        """Whether `events` holds, or held, what the leaves are made of. Raises RecordsLost, LogUnreadable."""
        held = self.bounds(self._topics.events)
        ends = {partition: one.written for partition, one in held.items()}
        check_reached(self._topics.events, ends, view.next_events)

    def _view(self, found: Signed, remember: int | None, settled: bool) -> LogView:
        start = 0 if remember is None else found.state.last_offset + 1 - _OFFSETS_A_LEAF * remember
        records = self.leaves(max(0, start), settled=settled)
        return recovery.view(found, records, self._skip(self._topics.audit), remember)

    def _read(
        self, topic: str, start: Mapping[int, int] | None = None, tail: int | None = None, settled: bool = False
    ) -> Iterator[SourceRecord]:
        settle_seconds = self._settle_seconds if settled else 0.0
        skip = self._skip(topic)
        for record in log_reader.read_to_end(
            self._brokers, topic, start=start, tail=tail, settle_seconds=settle_seconds
        ):
            if self._mac.proves(topic, record):
                yield record
            else:
                skip(record, "it was not written by a stage of this federation")

    def _skip(self, topic: str) -> recovery.Skip:
        return lambda record, why: self.skipped.add(f"{topic}/{record.partition}@{record.offset}", why)
