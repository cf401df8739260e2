"""The `tunes` part of a task file: which pruned variant of another task's model its rounds fine-tune."""

from __future__ import annotations

from pydantic import Field

from fluvial.wire.plain_values import GivenName, PlainValues


class TuningSpec(PlainValues):
    """Rounds that fine-tune a pruned model of another task, signed by the operator with the task. Version 0 is the
    pruned model: whoever has the other task's model computes it again. What the last round makes is that version's
    variant."""

    task: GivenName = Field(description="The task whose model was pruned.")
    version: int = Field(ge=0, description="The version of that model.")
    model_digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="Its digest.")
    variant: GivenName = Field(
        description="The variant that the rounds make, of recipe fine_tuned in the task's terms."
    )
    fraction: float = Field(gt=0, lt=1, description="Share of each hidden layer's units or channels that was pruned.")
