"""The topics: names, settings, and who writes each.

| topic | written by | key |
|---|---|---|
| registry | the operator; validation (enrolled participants) | task/…, agreement/…, token/…, participant/… |
| enrolments, updates | participants | participant |
| update-blobs | participants | participant |
| verdicts | validation | participant |
| quarantine | every stage | source position, or operator and item |
| accepted | validation | task |
| rounds | aggregation | task |
| models | aggregation (the operator for version 0) | task/version |
| model-blobs | aggregation (the operator for version 0) | task/chunk/slot |
| receipts | aggregation | participant |
| releases | evaluation | task |
| variants | acceleration | task/version/variant |
| variant-blobs | acceleration | task/version/variant/chunk |
| measurements | acceleration; participants | measurer |
| promotions | promotion | task |
| requests | callers | caller |
| results | inference | none; in the partition that the request names |
| events | every stage | event id |
| failures | every stage | operator |
| audit, checkpoints | audit | none |
| leases | whoever starts a job | the job's stages |
| heartbeats | the job of a lease | epoch of the lease |
"""

from __future__ import annotations

from dataclasses import dataclass

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_FOR_EVER = -1
UPDATE_BLOBS_RETENTION_MS = _DAY_MS
"""How long the chunks of updates are kept: short, for privacy; longer than any round and an outage."""
_CHUNK_RECORD_BYTES = 2 << 20
_RECORD_BYTES = 4 << 20
_SMALL_RECORD_BYTES = 16 << 10

NAMES = (
    "registry",
    "enrolments",
    "rounds",
    "update_blobs",
    "updates",
    "verdicts",
    "accepted",
    "quarantine",
    "receipts",
    "model_blobs",
    "models",
    "releases",
    "variants",
    "variant_blobs",
    "measurements",
    "promotions",
    "requests",
    "results",
    "events",
    "failures",
    "audit",
    "checkpoints",
    "leases",
    "heartbeats",
)
"""Attribute names of `Topics`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSettings:
    """A topic to create: full name, partitions, and the broker's configuration of it."""

    name: str
    partitions: int
    config: dict[str, str]


class Topics:
    """Full names of the topics under a prefix. `topics.update_blobs` is "<prefix>update-blobs"."""

    def __init__(self, prefix: str = "fluvial.") -> None:
        self.prefix = prefix
        self.registry = f"{prefix}registry"
        self.enrolments = f"{prefix}enrolments"
        self.rounds = f"{prefix}rounds"
        self.update_blobs = f"{prefix}update-blobs"
        self.updates = f"{prefix}updates"
        self.verdicts = f"{prefix}verdicts"
        self.accepted = f"{prefix}accepted"
        self.quarantine = f"{prefix}quarantine"
        self.receipts = f"{prefix}receipts"
        self.model_blobs = f"{prefix}model-blobs"
        self.models = f"{prefix}models"
        self.releases = f"{prefix}releases"
        self.variants = f"{prefix}variants"
        self.variant_blobs = f"{prefix}variant-blobs"
        self.measurements = f"{prefix}measurements"
        self.promotions = f"{prefix}promotions"
        self.requests = f"{prefix}requests"
        self.results = f"{prefix}results"
        self.events = f"{prefix}events"
        self.failures = f"{prefix}failures"
        self.audit = f"{prefix}audit"
        self.checkpoints = f"{prefix}checkpoints"
        self.leases = f"{prefix}leases"
        self.heartbeats = f"{prefix}heartbeats"

    def all_settings(self, partitions: int = 4) -> list[TopicSettings]:
        """Settings of every topic. partitions: of update-blobs, model-blobs, updates: the shards."""
        return [
            self._topic(self.registry, 1, compacted=True),
            self._topic(self.enrolments, 1, retention_ms=7 * _DAY_MS),
            self._topic(self.rounds, 1, compacted=True),
            self._topic(
                self.update_blobs, partitions, retention_ms=UPDATE_BLOBS_RETENTION_MS, max_bytes=_CHUNK_RECORD_BYTES
            ),
            self._topic(self.updates, partitions, retention_ms=30 * _DAY_MS),
            self._topic(self.verdicts, 1, retention_ms=365 * _DAY_MS),
            self._topic(self.accepted, partitions, retention_ms=7 * _DAY_MS),
            self._topic(self.quarantine, 1, retention_ms=7 * _DAY_MS),
            self._topic(self.receipts, 1, retention_ms=365 * _DAY_MS),
            self._topic(self.model_blobs, partitions, compacted=True, max_bytes=_CHUNK_RECORD_BYTES),
            self._topic(self.models, 1, retention_ms=_FOR_EVER),
            self._topic(self.releases, 1, retention_ms=_FOR_EVER),
            self._topic(self.variants, 1, retention_ms=_FOR_EVER),
            self._topic(self.variant_blobs, partitions, retention_ms=_FOR_EVER, max_bytes=_CHUNK_RECORD_BYTES),
            self._topic(self.measurements, 1, retention_ms=_FOR_EVER),
            self._topic(self.promotions, 1, retention_ms=_FOR_EVER),
            self._topic(self.requests, partitions, retention_ms=_DAY_MS),
            self._topic(self.results, partitions, retention_ms=_DAY_MS),
            self._topic(self.events, 1, retention_ms=7 * _DAY_MS),
            self._topic(self.failures, 1, retention_ms=30 * _DAY_MS),
            self._topic(self.audit, 1, retention_ms=_FOR_EVER),
            self._topic(self.checkpoints, 1, retention_ms=_FOR_EVER),
            # Few and small. Which of them count follows from all that came before.
            self._topic(self.leases, 1, retention_ms=_FOR_EVER, max_bytes=_SMALL_RECORD_BYTES),
            # Of each holder the last word alone matters, and at once.
            self._topic(self.heartbeats, 1, compacted=True, lag_ms=0, max_bytes=_SMALL_RECORD_BYTES),
        ]

    @staticmethod
    def _topic(
        name: str,
        partitions: int,
        *,
        compacted: bool = False,
        lag_ms: int = _DAY_MS,
        retention_ms: int | None = None,
        max_bytes: int = _RECORD_BYTES,
    ) -> TopicSettings:
        config = {
            # The broker's clock is the only one that decides anything.
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(max_bytes),
            # The broker inflates what it is sent, and refuses what is then too large: a batch of half a megabyte may
            # hold half a gigabyte of zeros, and readers need no codec (Flink's connector has no zstd).
            "compression.type": "uncompressed",
            "cleanup.policy": "compact" if compacted else "delete",
        }
        if compacted:
            # A reader that is no further behind meets every record.
            config["min.compaction.lag.ms"] = str(lag_ms)
        if retention_ms is not None:
            config["retention.ms"] = str(retention_ms)
        if retention_ms == _DAY_MS or (compacted and not lag_ms):
            # Only closed segments expire or are compacted, and by default one is open for a week.
            config["segment.ms"] = str(_HOUR_MS)
        return TopicSettings(name=name, partitions=partitions, config=config)
