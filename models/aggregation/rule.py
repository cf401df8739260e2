"""Aggregation rules by name, and how one is read from a task file: {"name": ..., parameters}, where a parameter of a
wrapper may be a rule itself.

A rule decides which updates of a round enter, and how (`plan`); `combination` carries it out for all rules alike.
"""

from collections.abc import Mapping
from typing import Any

from models.aggregation.bulyan import Bulyan
from models.aggregation.centered_clipping import CenteredClipping
from models.aggregation.clipped import Clipped
from models.aggregation.fltrust import FLTrust
from models.aggregation.geometric_median import GeometricMedian
from models.aggregation.krum import Krum
from models.aggregation.median import CoordinateMedian
from models.aggregation.multi_krum import MultiKrum
from models.aggregation.nearest_neighbour_mixing import NearestNeighbourMixing
from models.aggregation.parameters import construct, read_object
from models.aggregation.plan import Rule
from models.aggregation.trimmed_mean import CoordinateTrimmedMean
from models.aggregation.unweighted_mean import UnweightedMean
from models.aggregation.weighted_mean import WeightedMean

__all__ = ["RULES", "Rule", "parse_rule"]

_RULES: tuple[type[Rule], ...] = (
    WeightedMean,
    UnweightedMean,
    CoordinateMedian,
    CoordinateTrimmedMean,
    Krum,
    MultiKrum,
    Bulyan,
    GeometricMedian,
    CenteredClipping,
    FLTrust,
    Clipped,
    NearestNeighbourMixing,
)
RULES: Mapping[str, type[Rule]] = {rule.name: rule for rule in _RULES}

_MAX_DEPTH = 8


def parse_rule(text: str | Mapping[str, Any]) -> Rule:
    """Rule from its JSON, or the mapping it stands for. Raises ValueError that names what is wrong."""
    return _rule(read_object(text, "aggregation rule"), 1)


def _rule(given: Mapping[str, Any], depth: int) -> Rule:
    if depth > _MAX_DEPTH:
        raise ValueError(f"aggregation rules are nested deeper than {_MAX_DEPTH}")
    return construct("aggregation rule", RULES, given, {Rule: lambda inner: _rule(inner, depth + 1)})
