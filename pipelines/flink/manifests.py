"""Manifests of published models as messages, for the stages that measure and accelerate them."""

from __future__ import annotations

from collections.abc import Iterator

from pyflink.datastream import FlatMapFunction

from fluvial.identity.envelope import check_kind, open_envelope, verify_envelope
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode
from fluvial.wire.records import ModelManifest
from fluvial.wire.tally import Tally
from pipelines.config import Settings
from pipelines.flink.frames import SourceRecord, parse_source
from pipelines.flink.messages import pack

_log = logger(__name__)


class ManifestToMessage(FlatMapFunction):
    """Manifests of topic models, signed by the aggregator, or by the operator for an initial model."""

    def __init__(self, settings: Settings) -> None:
        self._keys = [bytes.fromhex(settings.aggregator_key), bytes.fromhex(settings.operator_key)]
        self._scope = settings.topics.scope
        self._skipped = Tally(_log)

    def flat_map(self, value: bytes) -> Iterator[bytes]:
        return self.of(parse_source(bytes(value)))

    def of(self, record: SourceRecord) -> Iterator[bytes]:
        """The message of a record; none of what nobody signed who may, which is counted."""
        try:
            envelope = open_envelope(record.value)
            check_kind(envelope, ModelManifest, self._scope)
            if not any(verify_envelope(envelope, key) for key in self._keys):
                raise FluvialError("signed by nobody who may")
            manifest = decode(envelope.payload, ModelManifest)
        except FluvialError as error:
            self._skipped.add(f"models/{record.partition}@{record.offset}", str(error))
            return
        yield pack(manifest.task, "manifest", [envelope.payload])
