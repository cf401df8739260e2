"""The edge against a real broker: what crashes and restarts leave behind."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from confluent_kafka.admin import AdminClient, NewTopic

from fluvial.edge import Participant, connect
from fluvial.edge.events import Published
from fluvial.edge.torch import Federated
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.kafka.connection import kafka_python, librdkafka
from fluvial.wire.records import Decision, Outcome, Reason, RoundStatus
from tests.unit.fluvial.edge.world import PARTITIONS, TASK, World, a_federation

pytestmark = pytest.mark.system

SIZE = 1050
NUM_CHUNKS = 11


@pytest.fixture
def federation(broker) -> Federation:
    federation = a_federation(broker.bootstrap_servers, prefix=f"edge-{uuid.uuid4().hex[:8]}.")
    admin = AdminClient(broker.brokers.librdkafka())
    settings = federation.topics.all_settings(PARTITIONS)
    created = admin.create_topics([NewTopic(s.name, s.partitions, 1, config=s.config) for s in settings])
    for future in created.values():
        future.result(30)
    return federation


@pytest.fixture
def world(federation: Federation) -> Iterator[World]:
    transport = connect(federation.brokers, "test-world")
    yield World(federation, transport)
    transport.close()


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    key = SigningKey.generate()
    key.save(tmp_path / "key.pem")
    return key


def a_delta() -> np.ndarray:
    return np.linspace(-1, 1, SIZE, dtype=np.float32)


UPLOADER = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    import numpy as np
    from fluvial.edge import Participant
    from fluvial.edge.events import ChunkAcknowledged
    from fluvial.identity.federation import Federation
    from fluvial.identity.keys import SigningKey

    directory, kill_after = Path(sys.argv[1]), int(sys.argv[2])

    def die(event):
        if isinstance(event, ChunkAcknowledged) and event.num_acknowledged == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    federation, key = Federation.load(directory / "federation.json"), SigningKey.load(directory / "key.pem")
    # One chunk on its way at a time, so that what the broker has and what the outbox has kept never differ.
    participant = Participant(federation, "alice", key, directory / "outbox.sqlite", window_bytes=1)
    round_ = next(participant.rounds("demo"))
    participant.publish(round_, np.linspace(-1, 1, round_.num_elements, dtype=np.float32), 7, on_event=die)
""")


@pytest.mark.parametrize("kill_after", [1, 5, NUM_CHUNKS])
def test_an_upload_killed_in_the_middle_goes_on_and_sends_no_chunk_twice(
    federation: Federation, world: World, key: SigningKey, tmp_path: Path, kill_after: int
) -> None:
    world.open_round()
    federation.save(tmp_path / "federation.json")
    arguments = [sys.executable, "-c", UPLOADER, str(tmp_path), str(kill_after)]
    killed = subprocess.run(arguments, cwd=Path.cwd(), env={**os.environ, "PYTHONPATH": "."}, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert len(world.chunks()) == kill_after
    assert world.updates(key.public_key) == []

    with Participant(federation, "alice", key, tmp_path / "outbox.sqlite") as participant:
        (update_id,) = participant.resume()
        assert participant.resume() == []
    (update,) = world.updates(key.public_key)
    assert (update.update_id, update.weight) == (update_id, 7)
    uploaded = world.chunks()
    assert len(uploaded) == NUM_CHUNKS
    assert {(m.partition, m.offset) for m in uploaded} == {(c.partition, c.offset) for c in update.chunks}
    np.testing.assert_array_equal(world.delta_of(update), a_delta())


def test_a_participant_takes_part_from_its_first_round_to_the_last(
    federation: Federation, world: World, key: SigningKey, tmp_path: Path
) -> None:
    outcomes = []
    with Participant(federation, "alice", key, tmp_path / "outbox.sqlite") as participant:

        def on_event(event) -> None:
            if isinstance(event, Published):
                at = participant.outbox.envelopes()[-1].position
                world.judge(world.topics.updates, at, "alice", Decision.ACCEPT, Reason.ACCEPTED, event.update_id)
                world.answer("alice", event.update_id)
                last = event.round == 3
                status = RoundStatus.FINISHED if last else RoundStatus.OPEN
                world.open_round(number=event.round + (not last), status=status)

        def train(base_D, round_):
            assert (base_D == round_.round).all()
            return np.full_like(base_D, 0.1), 5

        world.open_round()
        assert participant.participate(TASK, train, on_event=on_event) == 3
        ids = [envelope.update_id for envelope in participant.outbox.envelopes()]
        for update_id in ids:
            verdict = participant.verdict_of(update_id, timeout=30)
            assert verdict is not None
            assert verdict.decision is Decision.ACCEPT
        while len(outcomes) < 3:
            outcomes = [receipt.outcome for receipt in participant.receipts(timeout=0.5)]
    assert outcomes == [Outcome.INCLUDED] * 3
    assert [update.round for update in world.updates(key.public_key)] == [1, 2, 3]


def test_a_training_script_of_ones_own_takes_part(
    federation: Federation, world: World, key: SigningKey, tmp_path: Path
) -> None:
    """The module holds each round's model, and what it has become since is in the log."""
    module, seen = torch.nn.Linear(20, 50), []

    def on_event(event) -> None:
        if isinstance(event, Published):
            last = event.round == 2
            world.open_round(number=event.round + (not last), status=RoundStatus.FINISHED if last else RoundStatus.OPEN)

    world.publish_task()
    world.open_round()
    with (
        Participant(federation, "alice", key, tmp_path / "outbox.sqlite") as participant,
        Federated(participant, TASK, module, on_event=on_event) as federated,
    ):
        for round_ in federated.rounds():
            seen.append(module.bias.detach().unique().tolist())
            torch.nn.init.constant_(module.bias, 2.5)
            federated.publish(round_, examples=9)
    assert seen == [[1.0], [2.0]]
    first, second = world.updates(key.public_key)
    assert (first.weight, second.weight) == (9, 9)
    np.testing.assert_array_equal(world.delta_of(first)[-50:], np.full(50, 1.5, np.float32))
    np.testing.assert_array_equal(world.delta_of(second)[-50:], np.full(50, 0.5, np.float32))


# kafka-python 3.0 leaves the sockets of refused connections to the garbage collector, which the test therefore calls.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("implementation", [kafka_python, librdkafka])
def test_a_participant_waits_for_a_broker_that_is_restarted(
    federation: Federation, world: World, key: SigningKey, tmp_path: Path, broker, implementation
) -> None:
    """The broker is killed while the second round trains, and started again only after the update was to be sent."""
    world.open_round()
    transport = implementation(federation.brokers, "test")
    restarting: list[threading.Thread] = []
    done = threading.Event()

    def restart() -> None:
        time.sleep(1)
        broker.start()
        done.wait()  # the broker dies with the thread that started it

    def train(base_D, round_):
        if round_.round == 2 and not restarting:
            broker.kill()
            restarting.append(threading.Thread(target=restart, daemon=True))
            restarting[0].start()
        return np.full_like(base_D, round_.round / 10), 5

    def on_event(event) -> None:
        if isinstance(event, Published):
            last = event.round == 3
            status = RoundStatus.FINISHED if last else RoundStatus.OPEN
            world.open_round(number=event.round + (not last), status=status)

    with Participant(federation, "alice", key, tmp_path / "outbox.sqlite", transport) as participant:
        assert participant.participate(TASK, train, on_event=on_event) == 3
    transport.close()
    gc.collect()
    assert [update.round for update in world.updates(key.public_key)] == [1, 2, 3]
    world.transport.close()
    broker.kill()
    done.set()
    restarting[0].join()
    broker.start()
