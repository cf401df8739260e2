"""What was measured of models, as participants and operators see it."""

import logging

import pytest

from fluvial.cli import model as verbs
from fluvial.edge.measurements import MeasurementFollower, as_dict, as_lines, measurement_of
from fluvial.wire.framing import encode
from fluvial.wire.records import GroupMeasurement, Metric, ModelManifest, Release
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
        found = measurement_of(world.transport, world.federation, second)
    assert found is not None
    assert found.metrics[0].value == 0.8
    assert "ignored" in caplog.text
    assert measurement_of(world.transport, world.federation, first) is None


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
