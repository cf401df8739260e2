"""What was measured of models, as participants and operators see it."""

import json
import logging
from pathlib import Path

import pytest
import typer

from fluvial.cli import model as verbs
from fluvial.cli import model_history, rounds
from fluvial.edge.measurements import MeasurementFollower, as_dict, as_lines, findings_of
from fluvial.wire.framing import encode
from fluvial.wire.records import GroupMeasurement, Metric, ModelManifest, ParticipantsMetric, Release
from tests.unit.fluvial.edge.world import AGGREGATOR, OPERATOR, TASK, World


def a_release(manifest: ModelManifest, accuracy: float = 0.9, **fields: object) -> Release:
    groups = (
        GroupMeasurement(
            attribute="site", group="north", num_examples=1200, metrics=(Metric(name="auc", value=0.75),), reason=""
        ),
        GroupMeasurement(attribute="site", group="south", num_examples=3, metrics=(), reason="one class alone"),
    )
    values = {
        "task": TASK,
        "version": manifest.version,
        "model_digest": manifest.model_digest,
        "metrics": (Metric(name="accuracy", value=accuracy),),
        "num_examples": 1203,
        "device": "cpu",
        "duration_ms": 1,
        "groups": groups,
    }
    return Release(**{**values, **fields})  # type: ignore[arg-type]


def publish(world: World, release: Release) -> None:
    world.put(world.topics.releases, TASK, encode(release))


def test_the_first_measurement_of_the_published_model_counts(world: World, caplog: pytest.LogCaptureFixture) -> None:
    first, second = world.publish_manifest(0, OPERATOR), world.publish_manifest(1, AGGREGATOR)
    publish(world, a_release(second, 0.1, model_digest=bytes(32)))  # of another model
    world.put(world.topics.releases, TASK, b"junk")
    publish(world, a_release(second, 0.8))
    publish(world, a_release(second, 0.99))
    with caplog.at_level(logging.WARNING):
        found = findings_of(world.transport, world.federation, second)
    assert found.release is not None
    assert found.release.metrics[0].value == 0.8
    assert "is skipped" in caplog.text
    assert findings_of(world.transport, world.federation, first).release is None


def test_a_measurement_takes_the_place_of_a_release_that_has_none(world: World) -> None:
    manifest = world.publish_manifest(0, OPERATOR)
    publish(world, a_release(manifest, metrics=(), groups=(), reason="not allowed here"))
    publish(world, a_release(manifest, 0.7, again=True))
    publish(world, a_release(manifest, 0.9, again=True))
    found = findings_of(world.transport, world.federation, manifest)
    assert found.release is not None
    assert found.release.metrics[0].value == 0.7


def test_a_follower_gives_what_was_there_and_then_what_comes(world: World) -> None:
    manifest = world.publish_manifest(0, OPERATOR)
    publish(world, a_release(manifest))
    follower = MeasurementFollower(world.transport, world.federation)
    try:
        assert len(follower.refresh()) == 1
        assert follower.poll(0) == []
        publish(world, a_release(manifest, 0.5))
        assert [release.metrics[0].value for release in follower.poll(1)] == [0.5]
    finally:
        follower.close()


def test_groups_stand_under_the_whole_each_with_its_examples(world: World) -> None:
    release = a_release(world.publish_manifest(0, OPERATOR))
    assert as_lines(release) == [
        "accuracy 0.9000 (1,203 examples)",
        "  site north: auc 0.7500 (1,200 examples)",
        "  site south: nothing (3 examples); one class alone",
    ]
    shown = as_dict(release)
    assert shown["metrics"] == {"accuracy": 0.9}
    assert [(group["group"], group["metrics"], group["num_examples"]) for group in shown["groups"]] == [
        ("north", {"auc": 0.75}, 1200),
        ("south", {}, 3),
    ]
    failed = a_release(world.publish_manifest(1, AGGREGATOR), metrics=(), groups=(), reason="no data")
    assert as_lines(failed) == ["not measured: no data"]


def test_model_show_has_them(world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = world.publish_manifest(0, OPERATOR)
    publish(world, a_release(manifest))
    monkeypatch.setattr(verbs, "connect", lambda *_: world.transport)
    monkeypatch.setattr(verbs, "load_federation", lambda _: world.federation)
    monkeypatch.setattr(world.transport, "close", lambda: None)
    verbs.show(TASK)
    assert "measured    accuracy 0.9000 (1,203 examples)" in capsys.readouterr().out
    verbs.show(TASK, json=True)
    assert '"measured":{"task":"demo"' in capsys.readouterr().out


TOLD = ParticipantsMetric(
    version=0, attribute="", group="", metric="accuracy", participants=4, num_examples=1200, mean=0.81,
    p10=0.6, p25=0.7, p50=0.8, p75=0.85, p90=0.9,
)  # fmt: skip
LINE = (
    "accuracy 0.8100 (weighted mean of 4 participants, 1,200 examples; median 0.8000, quartiles 0.7000 to 0.8500, "
    "tenths 0.6000 to 0.9000)"
)


def test_what_participants_told_of_a_model_is_found_in_the_release_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = world.publish_manifest(0, OPERATOR), world.publish_manifest(1, AGGREGATOR)
    publish(world, a_release(second, metrics=(), groups=(), num_examples=0, participants=(TOLD,)))
    found = findings_of(world.transport, world.federation, first)
    assert found.release is None
    assert found.told == {1: (TOLD,)}
    assert findings_of(world.transport, world.federation, second).told == {}
    monkeypatch.setattr(verbs, "connect", lambda *_: world.transport)
    monkeypatch.setattr(verbs, "load_federation", lambda _: world.federation)
    monkeypatch.setattr(world.transport, "close", lambda: None)
    verbs.show(TASK, 0)
    shown = " ".join(capsys.readouterr().out.split())
    assert "by participants, with their updates for version 1" in shown
    assert LINE in shown
    verbs.show(TASK, 0, json=True)
    assert '"measured_by_participants":[{"told_with_version":1,"version":0' in capsys.readouterr().out
    rounds._print_measured(findings_release(world), False)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown == f"demo: model version 0 measured by participants: {LINE}"


def findings_release(world: World) -> list[Release]:
    follower = MeasurementFollower(world.transport, world.federation)
    try:
        return follower.refresh()
    finally:
        follower.close()


def test_model_history_has_every_version_and_writes_a_page(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for version in range(3):
        manifest = world.publish_manifest(version, OPERATOR if version == 0 else AGGREGATOR)
        if version != 1:
            publish(world, a_release(manifest, 0.5 + 0.1 * version, participants=(TOLD,) if version else ()))
    monkeypatch.setattr(model_history, "connect", lambda *_: world.transport)
    monkeypatch.setattr(model_history, "load_federation", lambda _: world.federation)
    monkeypatch.setattr(world.transport, "close", lambda: None)
    model_history.history(TASK, html=tmp_path / "page.html")
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines()[:4]] == ["version", "0", "1", "2"]
    assert "accuracy 0.5000 ▁█ 0.7000" in shown
    text = (tmp_path / "page.html").read_text()
    for words in ("accuracy by site", "accuracy, told by participants", "south"):
        assert words in text
    model_history.history(TASK, html=None, json=True)
    versions = json.loads(capsys.readouterr().out)["versions"]
    assert [each["measured"] and each["measured"]["metrics"] for each in versions] == [
        {"accuracy": 0.5},
        None,
        {"accuracy": 0.7},
    ]
    assert versions[0]["measured_by_participants"][0]["mean"] == 0.81
    with pytest.raises(typer.Exit):
        model_history.history("other", html=None)
    assert "there is no published model of the task other; there are models of demo" in capsys.readouterr().err
    with pytest.raises(typer.Exit):
        model_history.history(TASK, html=tmp_path / "gone" / "page.html")
