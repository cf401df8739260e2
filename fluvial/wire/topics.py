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
| measurements | acceleration | measurer |
| reports | participants | participant |
| admitted-reports | validation | task |
| promotions | promotion | task |
| operator-acts | operators | task |
| requests | callers | the request's id |
| results | inference | none; in the partition that the request names |
| events | every stage | event id |
| failures | every stage | operator |
| audit, checkpoints | audit | none |
| leases | whoever starts a job | the job's stages |
| heartbeats | the job of a lease | epoch of the lease |
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from fluvial.wire.retention import DAYS

if TYPE_CHECKING:
    from fluvial.wire.topic_policy import TopicPolicy

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_FOR_EVER = -1
_WEEK_MS = 7 * _DAY_MS
UPDATE_BLOBS_RETENTION_MS = int(DAYS["update_blobs"] * _DAY_MS)
"""How long the chunks of updates are kept at least."""
_CHUNK_RECORD_BYTES = 2 << 20
RECORD_BYTES = 4 << 20
"""The most that a record of a topic may have, but where a smaller number stands."""
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
    "reports",
    "admitted_reports",
    "promotions",
    "operator_acts",
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
    """A topic to create: full name, partitions, the broker's configuration of it, and how many brokers keep it."""

    name: str
    partitions: int
    config: dict[str, str]
    replication_factor: int = 1


class Topics:
    """Full names of the topics under a prefix. `topics.update_blobs` is "<prefix>update-blobs".

    scope: what every record signed for these topics names, 32 hexadecimal digits: a digest of the federation's id and
    the prefix, so that federations which share keys, and one that was begun anew, believe nothing of each other. Empty
    for a federation without an id.
    """

    def __init__(self, prefix: str = "fluvial.", federation_id: str = "") -> None:
        """federation_id: 32 hexadecimal digits, drawn when the topics were made; empty for a federation of the first
        release."""
        self.prefix = prefix
        named = f"fluvial federation\n{federation_id}\n{prefix}".encode()
        self.scope = sha256(named).hexdigest()[:32] if federation_id else ""
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
        self.reports = f"{prefix}reports"
        self.admitted_reports = f"{prefix}admitted-reports"
        self.promotions = f"{prefix}promotions"
        self.operator_acts = f"{prefix}operator-acts"
        self.requests = f"{prefix}requests"
        self.results = f"{prefix}results"
        self.events = f"{prefix}events"
        self.failures = f"{prefix}failures"
        self.audit = f"{prefix}audit"
        self.checkpoints = f"{prefix}checkpoints"
        self.leases = f"{prefix}leases"
        self.heartbeats = f"{prefix}heartbeats"

    def all_settings(self, partitions: int = 4, policy: TopicPolicy | None = None) -> list[TopicSettings]:
        """Settings of every topic. partitions: of update-blobs, model-blobs, updates: the shards. policy: what the
        operator decided; without it the defaults."""
        from fluvial.wire.topic_policy import TopicPolicy  # late: who makes topics alone needs their settings

        decided = policy or TopicPolicy()

        def compacted(name: str, partitions: int = 1, *, lag_ms: int = _DAY_MS, **more: int) -> TopicSettings:
            # A reader that is no further behind than the lag meets every record.
            config = {"cleanup.policy": "compact", "min.compaction.lag.ms": str(lag_ms)}
            # Only closed segments are compacted, and by default one is open for a week.
            return self._topic(name, partitions, decided, config | ({} if lag_ms else _segments(0)), **more)

        def kept(name: str, partitions: int = 1, **more: int) -> TopicSettings:
            retention_ms = decided.retention_ms(name) if name in DAYS else _FOR_EVER
            config = {"cleanup.policy": "delete", "retention.ms": str(retention_ms)}
            return self._topic(name, partitions, decided, config | _segments(retention_ms), **more)

        return [
            compacted("registry"),
            kept("enrolments"),
            compacted("rounds"),
            kept("update_blobs", partitions, max_bytes=_CHUNK_RECORD_BYTES),
            kept("updates", partitions),
            kept("verdicts"),
            kept("accepted", partitions),
            kept("quarantine"),
            kept("receipts"),
            compacted("model_blobs", partitions, max_bytes=_CHUNK_RECORD_BYTES),
            kept("models"),
            kept("releases"),
            kept("variants"),
            kept("variant_blobs", partitions, max_bytes=_CHUNK_RECORD_BYTES),
            kept("measurements"),
            kept("reports"),
            kept("admitted_reports"),
            kept("promotions"),
            kept("operator_acts", max_bytes=_SMALL_RECORD_BYTES),
            kept("requests", partitions),
            kept("results", partitions),
            kept("events"),
            kept("failures"),
            kept("audit"),
            kept("checkpoints"),
            # Few and small. Which of them count follows from all that came before.
            kept("leases", max_bytes=_SMALL_RECORD_BYTES),
            # Of each holder the last word alone matters, and at once.
            compacted("heartbeats", lag_ms=0, max_bytes=_SMALL_RECORD_BYTES),
        ]

    def _topic(
        self, name: str, partitions: int, policy: TopicPolicy, config: dict[str, str], max_bytes: int = RECORD_BYTES
    ) -> TopicSettings:
        common = {
            # The broker's clock is the only one that decides anything.
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(max_bytes),
            # The broker inflates what it is sent, and refuses what is then too large: a batch of half a megabyte may
            # hold half a gigabyte of zeros, and readers need no codec (Flink's connector has no zstd).
            "compression.type": "uncompressed",
            "min.insync.replicas": str(policy.min_insync_replicas),
        }
        return TopicSettings(
            name=getattr(self, name),
            partitions=partitions,
            config=common | config,
            replication_factor=policy.replication_factor,
        )


def _segments(retention_ms: int) -> dict[str, str]:
    """Only closed segments expire, and by default one is open for a week: so that what is to be gone after a day is."""
    if not 0 <= retention_ms < 24 * _WEEK_MS:
        return {}
    return {"segment.ms": str(max(_HOUR_MS, retention_ms // 24))}
