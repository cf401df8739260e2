"""What releases tell of participants is computed again from their signed updates."""

from dataclasses import replace

import pytest

from fluvial.admission.held_out import Told, summarise
from fluvial.auditor.verify import verify
from fluvial.identity.envelope import seal
from fluvial.wire.records import HeldOutMetrics, Metric, ModelUpdate, ParticipantsMetric
from fluvial.wire.terms import HeldOutSpec
from tests.unit.fluvial.auditor.world import World, an_update

SPEC = HeldOutSpec(metrics=["accuracy"], min_participants=2)
TERMS = '{"held_out":{"metrics":["accuracy"],"min_participants":2}}'


def told_by(name: str, accuracy: float) -> ModelUpdate:
    told = HeldOutMetrics(attribute="", group="", num_examples=20, metrics=(Metric(name="accuracy", value=accuracy),))
    return replace(an_update(name, 1), measured=(told,))


def a_world(told: tuple[ParticipantsMetric, ...] | None = None, terms: str = TERMS) -> World:
    """One round, and its release. told: what the release says of participants, instead of the truth."""
    world = World()
    for name in ("anna", "ben"):
        world.enrol(name)
    world.publish(0, {}, terms=terms)
    world.open_round(1, terms=terms)
    updates = [told_by("anna", 0.5), told_by("ben", 0.75)]
    records = {}
    for update in updates:
        sealed = seal(update, world.key(update.participant), update.participant)
        records[update.participant] = world.append(world.topics.updates, sealed, update.participant.encode())
        world.judge(records[update.participant], update.participant, 1)
    world.publish(1, records, terms=terms)
    truth = summarise(map(Told.by, updates), SPEC)
    world.release(1, metrics=(), num_examples=0, participants=truth if told is None else told)
    world.sequence()
    world.sign()
    return world


def problems(world: World) -> list[str]:
    return [problem.message for problem in verify(world, world.federation).problems]


def test_what_the_updates_say_verifies() -> None:
    assert problems(a_world()) == []


@pytest.mark.parametrize("change", [{"mean": 0.9}, {"participants": 3}, {"p10": 0.75}, {"num_examples": 41}])
def test_another_number_is_found(change: dict[str, float]) -> None:
    (truth,) = summarise([Told.by(told_by("anna", 0.5)), Told.by(told_by("ben", 0.75))], SPEC)
    (found,) = problems(a_world((replace(truth, **change),)))
    assert found == "tells other metrics of participants than their updates do"


def test_metrics_that_are_hidden_or_that_nobody_was_asked_for_are_found() -> None:
    assert problems(a_world(())) == ["tells other metrics of participants than their updates do"]
    assert problems(a_world(terms="")) == ["tells metrics of participants that nobody was asked for"]


def test_what_retention_took_is_passed_over() -> None:
    world = a_world(())
    del world.kept[world.topics.updates][0]
    world.begin[world.topics.updates] = {0: 1}
    assert problems(world) == []
