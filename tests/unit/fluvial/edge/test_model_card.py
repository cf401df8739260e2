"""What stands in a model's card, whatever names a task and its groups have."""

from dataclasses import replace

import yaml

from fluvial.edge.measurements import Findings
from fluvial.edge.model_card import model_card
from fluvial.wire.records import GroupMeasurement, Metric, ParticipantsMetric, Release
from tests.unit.deploy.demo.records import manifest
from tests.unit.fluvial.edge.packages.packages_world import task_file


def test_foreign_names_break_neither_table_nor_header() -> None:
    groups = GroupMeasurement(
        attribute="site", group="a|b\n# c", num_examples=12, metrics=(Metric(name="accuracy", value=0.5),), reason=""
    )
    made = manifest(3)
    release = Release(
        task=made.task,
        version=3,
        model_digest=made.model_digest,
        metrics=(Metric(name="accuracy", value=0.75),),
        num_examples=20,
        device="cpu",
        duration_ms=1,
        groups=(groups,),
    )
    title = "one: 'two'\n---\nthree"
    card = model_card(made, task_file(title=title), [made], Findings(release=release, told={}), None, {})
    assert "| site: a\\|b # c | 12 | 0.5000 |" in card
    assert "# one: 'two' --- three" in card
    header = yaml.safe_load(card.split("\n---\n")[0].removeprefix("---\n"))
    assert header["model-index"][0]["results"][0]["task"]["name"] == title
    assert "license" not in header


def test_what_participants_call_a_group_is_no_markup() -> None:
    """A card is shown by model hubs, which render it."""
    quantiles = dict.fromkeys(("mean", "p10", "p25", "p50", "p75", "p90"), 0.5)
    told = ParticipantsMetric(
        version=2,
        attribute="<img src=x onerror=y>",
        group="[free](http://example.org) `code`",
        metric="macro_f1",
        participants=3,
        num_examples=30,
        **quantiles,
    )
    made = manifest(3)
    card = model_card(made, task_file(), [made], Findings(release=None, told={3: (told,)}), None, {})
    (line,) = [line for line in card.splitlines() if "weighted mean" in line]
    assert line.startswith("* \\<img src=x onerror=y\\> \\[free\\](http://example.org) \\`code\\`: macro\\_f1 0.5000 (")


def test_a_long_lineage_is_cut_and_counted() -> None:
    lineage = [replace(manifest(version), version=version) for version in range(30)]
    card = model_card(lineage[-1], task_file(), lineage, Findings(release=None, told={}), None, {})
    assert "| 29 |" in card
    assert "| 9 |" not in card
    assert "10 earlier versions are left out here." in card
