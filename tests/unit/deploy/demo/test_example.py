"""Which tasks the demonstration can run, and what their file demo.yaml says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.demo.cast import cast
from deploy.demo.example import TASKS, example, examples
from deploy.demo.groups import GroupMargin
from deploy.demo.measures import Margin
from deploy.machine.jars import CHECKOUT
from fluvial.edge.packages import Packages
from fluvial.edge.training.task_code import TaskCode


@pytest.mark.parametrize("name", examples())
def test_an_example_has_data_and_a_part_for_each_name_and_margins_of_what_is_measured(name: str) -> None:
    found = example(name)
    assert found.data.exists()
    assert found.margins
    assert {margin.metric for margin in found.margins} <= set(found.metrics)
    assert len(cast(found.names)) >= found.task_file.quorum
    assert bool(found.packages) == (found.task_file.package is not None)


@pytest.mark.parametrize(
    ("name", "metric", "size", "unit"),
    [
        ("digits", "accuracy", 3, "points"),
        ("heart", "auc", 3, "points"),
        ("pneumonia", "auc", 3, "points"),
        ("speech", "accuracy", 3, "points"),
        ("credit", "auc", 1, "points"),
        ("air", "mae", 5, "percent"),
        ("engines", "rmse", 10, "percent"),
    ],
)
def test_an_example_is_held_to_what_it_is_to_show(name: str, metric: str, size: float, unit: str) -> None:
    (margin,) = [margin for margin in example(name).margins if margin.metric == metric]
    assert (margin.size, margin.unit, margin.lower_is_better) == (size, unit, unit == "percent")


def test_no_site_may_be_more_than_five_points_behind() -> None:
    (held,) = example("pneumonia").group_margins
    assert held == GroupMargin(
        attribute="site", margin=Margin(metric="auc", size=5, unit="points", lower_is_better=False)
    )


def test_credit_is_held_by_sex_and_by_age_band() -> None:
    held = {each.attribute: (each.margin.metric, each.margin.size) for each in example("credit").group_margins}
    assert held == {"sex": ("auc", 2), "age": ("auc", 2)}


@pytest.mark.parametrize("name", examples())
def test_what_groups_are_held_to_is_measured_on_groups_of_the_evaluation_set(name: str) -> None:
    found = example(name)
    measured = TaskCode.of(found.task_file, Packages(found.packages), CHECKOUT).evaluation_examples()
    assert measured is not None
    assert measured.groups
    assert {held.attribute for held in found.group_margins} <= set(measured.groups)
    assert {held.margin.metric for held in found.group_margins} <= set(found.metrics)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("participants: [a, b, c]\nagainst_central: {auc: {}}", "points or in percent"),
        ("participants: [a, b, c]\nagainst_central: {auc: {points: 3, percent: 3}}", "points or in percent"),
        ("participants: [a, b, b]\nagainst_central: {auc: {points: 3}}", "same name"),
        ("participants: [a]\nagainst_central: {auc: {points: 3}}", "at least 3"),
        ("participants: [a, b, c]", "against_central"),
        ("{", "demo.yaml is wrong"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, expected: str) -> None:
    shutil.copytree(TASKS / "heart", tmp_path / "heart")
    (tmp_path / "heart" / "demo.yaml").write_text(text)
    with pytest.raises(ValueError, match=expected):
        example("heart", tmp_path)


def test_a_task_says_of_its_own_metric_which_way_is_better(tmp_path: Path) -> None:
    shutil.copytree(TASKS / "heart", tmp_path / "heart")
    own = "participants: [a, b, c]\nagainst_central: {delay: {percent: 5, lower: true}, mae: {percent: 5}}"
    (tmp_path / "heart" / "demo.yaml").write_text(own)
    assert [margin.lower_is_better for margin in example("heart", tmp_path).margins] == [True, True]


def test_an_unknown_task_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"there is no example task 'moon'; there are .*digits.*engines"):
        example("moon")
