"""What a benchmark of recovery writes is what stages would have written, and it hears what they say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from deploy.bench import recovery
from deploy.bench.load import Load
from fluvial.kafka import Message, Position
from fluvial.wire.records import Reason

LOG = """\
2026-11-26 22:00:37,237 WARN  /checkout/pipelines/validation/committed.py:64          [] - 2 updates are accepted and \
without a receipt; known from the log in 2.32 s
rounds and windows are known from the log in 2.12 s
frozen goes on from the log: round 1, attempt 1
"""


def test_what_operators_say_of_their_reading_is_found_once(tmp_path: Any) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "job.log").write_text(LOG)
    (tmp_path / "log" / "flink.log").write_text(LOG)
    job: Any = SimpleNamespace(log=tmp_path / "job.log")
    assert recovery._told(job) == [
        "2 updates are accepted and without a receipt; known from the log in 2.32 s",
        "rounds and windows are known from the log in 2.12 s",
    ]


def test_each_update_has_the_verdict_on_it() -> None:
    load = Load.of(20, closing=False)
    (name, raw), *_ = load.envelopes()
    verdict = recovery._verdict("t", load.rounds[0].task, name, raw, Position(partition=1, offset=7, timestamp_ms=5))
    assert (verdict.source_partition, verdict.source_offset, verdict.reason) == (1, 7, Reason.ACCEPTED)
    receipt = recovery._receipt(verdict)
    assert (receipt.participant, receipt.update_id) == (name, verdict.update_id)


def test_a_checkpoint_says_how_many_leaves_it_signs() -> None:
    note = b"example.org/log\n3900\nroot\n\n\xe2\x80\x94 example.org/log signature\n"
    message = Message(topic="t", partition=0, offset=0, timestamp_ms=0, key=None, value=note)
    assert recovery._size(message) == 3900
