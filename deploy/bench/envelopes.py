"""`fluvial bench envelopes`: small signed updates through validation, as many a second as it judges.

All envelopes are in the log before the job starts, so the rate is validation's own and nobody's sending. It comes from
the broker's times of the verdicts, start-up left out (`deploy.bench.rates`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from deploy.bench.arrivals import Arriving, collect
from deploy.bench.limits import ed25519_per_second
from deploy.bench.load import Load
from deploy.bench.seeding import announce, register, wait
from deploy.bench.session_job import SessionJob
from deploy.bench.usage import Usage, java_child
from deploy.jobs.submission import LocalJob, Submission
from deploy.local.stack import Stack
from fluvial.kafka import connect
from fluvial.wire.framing import decode
from fluvial.wire.records import Verdict

STAGES = ("validation",)
STAGES_WITH_WINDOW = ("validation", "aggregation")


def start(stack: Stack, submission: Submission, usage: Usage) -> LocalJob | SessionJob:
    """The job, on the stack's session cluster if it has one; it runs, and its processes are watched."""
    if stack.cluster is None:
        job = LocalJob(stack.directory, submission)
        job.start()
        job.wait_until_running()
        usage.watch("operators", java_child(job.pid or 0) or 0)
        return job
    running = SessionJob.submit(stack.directory, submission, stack.cluster.job_manager_pid)
    usage.watch("job-manager", running.job_manager or 0)
    for pid in stack.cluster.task_manager_pids:
        usage.watch("operators", pid)
    return running


def run(
    directory: Path,
    *,
    num_envelopes: int,
    parallelism: int = 2,
    task_managers: int = 0,
    window: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure in a directory. Returns what `--json` prints. Raises TimeoutError when no more verdicts come.

    task_managers: of a session cluster, with a slot and an interpreter each; the job has all of them, whatever
    parallelism says. 0 for a local job, whose operators share one interpreter.

    window: whether accepted updates go on into the windows of aggregation, of rounds that wait for one update more than
    there are.
    """
    with ExitStack() as ends:
        usage = ends.enter_context(Usage())
        report("starting the broker")
        stack = ends.enter_context(Stack(directory / "stack", partitions=4, task_managers=task_managers))
        federation, keys = stack.federation, stack.keys
        transport = connect(federation.brokers, "fluvial-bench")
        ends.callback(transport.close)
        load = Load.of(num_envelopes, closing=not window)
        report(f"signing and publishing {num_envelopes} updates of {len(load.participants)} participants")
        register(transport, federation.topics, keys, load.participants)
        announce(transport, federation.topics, keys, load.tasks, load.rounds)
        sizes = [len(raw) for _, raw in load.envelopes(federation.topics.scope)]
        wait(
            transport.produce(federation.topics.updates, raw, key=name.encode())
            for name, raw in load.envelopes(federation.topics.scope)
        )
        verdicts = Arriving(federation.brokers, federation.topics.verdicts)
        ends.callback(verdicts.close)
        stages = STAGES_WITH_WINDOW if window else STAGES
        report(f"starting the job ({', '.join(stages)})")
        parallelism = task_managers or parallelism
        submission = Submission(stages=stages, name="bench", parallelism=parallelism)
        usage.watch("broker", stack.broker.pid or 0)
        job = start(stack, submission, usage)
        ends.callback(job.stop)
        arrivals = collect(verdicts, job, usage, num_envelopes)
        job.stop()  # what it does would count
        limit = ed25519_per_second()
        reasons = Counter(decode(value, Verdict).reason.value for value in arrivals.values)
        return {
            "envelopes": num_envelopes,
            "envelope_bytes": round(sum(sizes) / len(sizes)),
            "parallelism": parallelism,
            "task_managers": task_managers,
            "window": window,
            "envelopes_per_second": arrivals.rate.per_second,
            "ed25519_per_second": limit,
            "share_of_ed25519": arrivals.rate.per_second / limit,
            **arrivals.to_dict(),
            "verdicts": dict(reasons),
            "peak_rss_mb": {role: round(size, 1) for role, size in usage.megabytes().items()},
        }
