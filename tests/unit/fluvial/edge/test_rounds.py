import numpy as np
import pytest

from fluvial.edge.rounds import RoundFollower
from fluvial.identity.keys import SigningKey
from fluvial.wire.errors import VerificationError
from fluvial.wire.records import RoundStatus
from tests.unit.fluvial.edge.world import TASK, World
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport


def newest_after_reading(world: World):
    follower = RoundFollower(world.transport, world.federation)
    follower.refresh()
    return follower.newest(TASK)


def test_the_newest_round_is_found(world: World) -> None:
    assert newest_after_reading(world) is None
    world.open_round()
    second = world.open_round(number=2)
    assert newest_after_reading(world) == second


def test_a_record_that_the_aggregator_did_not_sign_is_skipped(world: World) -> None:
    first = world.open_round()
    world.open_round(number=9, signer=SigningKey.from_seed(b"x" * 32))
    world.put(world.topics.rounds, TASK, b"garbage")
    assert newest_after_reading(world) == first


def test_an_old_record_published_again_takes_nobody_back(world: World, transport: MemoryTransport) -> None:
    world.open_round()
    newest = world.open_round(number=2)
    old = transport.messages(world.topics.rounds)[0]
    world.put(world.topics.rounds, TASK, old.value)
    assert newest_after_reading(world) == newest


def test_the_end_of_a_task_comes_after_its_last_round(world: World) -> None:
    world.open_round()
    end = world.open_round(status=RoundStatus.FINISHED)
    assert newest_after_reading(world) == end


def test_rounds_yields_each_open_attempt_and_ends_with_the_task(participant, world: World) -> None:
    world.open_round()
    places = []
    for round_ in participant.rounds(TASK):
        places.append((round_.round, round_.attempt))
        if places == [(1, 1)]:
            world.open_round(attempt=2)
        elif len(places) == 2:
            world.open_round(number=2)
            world.open_round(number=3)  # the second was over before anybody looked
        else:
            world.open_round(number=3, status=RoundStatus.FINISHED)
    assert places == [(1, 1), (1, 2), (3, 1)]


def test_rounds_ends_when_stopped(participant, world: World) -> None:
    world.open_round()
    for _ in participant.rounds(TASK):
        participant.stop()


def test_a_base_model_is_fetched_once_and_cannot_be_written(participant, world: World, transport) -> None:
    model_D = np.random.default_rng(5).normal(size=1050).astype(np.float32)
    round_ = world.open_round(model_D=model_D)
    np.testing.assert_array_equal(participant.base_model(round_), model_D)
    fetched = transport.fetched[world.topics.model_blobs]
    assert participant.base_model(round_) is participant.base_model(round_)
    assert transport.fetched[world.topics.model_blobs] == fetched == 11
    with pytest.raises(ValueError, match="read-only"):
        participant.base_model(round_)[0] = 1


def test_a_base_model_of_other_bytes_is_refused(participant, world: World) -> None:
    import dataclasses

    round_ = world.a_round(model_D=np.full(1050, 0.25, np.float32))
    other = world.a_round(model_D=np.full(1050, 0.75, np.float32))
    with pytest.raises(VerificationError):
        participant.base_model(dataclasses.replace(round_, base_chunks=other.base_chunks))
    mixed = tuple(
        dataclasses.replace(mine, partition=theirs.partition, offset=theirs.offset)
        for mine, theirs in zip(round_.base_chunks, other.base_chunks, strict=True)
    )
    with pytest.raises(VerificationError, match="other bytes"):
        participant.base_model(dataclasses.replace(round_, base_chunks=mixed))
