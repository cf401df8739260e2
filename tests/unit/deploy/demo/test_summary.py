"""The summary: what a person and a program are told, and whether the run holds up."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from deploy.demo.groups import ByGroup, GroupMargin
from deploy.demo.ledger import RoundRow
from deploy.demo.measures import Margin
from deploy.demo.summary import Audited, Outcome, Summary
from fluvial.edge.metrics.measure import GroupMetrics


def row(number: int, accuracy: float | None, **others: float) -> RoundRow:
    fields: dict[str, object] = {
        "round": number,
        "attempt": 1,
        "accepted": 18,
        "excluded": 1,
        "late": 0,
        "rejected": {"KEY_UNKNOWN": 1},
        "metrics": {} if accuracy is None else {"accuracy": accuracy, "loss": 0.4, **others},
    }
    return RoundRow(**fields)  # type: ignore[arg-type]  # a mapping of mixed values


def points(metric: str) -> Margin:
    return Margin(metric=metric, size=3, unit="points", lower_is_better=False)


GOOD = Summary(
    task="digits",
    expected_rounds=2,
    metrics=("accuracy", "loss"),
    margins=(points("accuracy"), points("auc")),
    rounds=(row(1, 0.7), row(2, 0.93)),
    central={"accuracy": 0.95, "loss": 0.2},
    replay="bit-exact",
    audit=Audited(verified=True, size=512, root="ab" * 32),
    participants=(
        Outcome(name="writers-00", role="honest", outcome="2 updates: 2 included"),
        Outcome(name="writers-19", role="forger", outcome="2 of 2 forgeries refused: 1 KEY_UNKNOWN, 1 SIGNATURE"),
    ),
    phases=(("start", 9.0), ("rounds", 30.0)),
    seconds=45.0,
    megabytes=3.2,
    megabytes_per_second=0.1,
)


def test_a_good_run_has_no_shortfalls() -> None:
    assert GOOD.shortfalls() == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rounds": (row(1, 0.7), row(2, 0.91))}, "accuracy is 4.0 points behind"),
        ({"rounds": (row(1, 0.93),)}, "1 of 2 rounds ended with a measured model"),
        ({"rounds": (row(1, 0.93), row(2, None))}, "1 of 2 rounds ended with a measured model"),
        ({"central": {"accuracy": 0.9, "auc": 0.9}}, "the federated model's auc was not measured"),
        ({"central": {}}, "no central model"),
        ({"breaches": ("a forgery was accepted",)}, "a forgery was accepted"),
        ({"replay": "chunk 3 differs"}, "replay is not bit-exact: chunk 3 differs"),
        ({"audit": Audited(verified=False, size=1, root="", problems=("a leaf is missing",))}, "a leaf is missing"),
    ],
)
def test_each_shortfall_is_named(change: dict[str, object], expected: str) -> None:
    found = replace(GOOD, **change).shortfalls()  # type: ignore[arg-type]  # one field of many types
    assert any(expected in shortfall for shortfall in found), found


def test_a_group_that_is_too_far_behind_is_named_and_everybody_sees_the_groups() -> None:
    margin = Margin(metric="auc", size=5, unit="points", lower_is_better=False)
    ours, theirs = (
        GroupMetrics(attribute="site", group="north", num_examples=40, metrics={"auc": value}) for value in (0.7, 0.8)
    )
    by_group = ByGroup(
        margins=(GroupMargin(attribute="site", margin=margin),), shown=margin, federated=(ours,), central=(theirs,)
    )
    summary = replace(GOOD, by_group=by_group)
    assert summary.shortfalls() == ["site north: auc is 10.0 points behind the central model; at most 5 are allowed"]
    out = io.StringIO()
    summary.print(Console(file=out, width=140))
    assert "worst group" in out.getvalue()
    assert "north" in out.getvalue()
    groups = json.loads(json.dumps(summary.to_dict()))["groups"]
    assert groups["federated"][0]["metrics"] == {"auc": 0.7}
    assert groups["central"][0]["metrics"] == {"auc": 0.8}


def test_better_than_central_is_no_shortfall() -> None:
    assert replace(GOOD, central={"accuracy": 0.5}).shortfalls() == []


def test_programs_get_the_documented_keys() -> None:
    document = json.loads(json.dumps(GOOD.to_dict()))
    assert {"task", "rounds", "central", "replay", "audit", "participants", "seconds", "megabytes_per_second"} <= set(
        document
    )
    assert {"round", "accepted", "rejected", "late", "accuracy", "loss"} <= set(document["rounds"][0])
    assert document["audit"] == {"verified": True, "size": 512, "root": "ab" * 32}
    assert set(document["participants"][0]) == {"name", "role", "outcome"}
    assert document["rounds"][1]["accuracy"] == 0.93


def test_people_get_every_number() -> None:
    out = io.StringIO()
    GOOD.print(Console(file=out, width=140))
    text = out.getvalue()
    for expected in (
        "93.0 %",
        "95.0 %",
        "bit-exact",
        "verified",
        "ab" * 32,
        "1 KEY_UNKNOWN",
        "forger",
        "rounds 30.0 s",
        "0.10 MB/s, local training",
    ):
        assert expected in text, expected


def test_auc_has_a_column_where_it_is_measured() -> None:
    out = io.StringIO()
    replace(GOOD, rounds=(row(1, 0.8, auc=0.875),)).print(Console(file=out, width=140))
    assert "AUC" in out.getvalue()
    assert "87.5 %" in out.getvalue()


def test_the_keys_of_a_round_are_there_before_it_is_measured() -> None:
    rounds = replace(GOOD, rounds=(row(1, None),), metrics=("accuracy", "auc", "loss")).to_dict()["rounds"]
    assert list(rounds[0]) == ["round", "accepted", "rejected", "late", "accuracy", "loss", "auc", "excluded"]
    assert (rounds[0]["accuracy"], rounds[0]["auc"]) == (None, None)


def test_a_regression_is_told_in_its_own_unit_and_may_be_a_share_of_the_central_error_behind() -> None:
    errors = {"rmse": 15.5, "mae": 11.5}
    run = replace(
        GOOD,
        metrics=("rmse", "mae"),
        margins=(Margin(metric="rmse", size=10, unit="percent", lower_is_better=True),),
        rounds=tuple(replace(row(number, None), metrics=errors) for number in (1, 2)),
        central={"rmse": 15.0, "mae": 11.0},
    )
    assert run.shortfalls() == []
    assert run.federated == errors
    assert [list(each)[4:6] for each in run.to_dict()["rounds"]] == [["rmse", "mae"]] * 2
    out = io.StringIO()
    run.print(Console(file=out, width=140))
    assert "mae 11.500, rmse 15.500" in out.getvalue()
    assert "accuracy" not in out.getvalue()
    (shortfall,) = replace(run, central={"rmse": 14.0}).shortfalls()
    assert shortfall == "rmse 15.500 is more than 10 % above the central model's 14.000"


def test_a_metric_of_several_values_has_a_column_for_each() -> None:
    measured = replace(row(1, None), metrics={"recall.well": 0.5, "recall.ill": 0.25})
    run = replace(GOOD, metrics=("recall", "accuracy"), rounds=(measured,))
    assert run.columns == ["accuracy", "recall.well", "recall.ill"]
    out = io.StringIO()
    run.print(Console(file=out, width=160))
    assert "25.0 %" in out.getvalue()
