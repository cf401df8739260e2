import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fluvial.edge import Participant, TransportUnavailable
from fluvial.edge.events import Event, Published
from fluvial.edge.model_files import SMALLEST_BYTES
from fluvial.edge.rounds import RoundFollower
from fluvial.identity.keys import SigningKey
from fluvial.wire.errors import VerificationError
from fluvial.wire.records import Round, RoundStatus, WindowMode
from tests.unit.fluvial.edge.world import TASK, World, soon_after
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


def loop_of_the_readme(participant: Participant, react: Callable[[int], object]) -> list[tuple[int, int]]:
    """The rounds that were trained for; `react` gets their number, after each."""
    trained = []
    for round_ in participant.rounds(TASK):
        base = participant.base_model(round_)
        trained.append((round_.round, round_.attempt))
        participant.publish(round_, np.full_like(base, 0.5), 7)
        react(len(trained))
    return trained


@pytest.mark.parametrize("window", list(WindowMode))
@pytest.mark.parametrize("acknowledged", [None, 5])
def test_a_restart_within_a_round_trains_no_second_time(
    participant, world: World, transport: MemoryTransport, federation, key, tmp_path, window, acknowledged
) -> None:
    """Whether the update was sent before, or cut short."""
    round_ = world.open_round(window=window)
    if acknowledged is not None:
        transport.fail_produce_after(acknowledged)
    with contextlib.suppress(TransportUnavailable):
        loop_of_the_readme(participant, lambda count: participant.stop())
    transport.heal()
    participant.outbox.close()
    with Participant(federation, "alice", key, tmp_path / "alice.sqlite", transport) as again:
        finish = lambda: world.open_round(status=RoundStatus.FINISHED)  # noqa: E731
        end = soon_after(lambda: world.updates(key.public_key), finish)
        assert loop_of_the_readme(again, lambda count: None) == []
        end.join()
    (update,) = world.updates(key.public_key)
    assert (update.round, update.attempt, len(update.chunks)) == (1, 1, len(round_.base_chunks))
    assert len(world.chunks()) == len(update.chunks)


@pytest.mark.parametrize(("window", "attempts"), [(WindowMode.SYNCHRONOUS, [1, 2]), (WindowMode.BUFFERED, [1])])
def test_the_next_attempt_of_a_round_is_not_trained_for_again(
    participant, world: World, key, window, attempts: list[int]
) -> None:
    def go_on(count: int) -> None:
        world.open_round(attempt=2, window=window)
        ends.append(soon_after(lambda: len(world.updates(key.public_key)) == len(attempts), finish))

    ends: list[threading.Thread] = []
    finish = lambda: world.open_round(attempt=2, status=RoundStatus.FINISHED)  # noqa: E731
    world.open_round(window=window)
    assert loop_of_the_readme(participant, go_on) == [(1, 1)]
    ends[0].join()
    updates = world.updates(key.public_key)
    assert [update.attempt for update in updates] == attempts
    assert len(world.chunks()) == len(updates[0].chunks)


def test_rounds_that_do_not_invite_are_not_yielded(participant, world: World, key) -> None:
    """The seeds of zeros and of ones put alice at 0.68 and at 0.61."""
    world.open_round(invited_fraction=0.65, seed=bytes(32))
    timer = threading.Timer(0.1, lambda: world.open_round(number=2, invited_fraction=0.65, seed=bytes([1]) * 32))
    timer.start()
    end = lambda count: world.open_round(number=3, status=RoundStatus.FINISHED)  # noqa: E731
    assert loop_of_the_readme(participant, end) == [(2, 1)]
    timer.join()
    assert [update.round for update in world.updates(key.public_key)] == [2]


def test_an_update_that_the_caller_could_not_send_is_sent_when_the_broker_is_back(
    participant, world: World, transport: MemoryTransport, key
) -> None:
    def published(event: Event) -> None:
        if isinstance(event, Published):
            world.open_round(number=2, status=RoundStatus.FINISHED)

    round_ = world.open_round()
    transport.fail_produce_after(5)
    for found in participant.rounds(TASK, published):
        with pytest.raises(TransportUnavailable):
            participant.publish(found, np.zeros(1050, np.float32), 1)
        threading.Timer(0.3, transport.heal).start()
    (update,) = world.updates(key.public_key)
    assert len(world.chunks()) == len(update.chunks) == len(round_.base_chunks)


def test_rounds_ends_when_stopped(participant, world: World) -> None:
    world.open_round()
    for _ in participant.rounds(TASK):
        participant.stop()


def test_a_base_model_is_fetched_once_and_each_gets_a_copy(participant, world: World, transport) -> None:
    model_D = np.random.default_rng(5).normal(size=1050).astype(np.float32)
    round_ = world.open_round(model_D=model_D)
    mine = participant.base_model(round_)
    np.testing.assert_array_equal(mine, model_D)
    assert transport.fetched[world.topics.model_blobs] == 11
    mine[:] = 7
    np.testing.assert_array_equal(participant.base_model(round_), model_D)
    assert transport.fetched[world.topics.model_blobs] == 11


def test_what_torch_writes_in_place_is_seen_by_nobody_else(
    participant, world: World, federation, key, tmp_path
) -> None:
    torch = pytest.importorskip("torch")
    round_ = world.open_round(model_D=np.full(1050, 1.25, np.float32))
    with Participant(federation, "bob", key, tmp_path / "bob.sqlite", participant.transport) as bob:
        base = participant.base_model(round_)
        weights = torch.from_numpy(participant.base_model(round_))
        weights -= 0.5
        participant.publish(round_, base - weights.numpy(), 1)
        assert (bob.base_model(round_) == 1.25).all()
    (update,) = world.updates(key.public_key)
    assert (world.delta_of(update) == 0.5).all()


def test_torch_may_write_to_a_base_model_that_lies_in_a_file(
    world: World, transport: MemoryTransport, key, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    from fluvial.edge import participant as module
    from fluvial.edge.model_files import ModelFiles
    from fluvial.edge.models import ModelCache

    size = SMALLEST_BYTES // 4
    round_ = replace(world.a_round(model_D=np.ones(size, np.float32)), num_elements=size)
    world.prove(round_)
    for name in ("alice", "bob"):
        monkeypatch.setattr(module, "SHARED_CACHE", ModelCache())  # as if it were another process: the file is mapped
        files = ModelFiles(tmp_path / "models")
        with Participant(world.federation, name, key, tmp_path / name, transport, model_files=files) as one:
            weights = torch.from_numpy(one.base_model(round_))
            weights -= 0.5
            assert (weights == 0.5).all()
    assert transport.fetched[world.topics.model_blobs] == len(round_.base_chunks)


def test_a_difference_from_a_base_that_was_changed_in_place_is_refused(participant, world: World) -> None:
    def train_in_place(base: np.ndarray, round_: Round | None = None) -> tuple[np.ndarray, int]:
        weights = base[:]
        weights -= 0.5
        return weights - base, 1

    round_ = world.open_round()
    base = participant.base_model(round_)
    with pytest.raises(ValueError, match="changed in place: take the difference from a copy"):
        participant.publish(round_, *train_in_place(base))
    with pytest.raises(ValueError, match="changed in place: take the difference from a copy"):
        participant.participate(TASK, train_in_place)
    assert participant.outbox.uploads() == []
    participant.base_model(round_)
    assert participant.publish(round_, np.zeros(1050, np.float32), 1)


def test_a_base_model_of_other_bytes_is_refused(participant, world: World) -> None:
    import dataclasses

    round_ = world.a_round(model_D=np.full(1050, 0.25, np.float32))
    other = world.a_round(model_D=np.full(1050, 0.75, np.float32))
    world.prove(round_)
    with pytest.raises(VerificationError):
        participant.base_model(dataclasses.replace(round_, base_chunks=other.base_chunks))
    mixed = tuple(
        dataclasses.replace(mine, partition=theirs.partition, offset=theirs.offset)
        for mine, theirs in zip(round_.base_chunks, other.base_chunks, strict=True)
    )
    with pytest.raises(VerificationError, match="other bytes"):
        participant.base_model(dataclasses.replace(round_, base_chunks=mixed))
