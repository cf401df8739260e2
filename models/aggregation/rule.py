"""Aggregation rules by name.

A rule decides which updates of a round enter the exact sum, and with what weight; `fixed_point` does the rest for all
rules alike. A rule that compares updates says `needs_measure`: the Gram matrix of the round's deltas (`gram`) is
computed first and handed to `select`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from models.aggregation.multi_krum import MultiKrum
from models.aggregation.selection import Selection
from models.aggregation.weighted_mean import WeightedMean


class Rule(Protocol):
    """What the rounds of a task need of a rule."""

    name: ClassVar[str]
    needs_measure: ClassVar[bool]

    def check_quorum(self, quorum: int) -> None:
        """Raises ValueError if the rule's promise does not hold for rounds of `quorum` updates."""

    def select(self, weights: Sequence[int], gram: NDArray[np.float64] | None = None) -> Selection:
        """Decide on a round's updates, ordered by record digest: their weights int[N], their Gram matrix float64[N,
        N]."""


RULES: Mapping[str, type[Rule]] = {rule.name: rule for rule in (WeightedMean, MultiKrum)}


def parse_rule(text: str | Mapping[str, Any]) -> Rule:
    """Rule from its JSON, or the mapping it stands for: {"name": ..., further parameters}. Raises ValueError."""
    try:
        parameters = dict(json.loads(text) if isinstance(text, str) else text)
    except (TypeError, ValueError) as error:
        raise ValueError(f"aggregation rule is not a JSON object: {text!r}") from error
    name = parameters.pop("name", None)
    if not isinstance(name, str) or name not in RULES:
        raise ValueError(f"unknown aggregation rule {name!r}; known: {', '.join(sorted(RULES))}")
    for parameter, value in parameters.items():
        if value is not None and type(value) is not int:
            raise ValueError(f"parameter {parameter} of {name} must be an integer, got {value!r}")
    try:
        return RULES[name](**parameters)
    except TypeError as error:
        raise ValueError(f"parameters {sorted(parameters)} do not fit the rule {name}") from error
