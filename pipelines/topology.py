"""The stages, by name: which topics each reads and writes, and which module wires it.

Modules are named as strings: importing them here would join all stages. A topic has one writing stage, or is written
by parties outside (participants, the operator).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A fragment of a job graph. `reads` and `writes` are attribute names of `fluvial.wire.topics.Topics`."""

    module: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


STAGES: dict[str, Stage] = {
    "validation": Stage(
        module="pipelines.validation.job",
        reads=("updates", "enrolments", "reports", "registry", "rounds", "variants", "update_blobs"),
        writes=("verdicts", "quarantine", "accepted", "admitted_reports", "registry", "events"),
    ),
    "aggregation": Stage(
        module="pipelines.aggregation.job",
        reads=("accepted", "rounds", "registry", "models", "verdicts", "receipts", "update_blobs", "model_blobs"),
        writes=("rounds", "models", "model_blobs", "receipts", "events"),
    ),
    "evaluation": Stage(
        module="pipelines.evaluation.job",
        reads=("models", "registry", "model_blobs", "updates"),
        writes=("releases", "events"),
    ),
    "acceleration": Stage(
        module="pipelines.acceleration.job",
        reads=("models", "registry", "model_blobs", "variants"),
        writes=("variants", "variant_blobs", "measurements", "events"),
    ),
    "promotion": Stage(
        module="pipelines.promotion.job",
        reads=("variants", "measurements", "admitted_reports", "promotions", "operator_acts", "registry"),
        writes=("promotions", "events"),
    ),
    "inference": Stage(
        module="pipelines.inference.job",
        reads=("requests", "promotions", "variants", "variant_blobs", "registry"),
        writes=("results", "events"),
    ),
    "audit": Stage(
        module="pipelines.audit.job",
        reads=("events", "audit"),
        writes=("audit", "checkpoints", "events"),
    ),
}

OF_EVERY_STAGE = ("failures",)
"""Topics that every stage writes and reads when an operator raises (`pipelines.flink.guard`)."""

OF_EVERY_JOB = ("leases", "heartbeats")
"""Topics that say which job runs which stages: written when it is started, and while it runs."""

WRITTEN_OUTSIDE = (
    "requests",
    "updates",
    "enrolments",
    "reports",
    "update_blobs",
    "registry",
    "models",
    "model_blobs",
    "operator_acts",
)
"""Topics that participants write, or that operators write when they create a task or act upon a decision."""

PROVEN = (
    "verdicts",
    "accepted",
    "admitted_reports",
    "receipts",
    "releases",
    "events",
    "failures",
    "audit",
    "checkpoints",
)
"""Topics that stages alone write, and read of one another or of themselves without a signature: their records bear a
proof of their writer (`pipelines.flink.stage_mac`), and what bears none is skipped."""


def stages_named(names: list[str]) -> dict[str, Stage]:
    """The stages of these names, in the order of the data's way. Raises ValueError for an unknown or repeated name."""
    unknown = sorted(set(names) - STAGES.keys())
    if unknown:
        raise ValueError(f"no such stage: {', '.join(unknown)}; there are {', '.join(STAGES)}")
    if not names or len(set(names)) != len(names):
        raise ValueError("name at least one stage, each once")
    return {name: stage for name, stage in STAGES.items() if name in names}
