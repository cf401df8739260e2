"""What was answered in a minute, for the audit log: counts, latencies, and the Merkle root of the results. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fluvial.transparency.compact_range import CompactRange
from fluvial.transparency.merkle import leaf_hash
from fluvial.wire.records import InferenceStatus, InferenceSummary
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
    tree: CompactRange = field(default_factory=CompactRange.empty)

    def add(self, asked: Asked, answer: Any, now_ms: int) -> None:
        """Count an answer."""
        self.requests += 1
        if answer.status is InferenceStatus.ANSWERED:
            self.examples += answer.shape[0]
        else:
            self.refused += 1
        self.latencies_ms.append(max(0, now_ms - asked.arrived_ms))

    def add_results(self, record: bytes, model: Model | None) -> None:
        """Take a record of topic results into the tree."""
        self.tree = self.tree.append(leaf_hash(record))
        if model is not None:
            self.promotion, self.version, self.variant = model.promotion, model.version, model.variant

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
            root=self.tree.root(),
            results=self.tree.size,
        )


def minute_of(now_ms: int) -> int:
    """The begin of the minute."""
    return now_ms - now_ms % MINUTE_MS
