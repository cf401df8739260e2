"""The page of a task's metrics."""

import re
from xml.etree import ElementTree

import pytest

from fluvial.cli.course import Course, Step, blocks, grids, panels
from fluvial.cli.metrics_page import Grid, Line, Panel, _steps, page
from fluvial.edge.metrics import GroupMetrics
from fluvial.wire.records import ParticipantsMetric


def a_group(name: str, **metrics: float) -> GroupMetrics:
    return GroupMetrics(attribute="site", group=name, num_examples=12, metrics=metrics)


def told(version: int) -> ParticipantsMetric:
    return ParticipantsMetric(
        version=version,
        attribute="",
        group="",
        metric="auc",
        participants=3,
        num_examples=300,
        mean=0.7 + 0.1 * version,
        p10=0.5,
        p25=0.6,
        p50=0.7,
        p75=0.8,
        p90=0.9,
    )


COURSE = Course(
    across="version",
    heads=("updates",),
    steps=(
        Step(place=0, cells=("0/0",), metrics={}, reason="the package is not allowed here", told=(told(0),)),
        Step(place=1, cells=("3/4",), metrics={"accuracy": 0.5, "loss": 2.0}, groups=(a_group("north", accuracy=0.4),)),
        Step(
            place=2,
            cells=("4/4",),
            metrics={"accuracy": 0.75, "loss": 1.0, "recall.0": 1.0, "recall.1": 0.5},
            groups=(a_group("north", accuracy=0.7, loss=1.5), a_group("<south>", loss=0.5)),
            told=(told(2),),
        ),
    ),
)


def test_each_metric_is_drawn_and_the_first_by_group_and_what_participants_told() -> None:
    drawn = {panel.title: panel for panel in panels(COURSE)}
    assert list(drawn) == ["accuracy", "loss", "recall", "accuracy by site", "auc, told by participants"]
    assert drawn["accuracy"].lines[0].points == ((1, 0.5), (2, 0.75))
    assert [line.label for line in drawn["recall"].lines] == ["0", "1"]
    assert [(line.label, line.points[-1]) for line in drawn["accuracy by site"].lines] == [
        ("all examples", (2, 0.75)),
        ("north", (2, 0.7)),
    ]
    mean, median = drawn["auc, told by participants"].lines
    assert mean.band == ((0, 0.6, 0.8), (2, 0.6, 0.8))
    assert [value for _, value in median.points] == [0.7, 0.7]


def test_tables_have_what_is_missing_and_why() -> None:
    versions, by_group, by_participants = grids(COURSE)
    assert versions.heads == ("version", "updates", "accuracy", "loss", "recall.0", "recall.1", "not measured")
    assert versions.rows[0] == ("0", "0/0", "-", "-", "-", "-", "the package is not allowed here")
    assert by_group.rows[-1] == ("site", "<south>", "12", "-", "0.5000", "-", "-")
    assert by_participants.rows[0][:4] == ("all", "auc", "0.9000", "0.7000")


def test_a_terminal_has_the_course_in_blocks() -> None:
    assert blocks(COURSE)[:2] == ["  accuracy 0.5000 ▁█ 0.7500", "      loss 2.0000 █▁ 1.0000"]


def test_the_page_needs_nothing_but_itself_and_says_what_others_wrote_as_it_is() -> None:
    text = page("a < b\x1b[2J", "<script>", panels(COURSE), grids(COURSE))
    assert "<script" not in text
    assert "&lt;south&gt;" in text
    assert "\x1b" not in text
    assert not re.search(r"(src|href|url|@import)", text)
    for picture in re.findall(r"<svg.*?</svg>", text):
        ElementTree.fromstring(picture)
    assert text.count("<figure>") == len(panels(COURSE))
    assert text.count("<polygon") == 1


@pytest.mark.parametrize("values", [(0.5,), (0.5, 0.5), (0.0, 0.0), (-3.0, 1e9), (1e-9, 2e-9)])
def test_every_point_lies_in_its_picture(values: tuple[float, ...]) -> None:
    line = Line(label="x", points=tuple(enumerate(values)))
    text = page("t", "s", [Panel(title="p", lines=(line,))], [Grid(heads=("a",), rows=())])
    for x, y in re.findall(r'cx="([^"]+)" cy="([^"]+)"', text):
        assert 62 <= float(x) <= 448
        assert 10 <= float(y) <= 196
    assert not re.search(r"\bnan\b", text)


def test_axes_have_few_round_numbers() -> None:
    assert list(_steps(0.0, 1.0, 5)) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert list(_steps(-0.3, 0.7, 5)) == pytest.approx([-0.2, 0, 0.2, 0.4, 0.6])
    assert list(_steps(3, 3, 5)) == [3]
    assert 2 <= len(list(_steps(0, 1000, 8))) <= 9


def test_nothing_measured_is_a_table_alone() -> None:
    course = Course(across="version", heads=(), steps=(Step(place=0, metrics={}),))
    assert "<figure>" not in page("t", "s", panels(course), grids(course))
    assert blocks(course) == []
