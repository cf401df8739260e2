"""Looks through many events, or leaves, at once for those that are what nearly all are.

What is found here is known to be good without being decoded one by one; of the rest `events.open_event` and
`signer.append` say what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from fluvial.transparency.event import EVENT_TYPES
from fluvial.wire.columns import Block, Columns, Flags, Integers, Spans
from fluvial.wire.records import AuditEvent, SequencedEvent, Verdict
from governance.audit.cloud_events import Attributes
from governance.audit.events import MAX_DATA_BYTES, MAX_TIME_MS, SOURCES

WORTH_IT = 48
"""Records from which on looking at them together takes less time."""

_TYPE = EVENT_TYPES[Verdict].encode()
_SOURCE = SOURCES[Verdict].encode()
_MOST_TOPICS = 4
"""Whose verdicts are looked for in one bundle; those of others are decoded one by one."""
_ESCAPED = (b"%", b"/", b"\n")
"""What an id has in another form, and what would end its line."""
_attributes = partial(tuple.__new__, Attributes)


def verdicts(values: Sequence[bytes]) -> list[Attributes | None]:
    """Of each record of the topic `events` its attributes, where it is the plain event of a verdict in its first
    version, as `open_event` would take it; None where that must be asked."""
    block = Block(values)
    events = Columns.read(block, block.rows, AuditEvent)
    spans, times = events.spans, events.numbers["time_ms"]
    recorded = Columns.read(block, spans["data"], Verdict)
    plain = (
        events.plain
        & recorded.plain
        & block.equal(spans["source"], _SOURCE)
        & block.equal(spans["type"], _TYPE)
        & (times >= 0)
        & (times <= MAX_TIME_MS)
        & (spans["data"].ends - spans["data"].starts <= MAX_DATA_BYTES)
        & block.same(spans["subject"], recorded.spans["participant"])
    )
    found: list[Attributes | None] = [None] * len(values)
    for topic, rows in _by_topic(block, recorded.spans["source_topic"], plain):
        partitions, offsets = (recorded.numbers[name][rows] for name in ("source_partition", "source_offset"))
        places = np.stack((partitions, offsets), axis=1).ravel().tolist()
        # Written and compared all together: no id that is expected has a line's end in it.
        expected = (f"verdict/{topic}/%d/%d\n" * len(rows)) % tuple(places)
        ids, subjects = _cut(block, spans["id"], rows), _cut(block, spans["subject"], rows)
        named = b"\n".join([*ids, b""]).decode()
        good = [True] * len(rows)
        if named != expected:
            good = [one.decode() == other for one, other in zip(ids, expected.split("\n")[:-1], strict=True)]
        for row, is_good, event_id, subject, time_ms in zip(
            rows.tolist(), good, ids, subjects, times[rows].tolist(), strict=True
        ):
            if is_good:
                found[row] = _attributes((event_id.decode(), _SOURCE, _TYPE, subject, time_ms))
    return found


def _by_topic(block: Block, topics: Spans, plain: Flags) -> Iterator[tuple[str, Integers]]:
    """The plain rows of each topic of which there are many; without those that `event_id` would escape."""
    left = plain.copy()
    for _ in range(_MOST_TOPICS):
        rows = np.flatnonzero(left)
        if not rows.size:
            return
        topic = block.bytes[topics.starts[rows[0]] : topics.ends[rows[0]]]
        of_it = left & block.equal(topics, topic)
        left &= ~of_it
        if not any(mark in topic for mark in _ESCAPED):
            yield topic.decode(), np.flatnonzero(of_it)


def leaves(values: Sequence[bytes]) -> list[bool]:
    """Of each record of the topic `audit` whether it is a plain SequencedEvent."""
    block = Block(values)
    plain: list[bool] = Columns.read(block, block.rows, SequencedEvent).plain.tolist()
    return plain


def _cut(block: Block, spans: Spans, rows: Integers) -> list[bytes]:
    data = block.bytes
    return [data[start:end] for start, end in zip(spans.starts[rows].tolist(), spans.ends[rows].tolist(), strict=True)]
