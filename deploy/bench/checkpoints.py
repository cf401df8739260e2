"""`fluvial bench checkpoints`: bytes and milliseconds of a job's checkpoints, round by round, with many participants.

Each round takes the target from participants drawn anew, so that all of them skip rounds, as devices do. What a
checkpoint has and takes is Flink's own word, from its log.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from deploy.acts.tasks import create_task
from deploy.bench.load import an_update
from deploy.bench.seeding import register, wait
from deploy.bench.usage import Usage, java_child
from deploy.jobs.submission import LocalJob, Submission
from deploy.local.stack import Stack
from deploy.machine.errors import start_error
from fluvial.edge.rounds import RoundFollower
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.kafka import Transport, connect
from fluvial.wire.records import Round
from fluvial.wire.task_file import Limits, ModelSpec, RuleSpec, TaskFile
from fluvial.wire.topics import Topics

STAGES = ("validation", "aggregation", "audit")
TASK = "bench"

_COMPLETED = re.compile(
    r"^([0-9-]+ [0-9:]+),([0-9]{3}) .*Completed checkpoint [0-9]+ .*\(([0-9]+) bytes, checkpointDuration=([0-9]+) ms"
)
_ROUND_SECONDS = 240.0
_STEP = 2_000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """When it was complete (seconds since 1970), its bytes, and milliseconds from its trigger on."""

    at_s: float
    size: int
    duration_ms: int


def run(
    directory: Path,
    *,
    num_participants: int,
    num_rounds: int,
    fraction: float = 0.5,
    parallelism: int = 1,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure in a directory. Returns what `--json` prints. fraction: of the participants, in each round. Raises
    TimeoutError when a round does not end."""
    target = max(1, int(num_participants * fraction))
    with ExitStack() as ends:
        usage = ends.enter_context(Usage())
        report("starting the broker and the job")
        stack = ends.enter_context(Stack(directory / "stack", watch=False, partitions=4))
        federation = stack.federation
        transport = connect(federation.brokers, "fluvial-bench")
        ends.callback(transport.close)
        job = ends.enter_context(
            LocalJob(stack.directory, Submission(stages=STAGES, name="bench", parallelism=parallelism))
        )
        keys = {f"device-{number:05}": SigningKey.generate() for number in range(num_participants)}
        register(transport, federation.topics, stack.keys, keys)
        create_task(federation, stack.keys, _task_file(target, num_rounds))
        rounds = RoundFollower(transport, federation)
        ends.callback(rounds.close)
        job.wait_until_running()
        usage.watch("operators", java_child(job.pid or 0) or 0)
        generator, opened = random.Random(1), []
        for number in range(1, num_rounds + 1):
            round_ = _wait_for(rounds, number, job)
            opened.append(time.time())
            drawn = generator.sample(sorted(keys), target)
            _publish(transport, federation.topics, round_, {name: keys[name] for name in drawn})
            report(f"round {number}: {target} updates")
        _wait_for(rounds, num_rounds + 1, job)
        opened.append(time.time())
        found = checkpoints(logs_of(job))
        return {
            "participants": num_participants,
            "target": target,
            "parallelism": parallelism,
            "rounds": [by_time(found, begin, end) for begin, end in pairwise(opened)],
            "peak_rss_mb": {role: round(size, 1) for role, size in usage.megabytes().items()},
        }


def checkpoints(lines: Iterable[str]) -> list[Checkpoint]:
    """Those that Flink's log tells of."""
    found = []
    for line in lines:
        if told := _COMPLETED.match(line):
            at = datetime.strptime(told[1], "%Y-%m-%d %H:%M:%S").timestamp() + int(told[2]) / 1000
            found.append(Checkpoint(at, int(told[3]), int(told[4])))
    return found


def by_time(found: Iterable[Checkpoint], begin_s: float, end_s: float) -> dict[str, float]:
    """Of the checkpoints of a round: how many, the largest, and how long they took."""
    those = [checkpoint for checkpoint in found if begin_s <= checkpoint.at_s < end_s]
    if not those:
        return {"seconds": round(end_s - begin_s, 2), "checkpoints": 0}
    return {
        "seconds": round(end_s - begin_s, 2),
        "checkpoints": len(those),
        "largest_bytes": max(checkpoint.size for checkpoint in those),
        "smallest_bytes": min(checkpoint.size for checkpoint in those),
        "median_ms": median(checkpoint.duration_ms for checkpoint in those),
        "longest_ms": max(checkpoint.duration_ms for checkpoint in those),
    }


def logs_of(job: LocalJob) -> list[str]:
    return [line for log in job.log.parent.glob("log/*.log") for line in log.read_text(errors="replace").splitlines()]


def _wait_for(rounds: RoundFollower, number: int, job: LocalJob) -> Round:
    deadline = time.monotonic() + _ROUND_SECONDS
    while time.monotonic() < deadline:
        rounds.poll(0.05)
        newest = rounds.newest(TASK)
        if newest is not None and newest.round == number:
            return newest
        if job.pid is None:
            raise start_error("the job ended", job.log)
    raise TimeoutError(f"round {number} was not opened in {_ROUND_SECONDS:.0f} s: see {job.log}")


def _publish(transport: Transport, topics: Topics, round_: Round, keys: Mapping[str, SigningKey]) -> None:
    delta = np.full(round_.num_elements, 0.01, "<f4").tobytes()
    left = iter(keys.items())
    while step := list(islice(left, _STEP)):
        wait(
            transport.produce(
                topics.updates, seal(an_update(round_, name, delta), key, name, topics.scope), key=name.encode()
            )
            for name, key in step
        )


def _task_file(target: int, num_rounds: int) -> TaskFile:
    return TaskFile(
        task=TASK,
        title="Measurement of checkpoints",
        model=ModelSpec(architecture="logistic_regression", parameters={"inputs": 7, "classes": 8}),
        rounds=num_rounds + 1,  # the last one tells when the one before it is over
        quorum=target,
        target=target,
        rule=RuleSpec(name="weighted_mean"),
        deadline_seconds=600.0,
        limits=Limits(max_abs=8.0, max_weight=1),
    )
