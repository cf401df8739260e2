"""`fluvial bench envelopes`: small signed updates through validation, as many a second as it judges.

All envelopes are in the log before the job starts, so the rate is validation's own and nobody's sending. It comes from
the broker's times of the verdicts, start-up left out (`deploy.bench.rates`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from deploy.bench.load import Load
from deploy.bench.rates import steady_rate, windows
from deploy.bench.seeding import register, wait
from deploy.bench.usage import Usage, java_child
from deploy.local.errors import start_error
from deploy.local.stack import Stack
from deploy.local.submission import LocalJob, Submission
from fluvial.edge.transport import Reader, connect
from fluvial.identity.envelope import seal
from fluvial.wire.framing import decode
from fluvial.wire.records import Verdict
from governance.registry.records import registry_key

STAGES = ("validation",)
_PATIENCE_SECONDS = 120.0


def run(
    directory: Path,
    *,
    num_envelopes: int,
    parallelism: int = 2,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure in a directory. Returns what `--json` prints. Raises TimeoutError when no more verdicts come."""
    with ExitStack() as ends:
        usage = ends.enter_context(Usage())
        report("starting the broker")
        stack = ends.enter_context(Stack(directory / "stack", partitions=4))
        federation, keys = stack.federation, stack.keys
        transport = connect(federation, "fluvial-bench")
        ends.callback(transport.close)
        load = Load.of(num_envelopes)
        report(f"signing and publishing {num_envelopes} updates of {len(load.participants)} participants")
        register(transport, federation.topics, keys, load.participants)
        wait(
            transport.produce(
                federation.topics.registry, seal(task, keys.operator, "operator"), key=registry_key(task).encode()
            )
            for task in load.tasks
        )
        wait(
            transport.produce(
                federation.topics.rounds, seal(round_, keys.aggregator, "aggregator"), key=round_.task.encode()
            )
            for round_ in load.rounds
        )
        sizes = [len(raw) for _, raw in load.envelopes()]
        wait(transport.produce(federation.topics.updates, raw, key=name.encode()) for name, raw in load.envelopes())
        verdicts = transport.read(federation.topics.verdicts)
        ends.callback(verdicts.close)
        report("starting the job (validation)")
        submission = Submission(stages=STAGES, name="bench", parallelism=parallelism)
        job = ends.enter_context(LocalJob(stack.directory, submission))
        job.wait_until_running()
        usage.watch("broker", stack.broker.pid or 0)
        usage.watch("operators", java_child(job.pid or 0) or 0)
        times_ms, reasons = _collect(verdicts, job, num_envelopes)
        rate = steady_rate(times_ms)
        return {
            "envelopes": num_envelopes,
            "envelope_bytes": round(sum(sizes) / len(sizes)),
            "parallelism": parallelism,
            "envelopes_per_second": rate.per_second,
            "measured_records": rate.records,
            "measured_seconds": rate.seconds,
            "verdicts_by_second": windows(times_ms),
            "verdicts": dict(reasons),
            "peak_rss_mb": {role: round(size, 1) for role, size in usage.megabytes().items()},
        }


def _collect(verdicts: Reader, job: LocalJob, expected: int) -> tuple[list[int], Counter[str]]:
    """Broker times and reasons of that many verdicts."""
    times_ms: list[int] = []
    reasons: Counter[str] = Counter()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(times_ms) < expected:
        if job.pid is None:
            raise start_error("the job ended", job.log)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(times_ms)} of {expected} verdicts, and no more came: see {job.log}")
        for message in verdicts.poll(0.2):
            times_ms.append(message.timestamp_ms)
            reasons[decode(message.value or b"", Verdict).reason.value] += 1
            deadline = time.monotonic() + _PATIENCE_SECONDS
    return times_ms, reasons
