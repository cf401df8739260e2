"""The chunk cache: what validation has read stays for aggregation, within a budget."""

from pipelines.flink.chunk_cache import Chunk, ChunkCache


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_removed_chunk_makes_room() -> None:
    cache = ChunkCache(10)
    assert cache.offer(0, 1, Chunk(b"key", b"12345678"))
    assert not cache.offer(0, 2, Chunk(b"key", b"12345678"))
    assert cache.take(0, 1) == Chunk(b"key", b"12345678")
    assert cache.take(0, 1) is None
    assert cache.offer(0, 2, Chunk(b"key", b"12345678"))


def test_young_chunks_are_not_pushed_out_and_stale_ones_are() -> None:
    clock = Clock()
    cache = ChunkCache(10, clock)
    cache.offer(0, 1, Chunk(b"key", b"12345678"))
    clock.now = 10
    assert not cache.offer(0, 2, Chunk(b"key", b"1234"))
    clock.now = 31
    assert cache.offer(0, 2, Chunk(b"key", b"1234"))
    assert cache.take(0, 1) is None


def test_offering_twice_counts_once() -> None:
    cache = ChunkCache(8)
    assert cache.offer(0, 1, Chunk(b"key", b"1234"))
    assert cache.offer(0, 1, Chunk(b"key", b"1234"))
    assert cache.offer(0, 2, Chunk(b"key", b"5678"))
    assert not cache.offer(0, 3, Chunk(b"key", b"9"))
