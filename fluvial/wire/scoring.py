"""The `scoring` part of a task file: what each update makes of the model, on a canary set, before it is accepted."""

from __future__ import annotations

from pydantic import Field

from fluvial.wire.plain_values import PlainValues


class ScoringSpec(PlainValues):
    """Each candidate, the round's model plus one update, is run on the canary set. Its scores stand in the verdict; an
    update beyond a limit is held for a person (LOW_SCORE). Without limits scores are recorded alone."""

    canary: str = Field(
        description="File of examples with targets, relative to the checkout; apart from what measures models."
    )
    max_examples: int = Field(default=256, ge=1, le=65_536, description="The first so many of them are used.")
    max_loss_increase: float | None = Field(
        default=None, description="Largest rise of the mean cross-entropy over the round's own model, in nats."
    )
    max_recall_drop: float | None = Field(
        default=None, gt=0, le=1, description="Largest drop of any class's recall below that of the round's own model."
    )
    min_cosine: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="Least cosine between the update and the canary set's own step, the negative gradient of its loss.",
    )
