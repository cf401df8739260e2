"""What is counted while a simulated federation runs, and the row that each round leaves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from fluvial.edge.metrics import Measured
from fluvial.wire.records import ModelManifest, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow:
    """What became of a round, and of what arrived since the one before.

    attempts: that the round took. included, excluded: of its updates, by the rule. rejected: by the gate, by reason.
    late: after the round had closed. sat_out: too few examples, or training that came to nothing. model_digest:
    hexadecimal. metrics: None without an evaluation set. simulated_seconds: since the start.
    """

    round: int
    version: int
    attempts: int
    included: int
    excluded: int
    late: int
    rejected: dict[str, int]
    sat_out: int
    model_digest: str
    metrics: Measured | None
    simulated_seconds: float


@dataclass(slots=True)
class Books:
    """Counts since the last model."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    sat_out: int = 0
    too_late: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def row(self, manifest: ModelManifest, metrics: Measured | None, simulated_seconds: float) -> RoundRow:
        """The row of the model that was made; the counts begin again."""
        row = RoundRow(
            round=manifest.round,
            version=manifest.version,
            attempts=manifest.attempt,
            included=self.outcomes[Outcome.INCLUDED],
            excluded=self.outcomes[Outcome.EXCLUDED],
            late=self.outcomes[Outcome.LATE] + self.too_late,
            rejected=dict(sorted(self.rejected.items())),
            sat_out=self.sat_out,
            model_digest=manifest.model_digest.hex(),
            metrics=metrics,
            simulated_seconds=simulated_seconds,
        )
        self.outcomes.clear()
        self.rejected.clear()
        self.sat_out = self.too_late = 0
        return row

    def in_words(self) -> str:
        """Why updates are missing."""
        parts = [f"{number} rejected for {reason}" for reason, number in sorted(self.rejected.items())]
        parts += [f"{number} of training that failed: {fault}" for fault, number in sorted(self.faults.items())]
        parts += [f"{self.sat_out} sat out"] if self.sat_out else []
        return "; ".join(parts) or "nothing was rejected"
