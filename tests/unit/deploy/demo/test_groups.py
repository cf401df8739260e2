"""The last model by group beside the central one: what is held to a margin, what is worst, what people see."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from deploy.demo.groups import ByGroup, GroupMargin, from_dicts, to_dicts
from deploy.demo.measures import Margin
from fluvial.edge.metrics.measure import GroupMetrics

AUC = Margin(metric="auc", size=5, unit="points", lower_is_better=False)
ERROR = Margin(metric="mae", size=5, unit="percent", lower_is_better=True)


def group(name: str, attribute: str = "site", **metrics: float) -> GroupMetrics:
    return GroupMetrics(attribute=attribute, group=name, num_examples=9, metrics=metrics)


GOOD = ByGroup(
    margins=(GroupMargin(attribute="site", margin=AUC),),
    shown=AUC,
    federated=(group("a", auc=0.9), group("b", auc=0.76), group("old", "age", auc=0.5)),
    central=(group("b", auc=0.8), group("a", auc=0.9), group("old", "age", auc=0.9)),
)


def test_each_group_of_the_attribute_is_held_to_the_central_model_on_the_same_examples() -> None:
    assert GOOD.shortfalls() == []
    worse = replace(GOOD, federated=(group("a", auc=0.84), group("b", auc=0.76)))
    assert worse.shortfalls() == ["site a: auc is 6.0 points behind the central model; at most 5 are allowed"]


def test_an_attribute_without_a_margin_is_shown_and_not_held() -> None:
    assert replace(GOOD, margins=()).shortfalls() == []
    assert GOOD.worst is not None
    assert GOOD.worst.name == "age old"


def test_what_was_not_measured_does_not_pass() -> None:
    assert replace(GOOD, federated=()).shortfalls() == ["no group of site was measured"]
    missing = replace(GOOD, federated=(group("a", auc=0.9), group("b")))
    assert missing.shortfalls() == ["site b: the federated model's auc was not measured"]
    assert replace(GOOD, central=()).shortfalls()[0] == "site a: the central model's auc was not measured"


def test_of_an_error_the_largest_is_the_worst() -> None:
    errors = ByGroup(shown=ERROR, federated=(group("a", mae=3.0), group("b", mae=4.0)))
    assert errors.worst is not None
    assert errors.worst.group == "b"


def test_people_see_each_group_and_which_is_worst() -> None:
    out = io.StringIO()
    Console(file=out, width=100).print(GOOD.table())
    for expected in ("AUC", "site", "age", "76.0 %", "80.0 %", "9"):
        assert expected in out.getvalue()
    assert GOOD.worst_in_words() == "age old: AUC 50.0 %, central 90.0 %"


def test_without_groups_there_is_nothing_to_show() -> None:
    assert ByGroup(shown=AUC).table() is None
    assert ByGroup(shown=AUC).worst_in_words() == ""
    assert ByGroup().worst is None


def test_measurements_outlive_their_process() -> None:
    assert from_dicts(to_dicts(GOOD.federated)) == GOOD.federated
