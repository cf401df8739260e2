"""What is counted while a simulated federation runs, and the row that each round leaves."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from fluvial.edge.metrics import Measured
from fluvial.edge.too_large import REMEDY
from fluvial.wire.records import Decision, ModelManifest, Outcome, Reason, Round, Verdict

_LIMITS = {
    Reason.NORM_EXCEEDED.value: ("L2 norms", "limits.max_norm"),
    Reason.MAGNITUDE_EXCEEDED.value: ("largest elements", "limits.max_abs"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """Of updates that one limit refused: the least and the largest measure, the limit, and the tensor that has most of
    the largest."""

    least: float
    most: float
    limit: float
    tensor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRow:
    """What became of a round, and of what arrived since the one before.

    attempts: that the round took. included, excluded: of its updates, by the rule. rejected: by the gate, by reason;
    beyond: how far beyond their limit, where it is one of size. late: after the round had closed. sat_out: too few
    examples, or training that came to nothing. model_digest: hexadecimal. metrics: None without an evaluation set.
    simulated_seconds: since the start.
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
    beyond: dict[str, Beyond] = field(default_factory=dict)


@dataclass(slots=True)
class Books:
    """Counts since the last model."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    beyond: dict[str, Beyond] = field(default_factory=dict)
    sat_out: int = 0
    too_late: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def judged(self, verdict: Verdict, round_: Round, tensor: str = "") -> None:
        """What the gate decided about an update for the round. tensor: that takes it beyond a limit."""
        if verdict.decision is Decision.ACCEPT:
            return
        reason = verdict.reason.value
        self.rejected[reason] += 1
        if reason in _LIMITS:
            of_norm = verdict.reason is Reason.NORM_EXCEEDED
            measure, limit = (verdict.norm, round_.max_norm) if of_norm else (verdict.max_abs, round_.max_abs)
            former = self.beyond.get(reason, Beyond(least=measure, most=measure, limit=limit, tensor=tensor))
            self.beyond[reason] = Beyond(
                least=min(former.least, measure),
                most=max(former.most, measure),
                limit=limit,
                tensor=tensor if measure > former.most else former.tensor,
            )

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
            beyond=dict(self.beyond),
        )
        self.outcomes.clear()
        self.rejected.clear()
        self.beyond.clear()
        self.sat_out = self.too_late = 0
        return row

    def in_words(self) -> str:
        """Why updates are missing."""
        parts = [rejections(*each, self.beyond.get(each[0])) for each in sorted(self.rejected.items())]
        parts += [REMEDY] if self.beyond else []
        parts += [f"{number} of training that failed: {fault}" for fault, number in sorted(self.faults.items())]
        parts += [f"{self.sat_out} sat out"] if self.sat_out else []
        return "; ".join(parts) or "nothing was rejected"


def rejections(reason: str, number: int, beyond: Beyond | None) -> str:
    """So many updates refused for one reason, in words."""
    if beyond is None:
        return f"{number} rejected for {reason}"
    measures, limit = _LIMITS[reason]
    least, most = f"{beyond.least:.4g}", f"{beyond.most:.4g}"
    found = f"{measures} of {least if least == most else f'{least} to {most}'}, {limit} is {beyond.limit:g}"
    found += f", mostly of {beyond.tensor}" if beyond.tensor else ""
    return f"{number} rejected for {reason} ({found})"
