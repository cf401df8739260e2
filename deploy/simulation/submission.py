"""A participant's update on its way into the log: chunks first, then the signed envelope, as `fluvial.edge.publisher`
does it, without an outbox that nothing can interrupt."""

from __future__ import annotations

from dataclasses import replace

from deploy.simulation.memory_log import MemoryLog
from deploy.simulation.parties import Parties
from deploy.simulation.workers import Trained
from fluvial.admission.judgement import Source
from fluvial.edge.publisher import unsigned_update
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.records import AcceptedUpdate, Round

UPDATES = "updates"


class Submission:
    """keep: what was sent stays in the log, for replay."""

    def __init__(self, log: MemoryLog, parties: Parties, encoding: str, keep: bool) -> None:
        self._log, self._parties, self._encoding, self._keep = log, parties, encoding, keep
        self._keys: dict[str, SigningKey] = {}

    def record(self, name: str, round_: Round, trained: Trained, now_ms: int) -> tuple[bytes, Source]:
        """The envelope in the log, and where it lies."""
        update_id = f"{name}-{round_.round}-{round_.attempt}"
        update = unsigned_update(
            round_, name, update_id, trained.encoded, trained.weight, self._encoding, created_ms=now_ms
        )
        if update.inline is None:
            update = replace(update, chunks=self._log.append_update_chunks(round_.task, trained.encoded.chunks))
        raw = seal(update, self._key(name), name)
        partition, offset = self._log.append_update(raw)
        source = Source(topic=UPDATES, partition=partition, offset=offset, timestamp_ms=now_ms, key=name.encode())
        return raw, source

    def answered(self, update: AcceptedUpdate) -> None:
        """The update is part of a model, or of none: nobody reads it again."""
        if not self._keep:
            self._log.forget(update)

    def _key(self, name: str) -> SigningKey:
        if name not in self._keys:
            self._keys[name] = self._parties.key(name)
        return self._keys[name]
