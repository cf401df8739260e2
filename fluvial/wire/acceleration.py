"""The `acceleration` part of a task file: which variants of each model are built, on what they are measured, and what
the gate demands of them."""

from __future__ import annotations

from pydantic import Field, model_validator

from fluvial.wire.plain_values import GivenName, PlainValues
from fluvial.wire.promotion_policy import PromotionPolicy

REFERENCE = "onnx_fp32"
"""The recipe that only changes the runtime, and no answer."""

PRUNED, FINE_TUNED = "pruned_structured", "fine_tuned"
"""The recipe that rounds of fine-tuning may follow, and what comes of them."""


class VariantSpec(PlainValues):
    """A variant: a recipe of models/acceleration and its parameters, under a name of its own."""

    name: GivenName = Field(description="Of the variant, in records, commands and answers.")
    recipe: str = Field(
        description="onnx_fp32, fp16_storage, fp16, int8_static, int8_dynamic, int4_storage, pruned_..., low_rank, "
        "fine_tuned, torch_fp32, torch_bf16, torch_fp16"
    )
    parameters: dict[str, int | float | str | bool] = Field(default={}, description="The recipe's own.")


class BatchingSpec(PlainValues):
    """How requests are put together: as soon as there are `max_batch`, or when the oldest has waited `max_delay_ms`.

    A job gathers the requests of all its tasks in one place, by the largest `max_batch` and the shortest `max_delay_ms`
    that the registry has when it is submitted. The rest holds for each task, and from the next batch on.
    """

    max_batch: int = Field(default=64, ge=1, le=4096, description="Most examples that a model is run on at once.")
    max_delay_ms: float = Field(
        default=2.0,
        ge=0,
        le=1000,
        description="Longest wait of a request for others, in whole milliseconds; taken when the job is submitted.",
    )
    deadline_ms: int = Field(default=5_000, ge=1, description="Longest wait of a request; then it is refused.")
    examples_per_minute: int = Field(
        default=0, ge=0, description="Examples that one caller may ask for in a minute; 0 for no limit."
    )


class AccelerationSpec(PlainValues):
    """Acceleration of a task's models, governed by the federation."""

    variants: list[VariantSpec] = Field(
        min_length=1,
        max_length=32,
        description="In order of preference: of those promoted for a version the first serves.",
    )
    calibration: str = Field(
        description="File whose inputs recipes may look at, of the package or relative to the checkout; or a loader of "
        "the package, module:function, that is given its folder."
    )
    gate: str = Field(
        description="File or loader with inputs, targets, groups that variants are measured on; never those of "
        "calibration."
    )
    class_names: dict[str, str] = Field(
        default={}, description='What classes are called in reasons: {"1": "defaulters"}.'
    )
    group_names: dict[str, str] = Field(
        default={}, description='What groups are called in reasons: {"age:50-80": "aged 50 to 80"}'
    )
    participants_measure: bool = Field(
        default=False, description="Ask participants to measure variants on their own data and processors."
    )
    every: int = Field(
        default=1, ge=1, description="Build variants of every so many versions, and of the task's last one in any case."
    )
    policy: PromotionPolicy = PromotionPolicy()
    batching: BatchingSpec = BatchingSpec()

    @model_validator(mode="after")
    def _names_are_unique(self) -> AccelerationSpec:
        names = [variant.name for variant in self.variants]
        if len(set(names)) != len(names):
            raise ValueError(f"two variants have one name: {', '.join(sorted(n for n in names if names.count(n) > 1))}")
        if self.participants_measure and self.reference is None:
            raise ValueError(
                f"participants_measure: a device compares with the float32 model as the recipe {REFERENCE} makes it: "
                "one of the variants must be that"
            )
        return self

    @model_validator(mode="after")
    def _sets_are_apart(self) -> AccelerationSpec:
        if self.calibration == self.gate:
            raise ValueError("calibration and gate are one set: whoever calibrates on the gate flatters the variant")
        return self

    @model_validator(mode="after")
    def _what_is_tuned_was_pruned(self) -> AccelerationSpec:
        for variant in self.variants:
            if variant.recipe != FINE_TUNED:
                continue
            pruned = self.variant(str(variant.parameters.get("of", PRUNED)))
            if pruned is None or pruned.recipe != PRUNED:
                raise ValueError(f"{variant.name}: `of` must name a variant of recipe {PRUNED}, whose rounds these are")
        return self

    @property
    def built_at_once(self) -> list[VariantSpec]:
        """The variants that need nobody but who builds them; others come when their rounds of fine-tuning are over."""
        return [variant for variant in self.variants if variant.recipe != FINE_TUNED]

    @property
    def reference(self) -> VariantSpec | None:
        """What devices, which have no torch, compare the others with; None where the task names none."""
        return next((variant for variant in self.variants if variant.recipe == REFERENCE), None)

    def variant(self, name: str) -> VariantSpec | None:
        """The variant of that name, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)
