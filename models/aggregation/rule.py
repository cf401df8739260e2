"""Aggregation rules by name, and how one is read from a task file: {"name": ..., parameters}, where a parameter of a
wrapper may be a rule itself.

A rule decides which updates of a round enter, and how (`plan`); `combination` carries it out for all rules alike.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from math import isfinite
from typing import Any, get_type_hints

from models.aggregation.multi_krum import MultiKrum
from models.aggregation.plan import Rule
from models.aggregation.unweighted_mean import UnweightedMean
from models.aggregation.weighted_mean import WeightedMean

__all__ = ["RULES", "Rule", "parse_rule"]

RULES: Mapping[str, type[Rule]] = {rule.name: rule for rule in (WeightedMean, UnweightedMean, MultiKrum)}

_MAX_DEPTH = 8


def parse_rule(text: str | Mapping[str, Any]) -> Rule:
    """Rule from its JSON, or the mapping it stands for. Raises ValueError that names what is wrong."""
    try:
        parameters = dict(json.loads(text) if isinstance(text, str) else text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"aggregation rule is not a JSON object: {text!r}") from error
    return _rule(parameters, 1)


def _rule(parameters: Mapping[str, Any], depth: int) -> Rule:
    if depth > _MAX_DEPTH:
        raise ValueError(f"aggregation rules are nested deeper than {_MAX_DEPTH}")
    name = parameters.get("name")
    if not isinstance(name, str) or name not in RULES:
        raise ValueError(f"unknown aggregation rule {name!r}; known: {', '.join(sorted(RULES))}")
    rule = RULES[name]
    declared = {field.name: field for field in fields(rule)}  # type: ignore[arg-type]  # every rule is a dataclass
    given = {key: value for key, value in parameters.items() if key != "name"}
    required = {key for key, field in declared.items() if field.default is MISSING}
    if unknown := sorted(given.keys() - declared.keys()):
        raise ValueError(f"the rule {name} has no parameter {', '.join(unknown)}; it has {sorted(declared) or 'none'}")
    if missing := sorted(required - given.keys()):
        raise ValueError(f"the rule {name} needs the parameter {', '.join(missing)}")
    kinds = get_type_hints(rule)
    return rule(**{key: _value(name, key, kinds[key], value, depth) for key, value in given.items()})


def _value(rule: str, parameter: str, kind: Any, value: Any, depth: int) -> Any:
    """The value as the rule declares it: nothing is converted but whole numbers to floats."""
    if kind is Rule and isinstance(value, Mapping):
        return _rule(value, depth + 1)
    if kind is float and type(value) in (int, float) and isfinite(value):
        return float(value)
    if kind is str and type(value) is str:
        return value
    if kind in (int, int | None) and (type(value) is int or (value is None and kind is not int)):
        return value
    expected = {int: "an integer", float: "a finite number", str: "a text", Rule: "a rule"}.get(kind, "an integer")
    raise ValueError(f"parameter {parameter} of the rule {rule} must be {expected}, got {value!r}")
