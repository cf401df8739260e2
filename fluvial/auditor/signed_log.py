"""Verifies the log alone, in bounded memory, from where it was verified last: every leaf continues the chain, is what
its event says, and lies under a root that the log's key signed.

`fluvial audit verify` does more: it takes verdicts again and reconciles all topics, and keeps what it needs of every
leaf for that, on disk (`shelf.py`). This is for a log of millions of leaves, and for who looks every minute: it keeps
64 hashes, the records that lie between two checkpoints (at most `MAX_UNSIGNED`), and the root of each checkpoint that
has not been reached.
`python -m tests.benchmarks.million_leaves` measures both.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Problem, Problems
from fluvial.transparency.event import event_id, read_event, subject
from fluvial.transparency.note import NoteKey
from fluvial.transparency.signed_leaves import Proven, SignedLeaves
from fluvial.wire import framing
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.records import SequencedEvent

CHECK = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """first: number of the first leaf verified now. size, root: of what is proven by now. events: leaves by type.
    num_unsigned: records that no checkpoint covers yet, or that are no leaves."""

    first: int
    size: int
    root: str
    events: dict[str, int]
    num_unsigned: int
    num_problems: int
    problems: tuple[Problem, ...]
    seconds: float

    @property
    def verified(self) -> bool:
        """Whether nothing was wrong."""
        return self.num_problems == 0


def verify_signed_log(
    checkpoints: Iterable[bytes], records: Iterable[TopicRecord], log_key: NoteKey, proven: Proven
) -> tuple[LogReport, Proven]:
    """What the log is, and how far it is proven now.

    checkpoints: values of the topic, all of them. records: of topic `audit`, from `proven.offset` on. What is not there
    any more, has other bytes than were signed, or was signed twice is a problem; then what was proven before stands.
    """
    began, problems, events = time.monotonic(), Problems(), Counter[str]()
    leaves = SignedLeaves(log_key, proven)
    try:
        for note in checkpoints:
            leaves.take_checkpoint(note)
        for record in records:
            for leaf in leaves.take_record(record.offset, record.value or b""):
                _check(leaf, events, problems)
        for leaf in leaves.search():
            _check(leaf, events, problems)
    except VerificationError as error:
        problems.add(CHECK, "checkpoints", str(error))
    end, signed = leaves.proven.end, leaves.signed_size
    if signed > end.size and not problems.count:
        problems.add(CHECK, f"leaf {end.size}", f"{signed} leaves were signed, and the records do not lead there")
    report = LogReport(
        first=proven.end.size,
        size=end.size,
        root=leaves.proven.tree.root().hex(),
        events=dict(sorted(events.items())),
        num_unsigned=leaves.num_unsigned,
        num_problems=problems.count,
        problems=tuple(problems.kept),
        seconds=time.monotonic() - began,
    )
    return report, proven if problems.count else leaves.proven


def _check(leaf: bytes, events: Counter[str], problems: Problems) -> None:
    sequenced = framing.decode(leaf, SequencedEvent)
    event, where = sequenced.event, f"leaf {sequenced.sequence}"
    events[event.type] += 1
    try:
        record = read_event(event)
    except (DecodeError, ValueError) as error:
        problems.add(CHECK, where, str(error))
        return
    if event.id != event_id(record) or event.subject != subject(record):
        problems.add(CHECK, where, f"is called {event.id}, its data {event_id(record)}")
