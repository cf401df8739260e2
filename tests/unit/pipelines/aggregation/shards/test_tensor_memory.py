from pipelines.aggregation.shards.tensor_memory import TensorMemory


def test_a_band_takes_half_of_what_is_free_and_gives_it_back() -> None:
    memory = TensorMemory(100)
    with memory.band(range(20), 10) as first:
        assert list(first) == [0, 1, 2, 3, 4]
        with memory.band(range(20), 10) as second:
            assert list(second) == [0, 1]
    with memory.band(range(3), 10) as all_there_is:
        assert list(all_there_is) == [0, 1, 2]


def test_one_chunk_is_always_granted() -> None:
    memory = TensorMemory(10)
    with memory.band(range(5), 1000) as first, memory.band(range(5), 1000) as second:
        assert (list(first), list(second)) == ([0], [0])
