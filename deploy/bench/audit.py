"""`fluvial bench audit`: events of verdicts through the sequencer into the log.

All events are in the log of topic events before the job starts; the rate comes from the broker's times of the leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

from deploy.bench.arrivals import Arriving, collect
from deploy.bench.limits import sequential_read
from deploy.bench.usage import Usage, java_child
from deploy.jobs.submission import LocalJob, Submission
from deploy.local.stack import Stack
from fluvial.identity.brokers import Brokers
from fluvial.kafka.librdkafka import clients
from fluvial.transparency.chain import ChainEnd
from fluvial.wire.errors import VerificationError
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import AuditEvent, Decision, Reason, SequencedEvent, Verdict
from governance.audit.events import verdict_event
from pipelines.flink.stage_mac import StageMac

STAGES = ("audit",)

_ACKNOWLEDGED_SECONDS = 60.0


def run(
    directory: Path, *, num_events: int, parallelism: int = 1, report: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Measure in a directory. Returns what `--json` prints. Raises TimeoutError when no more leaves come,
    VerificationError when they are no log."""
    with ExitStack() as ends:
        usage = ends.enter_context(Usage())
        report("starting the broker")
        stack = ends.enter_context(Stack(directory / "stack", partitions=4))
        topics = stack.federation.topics
        report(f"publishing {num_events} events")
        _publish(stack.federation.brokers, topics.events, StageMac.load(stack.directory.keys), num_events)
        leaves = Arriving(stack.federation.brokers, topics.audit)
        ends.callback(leaves.close)
        report("starting the job (audit)")
        submission = Submission(stages=STAGES, name="bench", parallelism=parallelism)
        job = ends.enter_context(LocalJob(stack.directory, submission))
        job.wait_until_running()
        usage.watch("broker", stack.broker.pid or 0)
        usage.watch("operators", java_child(job.pid or 0) or 0)
        arrivals = collect(leaves, job, usage, num_events)
        check(arrivals.values)
        read = sequential_read(stack.federation.brokers, topics.events).records_per_second
        return {
            "events": num_events,
            "parallelism": parallelism,
            "leaves_per_second": arrivals.rate.per_second,
            "events_read_per_second": read,
            "share_of_sequential_read": arrivals.rate.per_second / read,
            **arrivals.to_dict(),
            "peak_rss_mb": {role: round(size, 1) for role, size in usage.megabytes().items()},
        }


def check(leaves: Sequence[bytes]) -> None:
    """Raises VerificationError unless these are a log, of an event each."""
    end, ids = ChainEnd(), set()
    for value in leaves:
        leaf = decode(value, SequencedEvent)
        if why := end.why_not(leaf):
            raise VerificationError(why)
        end = end.after(value)
        ids.add(leaf.event.id)
    if len(ids) != len(leaves):
        raise VerificationError(f"{len(leaves)} leaves tell of {len(ids)} events")


def _publish(brokers: Brokers, topic: str, mac: StageMac, num_events: int) -> None:
    """Raises TimeoutError when the broker does not have all within a minute."""
    producer = clients.producer(brokers, "fluvial-bench", {"queue.buffering.max.messages": num_events + 1})
    for event in _events(num_events):
        key, value = event.id.encode(), encode(event)
        producer.produce(topic, value, key, headers=[mac.header(topic, key, value)])
    if producer.flush(_ACKNOWLEDGED_SECONDS):
        raise TimeoutError(f"the broker did not take {num_events} events in {_ACKNOWLEDGED_SECONDS:.0f} s")


def _events(num_events: int) -> Iterator[AuditEvent]:
    """Events of accepted updates, each of another record."""
    for offset in range(num_events):
        yield verdict_event(
            Verdict(
                source_topic="fluvial.updates",
                source_partition=0,
                source_offset=offset,
                source_timestamp_ms=1_700_000_000_000,
                record_sha256=sha256(offset.to_bytes(8)).digest(),
                participant=f"device-{offset % 1000:05}",
                task="bench",
                round=1 + offset // 1000,
                attempt=1,
                update_id=f"update-{offset}",
                decision=Decision.ACCEPT,
                reason=Reason.ACCEPTED,
                norm=1.0,
                max_abs=0.5,
            )
        )
