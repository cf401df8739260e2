"""The summary of a minute: what the audit log says of its answers can be computed again from topic results."""

from __future__ import annotations

import numpy as np

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.inference.answers_root import answers_root, leaf_of
from fluvial.wire.records import InferenceSummary
from pipelines.flink.frames import SourceRecord
from pipelines.inference.logic import Asked, answered, results
from pipelines.inference.minutes import MINUTE_MS, Minute
from tests.unit.pipelines.inference.test_logic import MODEL, a_request

KEY, OTHER = (SigningKey.from_seed(bytes([number]) * 32) for number in (8, 9))


def worked(minute: Minute, names: list[str], now_ms: int) -> list[SourceRecord]:
    """Answer requests, each in a record of its own; the records."""
    records = []
    for name in names:
        asked = [Asked(request=a_request(np.ones((1, 3)), name), arrived_ms=now_ms - 5)]
        answers = list(answered(MODEL, asked, 64))
        for one, answer in answers:
            minute.add(one, answer, now_ms)
        for _, found in results("credit", MODEL, answers, now_ms, minute.worker):
            record = seal(found, KEY, "aggregator")
            minute.add_results(record, MODEL)
            records.append(SourceRecord(0, len(records), now_ms, b"", record))
    return records


def a_minute(worker: str = "0") -> Minute:
    return Minute(task="credit", worker=worker, minute_ms=MINUTE_MS)


def test_the_root_is_that_of_the_records_in_any_order() -> None:
    minute = a_minute()
    records = worked(minute, ["a", "b", "c"], MINUTE_MS + 10)
    root = minute.summary().root
    assert root == answers_root(leaf_of(record.value) for record in reversed(records))
    assert root != answers_root(leaf_of(record.value) for record in records[1:])


def test_a_worker_that_failed_leaves_its_part_of_the_minute_to_the_next() -> None:
    whole, first, second = a_minute(), a_minute(), a_minute()
    log = worked(first, ["a", "b"], MINUTE_MS + 10)
    second.take_earlier(log, KEY.public_key)
    log += worked(second, ["c"], MINUTE_MS + 20_000)
    whole.take_earlier(log, KEY.public_key)
    assert counts(second.summary()) == counts(whole.summary())
    assert second.summary().requests == 3


def test_what_others_wrote_is_not_counted() -> None:
    minute = a_minute()
    others = worked(a_minute("1"), ["a"], MINUTE_MS + 10) + worked(a_minute(), ["b"], 2 * MINUTE_MS)
    minute.take_earlier([*others, SourceRecord(0, 9, 1, b"", b"junk")], KEY.public_key)
    minute.take_earlier(worked(a_minute(), ["c"], MINUTE_MS + 10), OTHER.public_key)
    assert (minute.requests, minute.leaves) == (0, [])


def counts(summary: InferenceSummary) -> tuple[object, ...]:
    return summary.requests, summary.examples, summary.refused, summary.results, summary.root
