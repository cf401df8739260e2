"""What is told of verdicts and receipts: each once, also across restarts. A mailbox begins at the first update of the
outbox whenever it is opened, because error feedback and whoever asks for a verdict need what is there."""

from __future__ import annotations

from collections.abc import Iterator

from fluvial.edge.events import Answered, Judged
from fluvial.edge.mailbox import Mailbox
from fluvial.edge.outbox import Outbox
from fluvial.wire.records import Receipt, Verdict


def new_answers(mailbox: Mailbox, outbox: Outbox, timeout: float) -> Iterator[Judged | Answered]:
    """What has arrived, after at most `timeout` seconds, and was not told before. One counts as told when the next is
    asked for: after a crash in between it is told again."""
    for record in mailbox.poll(timeout):
        name = _name(record)
        if not outbox.was_told(name):
            yield Judged(verdict=record) if isinstance(record, Verdict) else Answered(receipt=record)
            outbox.remember_told(name)


def _name(record: Verdict | Receipt) -> str:
    """Of a verdict also its time and what it says: an outbox may serve federations whose topics have the same names,
    and who believes verdicts without proofs may have heard another one of the same record."""
    if isinstance(record, Verdict):
        place = f"{record.source_topic}/{record.source_partition}@{record.source_offset}"
        return f"{place} {record.source_timestamp_ms} {record.decision.value} {record.reason.value}"
    return f"{record.task}/{record.round}/{record.attempt} {record.update_id} {record.outcome.value}"
