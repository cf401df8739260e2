"""Keys that Flink sends to a wanted subtask. Expected values were read off flink-runtime 2.3.0 for Row.of(key)."""

import pytest

from pipelines.flink.keys import shard_keys, shard_of, subtask_of


@pytest.mark.parametrize(
    ("key", "subtask"),
    [("k0", 0), ("k1", 0), ("k2", 1), ("k3", 0), ("k4", 0), ("k5", 0), ("k6", 1), ("k7", 0), ("k8", 1), ("k9", 1)],
)
def test_agrees_with_the_engine(key: str, subtask: int) -> None:
    assert subtask_of(key, parallelism=2, max_parallelism=128) == subtask


@pytest.mark.parametrize("parallelism", [1, 2, 3, 4])
def test_shards_go_round_the_subtasks(parallelism: int) -> None:
    keys = shard_keys(8, parallelism, 128)
    assert len(set(keys)) == 8
    assert [subtask_of(key, parallelism, 128) for key in keys] == [shard % parallelism for shard in range(8)]
    assert [shard_of(key) for key in keys] == list(range(8))
