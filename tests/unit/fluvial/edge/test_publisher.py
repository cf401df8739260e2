"""Publishing, and what a crash or an absent broker leaves to be done.

Three chunks of 100 elements fill a window of 1,200 bytes.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fluvial.edge import Participant, TransportUnavailable
from fluvial.edge.events import ChunkAcknowledged, Discarded, Event, Published, SatOut
from fluvial.edge.publisher import INLINE_BYTES, Publisher
from fluvial.encoding import Encoded
from fluvial.encoding.chunks import split
from fluvial.wire.layout import chunk_partition
from fluvial.wire.records import RoundStatus, WindowMode
from tests.unit.fluvial.edge.world import CHUNK_ELEMENTS, PARTITIONS, TASK, World
from tests.unit.fluvial.kafka.memory_transport import MemoryTransport

SIZE = 1050
NUM_CHUNKS = 11


def a_delta(value: float = 0.5) -> np.ndarray:
    return np.linspace(-value, value, SIZE, dtype=np.float32)


def reopened(participant: Participant, tmp_path: Path, key, **options) -> Participant:
    """The participant after a crash: the outbox alone survives."""
    participant.outbox.close()
    return Participant(
        participant.federation, "alice", key, tmp_path / "alice.sqlite", participant.transport, **options
    )


def test_an_update_is_its_chunks_and_one_signed_envelope(participant, world: World, key) -> None:
    round_ = world.open_round()
    update_id = participant.publish(round_, a_delta(), 12)
    (update,) = world.updates(key.public_key)
    assert (update.update_id, update.participant, update.weight, update.round) == (update_id, "alice", 12, 1)
    assert (update.base_digest, update.layout_digest) == (round_.base_digest, round_.layout_digest)
    assert len(update.chunks) == NUM_CHUNKS
    assert [chunk.partition for chunk in update.chunks] == [chunk_partition(TASK, n, PARTITIONS) for n in range(11)]
    assert {message.key for message in world.chunks()} == {b"alice"}
    np.testing.assert_array_equal(world.delta_of(update), a_delta())


def test_int8_brings_a_scale_for_each_tensor(participant, world: World, key) -> None:
    participant.publish(world.open_round(), a_delta(), 1, encoding="int8")
    (update,) = world.updates(key.public_key)
    assert (update.encoding, len(update.scales)) == ("int8", 2)
    assert sum(chunk.length for chunk in update.chunks) == SIZE


def test_an_update_of_one_small_chunk_travels_in_its_envelope(participant, world: World, key) -> None:
    import dataclasses

    round_ = dataclasses.replace(world.a_round(), chunk_elements=SIZE)
    participant.publish(round_, a_delta(), 1)
    (update,) = world.updates(key.public_key)
    assert update.chunks == ()
    assert update.inline is not None
    assert len(update.inline) == 4 * SIZE <= INLINE_BYTES
    assert world.chunks() == []


@pytest.mark.parametrize("acknowledged", range(NUM_CHUNKS))
def test_an_interrupted_upload_goes_on_with_the_missing_chunks(
    participant, world: World, transport: MemoryTransport, key, tmp_path: Path, acknowledged: int
) -> None:
    world.open_round()
    round_ = world.open_round(number=2)
    transport.fail_produce_after(acknowledged)
    with pytest.raises(TransportUnavailable):
        participant.publish(round_, a_delta(), 1)
    assert world.updates(key.public_key) == []
    transport.heal()

    again = reopened(participant, tmp_path, key)
    events: list[Event] = []
    (update_id,) = again.resume(events.append)
    again.close()
    (update,) = world.updates(key.public_key)
    assert update.update_id == update_id
    assert len(world.chunks()) == NUM_CHUNKS
    assert sum(isinstance(event, ChunkAcknowledged) for event in events) == NUM_CHUNKS - acknowledged
    np.testing.assert_array_equal(world.delta_of(update), a_delta())


def test_a_repeated_envelope_has_the_same_bytes(
    participant, world: World, transport: MemoryTransport, key, tmp_path: Path
) -> None:
    round_ = world.open_round()
    transport.fail_produce_after(NUM_CHUNKS)
    with pytest.raises(TransportUnavailable):
        participant.publish(round_, a_delta(), 1)
    transport.heal()
    (kept,) = participant.outbox.envelopes()
    again = reopened(participant, tmp_path, key)
    again.resume()
    again.close()
    (sent,) = transport.messages(world.topics.updates)
    assert sent.value == kept.value


def test_a_further_attempt_refers_to_the_chunks_already_there(
    participant, world: World, transport: MemoryTransport, key
) -> None:
    first = participant.publish(world.open_round(), a_delta(), 1)
    world.open_round(attempt=2)
    events: list[Event] = []
    (second,) = participant.resume(events.append)
    assert [event.num_uploaded for event in events if isinstance(event, Published)] == [0]
    assert len(world.chunks()) == NUM_CHUNKS
    one, two = world.updates(key.public_key)
    assert (one.attempt, two.attempt) == (1, 2)
    assert (one.update_id, two.update_id) == (first, second)
    assert first != second
    assert one.chunks == two.chunks


def test_what_belongs_to_a_closed_round_is_dropped(
    participant, world: World, transport: MemoryTransport, key, tmp_path: Path
) -> None:
    round_ = world.open_round()
    transport.fail_produce_after(4)
    with pytest.raises(TransportUnavailable):
        participant.publish(round_, a_delta(), 1)
    transport.heal()
    world.open_round(number=2)
    again = reopened(participant, tmp_path, key)
    events: list[Event] = []
    assert again.resume(events.append) == []
    assert events == [Discarded(task=TASK, round=1)]
    assert again.outbox.uploads() == []
    again.close()
    assert world.updates(key.public_key) == []


def test_at_most_a_window_is_on_its_way(participant, world: World, transport: MemoryTransport, key, tmp_path) -> None:
    """One chunk at a time: whatever is acknowledged is kept before the next is sent."""
    narrow = reopened(participant, tmp_path, key, window_bytes=4 * CHUNK_ELEMENTS)
    behind: list[int] = []

    def note(event: Event) -> None:
        if isinstance(event, ChunkAcknowledged):
            behind.append(transport.produced[world.topics.update_blobs] - event.num_acknowledged)

    narrow.publish(world.open_round(), a_delta(), 1, on_event=note)
    narrow.close()
    assert behind == [0] * NUM_CHUNKS


def test_bytes_are_forced_to_disk_when_delivery_is_interrupted_or_slow(
    participant, world: World, transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(participant.outbox, "sync", synced.append)
    participant.publish(world.open_round(), a_delta(), 1)
    assert synced == []

    round_ = world.a_round(number=2)
    transport.fail_produce_after(4)
    with pytest.raises(TransportUnavailable):
        participant.publish(round_, a_delta(), 1)
    (upload,) = (upload for upload in participant.outbox.uploads() if upload.round == 2)
    assert synced == [upload.upload_id]

    transport.heal()
    monkeypatch.setattr("fluvial.edge.upload._SYNC_SECONDS", -1.0)
    participant.publish(world.open_round(number=3), a_delta(), 1)
    assert len(synced) == 2  # once, not for every chunk


def test_a_round_takes_one_update_and_publishing_again_tells_its_id(participant, world: World, key) -> None:
    round_ = world.open_round()
    update_id = participant.publish(round_, a_delta(), 1)
    assert participant.publish(round_, a_delta(0.1), 1) == update_id
    (update,) = world.updates(key.public_key)
    np.testing.assert_array_equal(world.delta_of(update), a_delta())


def test_publishing_again_completes_what_was_cut_short(
    participant, world: World, transport: MemoryTransport, key, tmp_path: Path
) -> None:
    round_ = world.open_round()
    transport.fail_produce_after(5)
    with pytest.raises(TransportUnavailable):
        participant.publish(round_, a_delta(), 1)
    transport.heal()
    again = reopened(participant, tmp_path, key)
    again.publish(round_, a_delta(0.1), 1)
    again.close()
    (update,) = world.updates(key.public_key)
    np.testing.assert_array_equal(world.delta_of(update), a_delta())
    assert len(world.chunks()) == NUM_CHUNKS


def test_publishing_for_the_next_attempt_sends_no_chunk_again(participant, world: World, key) -> None:
    participant.publish(world.open_round(), a_delta(), 1)
    participant.publish(world.open_round(attempt=2), a_delta(), 1)
    one, two = world.updates(key.public_key)
    assert (two.attempt, two.chunks) == (2, one.chunks)
    assert len(world.chunks()) == NUM_CHUNKS


def test_an_asynchronous_round_takes_no_second_update_and_says_what_to_do(participant, world: World, key) -> None:
    first = world.open_round(window=WindowMode.BUFFERED)
    update_id = participant.publish(first, a_delta(), 1)
    assert participant.publish(first, a_delta(), 1) == update_id
    with pytest.raises(ValueError, match=f"{update_id} of attempt 1 already.* wait for the next round"):
        participant.publish(world.open_round(attempt=2, window=WindowMode.BUFFERED), a_delta(), 1)
    assert len(world.updates(key.public_key)) == 1


def test_resume_sends_nothing_for_an_attempt_that_does_not_invite(participant, world: World, key) -> None:
    participant.publish(world.open_round(), a_delta(), 1)
    world.open_round(attempt=2, invited_fraction=0.65, seed=bytes(32))  # which puts alice at 0.68
    assert participant.resume() == []
    assert len(world.updates(key.public_key)) == 1


@pytest.mark.parametrize(
    ("delta", "weight", "encoding", "message"),
    [
        (np.zeros(3, np.float32), 1, "float32", "float32\\[1050\\]"),
        (np.zeros(SIZE, np.float64), 1, "float32", "not float64"),
        (np.full(SIZE, np.nan, np.float32), 1, "float32", "not finite"),
        (np.zeros((SIZE, 1), np.float32), 1, "float32", "not float32\\[1050, 1\\]"),
        (np.zeros(SIZE, np.int32), 1, "float32", "not int32"),
        ([0.5] * SIZE, 1, "float32", "not float64"),
        ([[0.5], [0.5, 1]], 1, "float32", "not list"),
        (None, 1, "float32", "the delta must be float32"),
        (np.zeros(SIZE, np.float32), -1, "float32", "weight"),
        (np.zeros(SIZE, np.float32), 25.0, "float32", "weight must be .* not 25.0 of type float"),
        (np.zeros(SIZE, np.float32), np.float64("nan"), "float32", "weight"),
        (np.zeros(SIZE, np.float32), True, "float32", "weight must be .* not True"),
        (np.zeros(SIZE, np.float32), np.True_, "float32", "weight"),
        (np.zeros(SIZE, np.float32), np.array([7, 8]), "float32", "weight"),
        (np.zeros(SIZE, np.float32), "7", "float32", "weight"),
        (np.zeros(SIZE, np.float32), None, "float32", "weight"),
        (np.zeros(SIZE, np.float32), 1, "float16", "encodings"),
    ],
)
def test_what_the_round_cannot_take_is_refused_at_once(
    participant, world: World, delta, weight: int, encoding: str, message: str
) -> None:
    round_ = world.open_round()
    with pytest.raises(ValueError, match=message):
        participant.publish(round_, delta, weight, encoding)
    assert world.chunks() == []
    assert participant.outbox.uploads() == []


@pytest.mark.parametrize(
    "weight", [np.uint8(7), np.int32(7), np.int64(7), np.array(7), np.array(7, np.uint16)], ids=repr
)
def test_integers_of_numpy_are_weights(participant, world: World, key, weight) -> None:
    assert participant.publish(world.open_round(), a_delta(), weight)
    (update,) = world.updates(key.public_key)
    assert update.weight == 7


def test_a_weight_above_the_rounds_limit_is_published_as_the_limit(participant, world: World, key) -> None:
    participant.publish(world.open_round(), a_delta(), 5000)
    assert [update.weight for update in world.updates(key.public_key)] == [1000]


def test_tensors_of_torch_are_taken_as_they_are(participant, world: World, key) -> None:
    torch = pytest.importorskip("torch")
    delta = torch.full((SIZE,), 0.5, requires_grad=True)
    participant.publish(world.open_round(), delta, torch.tensor(7))
    (update,) = world.updates(key.public_key)
    assert update.weight == 7
    assert (world.delta_of(update) == 0.5).all()
    for other in (delta.double(), delta.bfloat16()):
        with pytest.raises(ValueError, match="the delta must be float32"):
            participant.publish(world.open_round(number=2), other, 7)
    with pytest.raises(ValueError, match="weight"):
        participant.publish(world.open_round(number=2), delta, torch.tensor(True))


@pytest.mark.parametrize(("terms", "weight", "least"), [("", 0, 1), ('{"participation":{"min_examples":50}}', 49, 50)])
def test_publishing_fewer_examples_than_the_round_takes_sits_it_out(
    participant, world: World, terms: str, weight: int, least: int
) -> None:
    round_, events = world.open_round(terms=terms), []
    assert participant.publish(round_, a_delta(), weight, on_event=events.append) is None
    assert events == [SatOut(round=round_, weight=weight, min_examples=least)]
    assert participant.outbox.uploads() == []


def test_a_finished_task_takes_no_update(participant, world: World) -> None:
    with pytest.raises(ValueError, match="not open"):
        participant.publish(world.open_round(status=RoundStatus.FINISHED), a_delta(), 1)


def a_publisher(participant, key) -> Publisher:
    return Publisher(participant.transport, participant.outbox, participant.topics, "alice", key)


def test_bytes_that_are_encoded_already_travel_as_they_are(participant, world: World, key) -> None:
    round_ = replace(world.open_round(), encodings=("partial_sum",))
    encoded = np.arange(SIZE, dtype="<i8").tobytes()
    chunks = list(split(encoded, 8 * round_.chunk_elements))
    publisher = a_publisher(participant, key)
    publisher.complete(
        round_, publisher.store_encoded(round_, Encoded(chunks, (2.0,)), 5, "partial_sum"), lambda event: None
    )
    (update,) = world.updates(key.public_key)
    assert (update.encoding, update.scales, update.weight) == ("partial_sum", (2.0,), 5)
    assert [chunk.length for chunk in update.chunks] == [8 * CHUNK_ELEMENTS] * (NUM_CHUNKS - 1) + [400]
    stored = participant.transport.fetch(
        world.topics.update_blobs, [(chunk.partition, chunk.offset) for chunk in update.chunks]
    )
    assert b"".join(stored) == encoded


def test_encoded_bytes_must_be_whole_and_of_an_encoding_that_the_round_takes(participant, world: World, key) -> None:
    round_ = world.open_round()
    publisher = a_publisher(participant, key)
    with pytest.raises(ValueError, match="no 1050 elements of float32"):
        publisher.store_encoded(round_, Encoded([bytes(8)]), 1, "float32")
    with pytest.raises(ValueError, match="takes the encodings float32, int8, not partial_sum"):
        publisher.store_encoded(round_, Encoded([bytes(8 * SIZE)], (1.0,)), 1, "partial_sum")
    with pytest.raises(ValueError, match="weight"):
        publisher.store_encoded(round_, Encoded([bytes(4 * SIZE)]), 0, "float32")
