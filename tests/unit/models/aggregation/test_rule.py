import json

import pytest

from models.aggregation.clipped import Clipped
from models.aggregation.multi_krum import MultiKrum
from models.aggregation.nearest_neighbour_mixing import NearestNeighbourMixing
from models.aggregation.plan import Measure, RoundUpdates
from models.aggregation.rule import RULES, parse_rule
from models.aggregation.trimmed_mean import CoordinateTrimmedMean
from models.aggregation.weighted_mean import WeightedMean


def test_rules_are_found_by_name() -> None:
    assert parse_rule('{"name": "weighted_mean"}') == WeightedMean()
    assert parse_rule({"name": "multi_krum", "num_byzantine": 2}) == MultiKrum(num_byzantine=2)
    assert parse_rule('{"name": "multi_krum", "num_byzantine": 2, "num_selected": 5}').measure is Measure.GRAM


def test_rules_nest() -> None:
    spec = {
        "name": "clipped",
        "max_norm": 2,
        "rule": {
            "name": "nearest_neighbour_mixing",
            "num_byzantine": 2,
            "rule": {"name": "trimmed_mean", "num_byzantine": 2},
        },
    }
    rule = Clipped(
        max_norm=2.0,
        rule=NearestNeighbourMixing(num_byzantine=2, rule=CoordinateTrimmedMean(num_byzantine=2)),
    )
    assert parse_rule(spec) == parse_rule(json.dumps(spec)) == rule


def test_nesting_has_an_end() -> None:
    spec: dict[str, object] = {"name": "weighted_mean"}
    for _ in range(7):
        spec = {"name": "clipped", "max_norm": 1.0, "rule": spec}
    parse_rule(spec)
    with pytest.raises(ValueError, match="nested deeper"):
        parse_rule({"name": "clipped", "max_norm": 1.0, "rule": spec})
    with pytest.raises(ValueError, match=r"JSON|nested"):
        parse_rule('{"name": "clipped", "max_norm": 1, "rule": ' * 100_000)


def test_every_rule_is_listed_by_its_own_name() -> None:
    assert all(rule.name == name for name, rule in RULES.items())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        "null",
        "{}",
        '{"name": "mode"}',
        '{"name": ["weighted_mean"]}',
        '{"name": "weighted_mean", "num_byzantine": 1}',
        '{"name": "multi_krum"}',
        '{"name": "multi_krum", "num_byzantine": -1}',
        '{"name": "multi_krum", "num_byzantine": 1.5}',
        '{"name": "multi_krum", "num_byzantine": true}',
        '{"name": "multi_krum", "num_byzantine": 1, "num_selected": 0}',
        json.dumps({"name": "multi_krum", "num_byzantine": 1, "f": 1}),
        '{"name": "clipped", "max_norm": 1.0}',
        '{"name": "clipped", "max_norm": 1.0, "rule": "weighted_mean"}',
        '{"name": "clipped", "max_norm": 1.0, "rule": {"name": "mode"}}',
        '{"name": "clipped", "max_norm": "1", "rule": {"name": "median"}}',
        '{"name": "clipped", "max_norm": true, "rule": {"name": "median"}}',
        '{"name": "clipped", "max_norm": 1e999, "rule": {"name": "median"}}',
        '{"name": "clipped", "max_norm": NaN, "rule": {"name": "median"}}',
        '{"name": "clipped", "max_norm": 1' + 400 * "0" + ', "rule": {"name": "median"}}',
        '{"name": "fltrust", "root_participant": 7}',
        '{"name": "fltrust", "root_participant": ""}',
        '{"name": "fltrust", "root_participant": "St. Mary"}',
        '{"name": "median", "rule": {"name": "median"}}',
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"rule|num_byzantine|parameter"):
        parse_rule(text)


def test_the_weighted_mean_takes_everyone() -> None:
    plan = WeightedMean().plan(RoundUpdates(participants=("a", "b", "c"), weights=(3, 1, 2)))
    assert plan.effective_weights == (3, 1, 2)
    assert plan.divisor == 6
    with pytest.raises(ValueError, match="at least 1"):
        WeightedMean().check_quorum(0)
