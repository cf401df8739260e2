"""What is known of checked chunks, and who hears of them."""

from hashlib import sha256

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
    announcements, heard, other = Announcements(), Heard(), Heard()
    ends = [announcements.subscribe("log", heard) for _ in range(2)]
    announcements.subscribe("another log", other)

    def announce(index: int) -> None:
        announcements.announce("log", a_round(), index, bytes(32), a_model_update(), CHUNK)

    announce(0)
    ends[0]()
    announce(1)
    ends[1]()
    announce(2)
    announcements.announce("log of nobody", a_round(), 3, bytes(32), a_model_update(), CHUNK)
    assert heard.chunks == [(0, CHUNK), (1, CHUNK)]
    assert other.chunks == []
