"""What Flink's log says of checkpoints, by round."""

from __future__ import annotations

from datetime import datetime

from deploy.bench.checkpoints import Checkpoint, by_time, checkpoints

LOG = """\
2026-11-26 16:07:48,526 INFO  org.apache.flink.runtime.checkpoint.CheckpointCoordinator    [] - Triggering checkpoint 1
2026-11-26 16:07:48,806 INFO  org.apache.flink.runtime.checkpoint.CheckpointCoordinator    [] - Completed checkpoint 2 \
for job 97c67e84aedea056f38a161e3e5c00d0 (73379 bytes, checkpointDuration=129 ms, finalizationTime=2 ms).
Completed checkpoint 3
"""


def test_completed_checkpoints_are_read_from_the_log() -> None:
    at_s = datetime(2026, 11, 26, 16, 7, 48, 806_000).timestamp()
    assert checkpoints(LOG.splitlines()) == [Checkpoint(at_s, 73379, 129)]


def test_a_rounds_checkpoints_are_those_that_were_complete_in_it() -> None:
    found = [Checkpoint(9.9, 1, 1), Checkpoint(10.0, 200, 30), Checkpoint(11.0, 400, 10), Checkpoint(12.0, 9, 9)]
    assert by_time(found, 10.0, 12.0) == {
        "seconds": 2.0,
        "checkpoints": 2,
        "largest_bytes": 400,
        "smallest_bytes": 200,
        "median_ms": 20,
        "longest_ms": 30,
    }
    assert by_time([], 0.0, 1.0) == {"seconds": 1.0, "checkpoints": 0}
