"""What is told of verdicts: each once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fluvial.edge.answers import new_answers
from fluvial.edge.outbox import Outbox
from fluvial.wire.records import Decision, Reason, Verdict

VERDICT = Verdict(
    source_topic="fluvial.updates",
    source_partition=0,
    source_offset=5,
    source_timestamp_ms=7,
    record_sha256=bytes(32),
    participant="anna",
    task="toy",
    round=1,
    attempt=0,
    update_id="u",
    decision=Decision.REJECT,
    reason=Reason.NORM_EXCEEDED,
    norm=0.0,
    max_abs=0.0,
)


def told(path: Path, *verdicts: Verdict) -> int:
    """How many are told by a run on the outbox."""
    outbox = Outbox(path, "anna")
    mailbox: Any = SimpleNamespace(poll=lambda _: list(verdicts))
    try:
        return len(list(new_answers(mailbox, outbox, 0.0)))
    finally:
        outbox.close()


def test_a_verdict_is_told_once_by_all_runs(tmp_path: Path) -> None:
    assert told(tmp_path / "outbox.sqlite", VERDICT, VERDICT) == 1
    assert told(tmp_path / "outbox.sqlite", VERDICT) == 0


def test_a_verdict_of_another_federation_on_a_record_in_the_same_place_is_told(tmp_path: Path) -> None:
    told(tmp_path / "outbox.sqlite", VERDICT)
    assert told(tmp_path / "outbox.sqlite", replace(VERDICT, source_timestamp_ms=8)) == 1


def test_another_verdict_on_a_record_is_told(tmp_path: Path) -> None:
    told(tmp_path / "outbox.sqlite", VERDICT)
    assert told(tmp_path / "outbox.sqlite", replace(VERDICT, decision=Decision.ACCEPT, reason=Reason.ACCEPTED)) == 1
