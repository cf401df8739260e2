"""What was answered in a minute, for the audit log: counts, latencies, and the Merkle root of the results. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from fluvial.identity.envelope import unseal
from fluvial.inference.answers_root import answers_root, leaf_of
from fluvial.wire.errors import FluvialError
from fluvial.wire.records import InferenceAnswer, InferenceResults, InferenceStatus, InferenceSummary
from pipelines.flink.frames import SourceRecord
from pipelines.inference.logic import Asked, Model

MINUTE_MS = 60_000


@dataclass(slots=True)
class Minute:
    """One task's answers since `minute_ms`, by one worker."""

    task: str
    worker: str
    minute_ms: int
    requests: int = 0
    examples: int = 0
    refused: int = 0
    promotion: int = 0
    version: int = -1
    variant: str = ""
    latencies_ms: list[int] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)

    def add(self, asked: Asked, answer: InferenceAnswer, now_ms: int) -> None:
        """Count an answer."""
        self._count(answer)
        self.latencies_ms.append(max(0, now_ms - asked.arrived_ms))

    def _count(self, answer: InferenceAnswer) -> None:
        self.requests += 1
        if answer.status is InferenceStatus.ANSWERED:
            self.examples += answer.shape[0]
        else:
            self.refused += 1

    def add_results(self, record: bytes, model: Model | None) -> None:
        """Take a record of topic results among the leaves."""
        self.leaves.append(leaf_of(record))
        if model is not None:
            self.promotion, self.version, self.variant = model.promotion, model.version, model.variant

    def take_earlier(self, records: Iterable[SourceRecord], public_key: bytes, scope: str = "") -> None:
        """Count what a worker of this number wrote of this minute before it failed; how long it took is not known.
        records: of topic results. public_key, scope: who signs them, for which federation; others are passed over."""
        for record in records:
            try:
                results = unseal(record.value, InferenceResults, public_key, scope)
            except FluvialError:
                continue
            if (results.task, results.worker, minute_of(results.answered_ms)) != (
                self.task,
                self.worker,
                self.minute_ms,
            ):
                continue
            self.leaves.append(leaf_of(record.value))
            for answer in results.answers:
                self._count(answer)

    def summary(self) -> InferenceSummary:
        """What the audit log says of it."""
        p50, p95, p99 = np.percentile(self.latencies_ms or [0], (50, 95, 99)) * 1000.0
        return InferenceSummary(
            task=self.task,
            worker=self.worker,
            minute_ms=self.minute_ms,
            promotion=self.promotion,
            version=self.version,
            variant=self.variant,
            requests=self.requests,
            examples=self.examples,
            refused=self.refused,
            p50_us=float(p50),
            p95_us=float(p95),
            p99_us=float(p99),
            root=answers_root(self.leaves),
            results=len(self.leaves),
        )


def minute_of(now_ms: int) -> int:
    """The begin of the minute."""
    return now_ms - now_ms % MINUTE_MS
