"""`fluvial audit`: look at the audit log. What verifies it and proves its leaves, and is loaded for that, is in
`fluvial.cli.audit_proofs`.
"""

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from fluvial.auditor.reader import TopicRecord, describe
from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    FederationOption,
    JsonOption,
    console,
    load_federation,
    print_json,
    reported,
    shown,
)
from fluvial.kafka import snapshot
from fluvial.transparency.event import Recorded, read_event
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError
from fluvial.wire.records import (
    InferenceSummary,
    InputGap,
    Lease,
    LeaseCause,
    OverRate,
    Participant,
    Promotion,
    PublishedModel,
    Receipt,
    Release,
    RoundEvent,
    SequencedEvent,
    SetAside,
    Variant,
    Verdict,
)

_CLIENT_ID = "fluvial-auditor"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEASE_CAUSES = {
    LeaseCause.TAKEN_OVER: "it was taken over from a job that was alive",
    LeaseCause.TRANSACTION_LOST: "the broker had aborted what it had prepared, which is made again from the log",
    LeaseCause.FAILED: "it had failed, and goes on from the log",
}

app = typer.Typer(help="Look at the audit log, verify it, prove one of its leaves.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `tail` a verb of its own."""


@app.command()
@reported
def tail(
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=1_000_000, help="How many of the newest leaves to show.")
    ] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new leaves as they arrive; Ctrl-C ends.")
    ] = False,
) -> None:
    """Show the newest leaves of the log, unverified."""
    loaded = load_federation(federation)
    topic = loaded.topics.audit
    with snapshot(loaded.brokers, (topic,), _CLIENT_ID) as reader:
        for record in deque(reader.records(topic), maxlen=lines):
            _print_leaf(record, json)
        if follow:
            for record in reader.follow(topic):
                _print_leaf(record, json)


def _print_leaf(record: TopicRecord, json: bool) -> None:
    try:
        sequenced = framing.decode(record.value or b"", SequencedEvent)
        event = sequenced.event
        summary = _summary(read_event(event))
        time = (_EPOCH + timedelta(milliseconds=event.time_ms)).isoformat(timespec="milliseconds")
    except (DecodeError, ValueError, OverflowError) as error:
        if json:
            print_json({"offset": record.offset, "error": str(error)})
        else:
            console.print(f"{record}: {shown(str(error))}")
        return
    time = time.replace("+00:00", "Z")
    if json:
        leaf = {"sequence": sequenced.sequence, "time": time, "type": event.type, "id": event.id}
        print_json({**leaf, "subject": event.subject, "summary": summary})
    else:
        kind = event.type.split(".")[-2]
        console.print(f"{sequenced.sequence:>8}  {time}  {kind:<12} {shown(event.subject):<16} {shown(summary)}")


def _summary(record: Recorded) -> str:
    match record:
        case Verdict():
            source = (record.source_topic, record.source_partition, record.source_offset)
            return f"{describe(source)} {record.decision} {record.reason}"
        case OverRate():
            first = describe((record.source_topic, record.source_partition, record.first))
            return f"{sum(run.length for run in record.runs)} records from {first} on refused as OVER_RATE"
        case RoundEvent():
            return f"round {record.round}, attempt {record.attempt}: {record.transition}, {record.num_updates} updates"
        case PublishedModel():
            updates = f"{record.num_selected} of {record.num_contributions} updates"
            return f"version {record.version}: {updates}, digest {record.model_digest.hex()[:16]}"
        case Participant():
            return str(record.status)
        case Receipt():
            return f"{record.task} round {record.round}: {record.outcome}, version {record.version}"
        case Release():
            metrics = ", ".join(f"{metric.name} {metric.value:.4f}" for metric in record.metrics)
            told = len(record.participants)
            if told and not metrics and not record.reason:
                metrics = f"{told} metrics of participants"
            metrics = metrics or f"not measured: {record.reason}"
            return f"version {record.version}: {metrics}"
        case Variant():
            built = f"{record.artefact_bytes} bytes, {record.artefact_sha256.hex()[:16]}"
            return f"version {record.version}, {record.name}: {record.failure or built}"
        case Promotion():
            return f"version {record.version}, {record.processor}: {record.reason}"
        case SetAside():
            return f"goes on without {record.item}: {record.error}"
        case InferenceSummary():
            return f"version {record.version}, {record.variant}: {record.requests} requests, {record.examples} examples"
        case InputGap():
            where = f"partition {record.partition}, offsets {record.first} to {record.end - 1}"
            return f"{where}: gone before they were judged"
        case Lease():
            return f"runs {', '.join(record.stages)} since {_LEASE_CAUSES.get(record.cause, record.cause.value)}"
