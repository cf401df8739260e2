"""Whether a task's terms of acceleration can be held to, asked before they are signed: not after the first round."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import get_args

from fluvial.edge.training.task_code import TaskCode
from fluvial.wire.acceleration import AccelerationSpec
from fluvial.wire.promotion_policy import MetricName, PromotionPolicy
from models.acceleration.catalogue import parse_recipe
from models.acceleration.example_sets import check_apart, load_set

_EVERYBODY = "all"


def check_terms(code: TaskCode, spec: AccelerationSpec) -> None:
    """Raises ValueError that says what is wrong: a recipe or parameters that there are not, a calibration or gate set
    that cannot be read, is not apart or has several inputs, and a margin or floor of a group that the gate set does not
    have, which nobody would ever look at."""
    for variant in spec.variants:
        try:
            parse_recipe(variant.recipe, variant.parameters)
        except ValueError as error:
            raise ValueError(f"acceleration: the variant {variant.name}: {error}") from error
    try:
        gate = load_set(code, spec.gate)
        check_apart(load_set(code, spec.calibration), gate)
    except OSError as error:
        raise ValueError(f"acceleration: {error.filename} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"acceleration: {error}") from error
    groups = {f"{attribute}:{name}" for attribute, (_, names) in gate.examples.groups.items() for name in names}
    for field, key in _of_nobody(spec.policy, groups):
        there = ", ".join(sorted(groups)) or "none"
        raise ValueError(f"acceleration: {field}: {key} is of a group that {spec.gate} does not have; it has {there}")


def _of_nobody(policy: PromotionPolicy, groups: Collection[str]) -> Iterator[tuple[str, str]]:
    for field in ("margins", "floors"):
        for key in getattr(policy, field):
            kind, _, rest = key.partition(":")
            if kind not in get_args(MetricName):
                named = {key}
            elif kind == "recall":  # of a class, of a group, or of a class in a group
                named = {rest, rest.partition(":")[2]} if ":" in rest else set()
            else:
                named = {rest} if rest else set()
            if named and named.isdisjoint({*groups, _EVERYBODY}):
                yield field, key
