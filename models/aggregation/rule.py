"""Aggregation rules by name, and how one is read from a task file: {"name": ..., parameters}, where a parameter of a
wrapper may be a rule itself.

A rule decides which updates of a round enter, and how (`plan`); `combination` carries it out for all rules alike. Of n
updates a rule holds against at most so many Byzantine ones; f is its parameter `num_byzantine`. It measures nothing,
norms, or the Gram matrix first.

| rule | holds against | measures | weights count | source |
|---|---|---|---|---|
| `weighted_mean` | 0 | nothing | yes | McMahan et al., 2017 (FedAvg) |
| `unweighted_mean` | 0 | nothing | no | |
| `median` | (n - 1) // 2 | nothing | no | Yin et al., 2018 |
| `trimmed_mean` | f, if n > 2 f | nothing | no | Yin et al., 2018 |
| `krum` | f, if n > 2 f + 2 | Gram matrix | no | Blanchard et al., 2017 |
| `multi_krum` | f, if n > 2 f + 2 | Gram matrix | of the selected | Blanchard et al., 2017 |
| `bulyan` | f, if n >= 4 f + 3 | Gram matrix | no | El Mhamdi et al., 2018 |
| `geometric_median` | (n - 1) // 2 | Gram matrix | no | Pillutla et al., 2022 (RFA) |
| `centered_clipping` | n // 10 | Gram matrix | no | Karimireddy et al., 2021 |
| `fltrust` | all but the root | Gram matrix | no | Cao et al., 2021 |
| `clipped` | as the rule inside | norms, or as inside | as inside | Sun et al., 2019 |
| `nearest_neighbour_mixing` | f, if n > 2 f and the rule inside does | Gram matrix | as inside | Allouah et al., 2023 |

These are the papers' bounds on what a minority can do, for honest updates that resemble one another; the less they do,
the sooner a rule takes what is merely different for an attack.
"""

from collections.abc import Mapping
from functools import lru_cache
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
    """Rule from its JSON, or the mapping it stands for. Raises ValueError that names what is wrong.

    A text is read once: a round asks for its rule with every update.
    """
    return _of_text(text) if isinstance(text, str) else _of(text)


def _of(given: str | Mapping[str, Any]) -> Rule:
    return _rule(read_object(given, "aggregation rule"), 1)


_of_text = lru_cache(maxsize=64)(_of)


def _rule(given: Mapping[str, Any], depth: int) -> Rule:
    if depth > _MAX_DEPTH:
        raise ValueError(f"aggregation rules are nested deeper than {_MAX_DEPTH}")
    return construct("aggregation rule", RULES, given, {Rule: lambda inner: _rule(inner, depth + 1)})
