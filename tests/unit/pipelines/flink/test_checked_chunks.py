"""What is known of checked chunks, and who hears of them."""

from hashlib import sha256

from fluvial.wire.layout import chunk_partition
from fluvial.wire.records import ChunkReference, ModelUpdate, Round
from pipelines.flink.checked_chunks import Announcements, CheckedChunks
from tests.unit.pipelines.aggregation.builders import a_model_update, a_round

CHUNK = b"chunk"
REFERENCE = ChunkReference(partition=1, offset=7, length=len(CHUNK), sha256=sha256(CHUNK).digest())


def test_a_chunk_is_hashed_unless_it_is_known() -> None:
    checked = CheckedChunks(remembered=1)
    assert checked.matches("t", REFERENCE, CHUNK)
    assert not checked.matches("t", REFERENCE, b"other")
    checked.remember("t", REFERENCE)
    assert checked.matches("t", REFERENCE, b"known")
    assert not checked.matches("t", REFERENCE, b"too long")
    assert not checked.matches("another", REFERENCE, b"known")
    checked.remember("u", REFERENCE)
    assert not checked.matches("t", REFERENCE, b"known")


class Heard:
    def __init__(self) -> None:
        self.chunks: list[tuple[int, bytes]] = []

    def __call__(self, round_: Round, index: int, record_sha256: bytes, update: ModelUpdate, chunk: bytes) -> None:
        self.chunks.append((index, chunk))


def test_a_listener_hears_of_a_chunk_once_until_its_last_subscription_ends() -> None:
    announcements, heard = Announcements(1), Heard()
    ends = [announcements.subscribe(0, heard) for _ in range(2)]
    for index in range(3):
        announcements.announce(a_round(), index, bytes(32), a_model_update(), CHUNK)
        for end in ends[index : index + 1]:
            end()
    assert heard.chunks == [(0, CHUNK), (1, CHUNK)]


def test_a_chunk_is_told_to_its_own_shard_alone() -> None:
    announcements, ours, others = Announcements(3), Heard(), Heard()
    announcements.subscribe(1, ours)
    announcements.subscribe(2, others)
    for index in range(9):
        announcements.announce(a_round(), index, bytes(32), a_model_update(), CHUNK)
    shards = [chunk_partition("demo", index, 3) for index in range(9)]
    assert sorted(set(shards)) == [0, 1, 2]
    for shard, heard in ((1, ours), (2, others)):
        assert [index for index, _ in heard.chunks] == [index for index in range(9) if shards[index] == shard]
