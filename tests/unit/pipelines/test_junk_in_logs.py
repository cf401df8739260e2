"""Whoever writes junk to a topic does not write a job's log with it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from fluvial.wire.records import Measurement, Variant
from fluvial.wire.tally import Tally
from fluvial.wire.topics import Topics
from pipelines.aggregation.operators.sources import AcceptedToMessage, RoundToMessage
from pipelines.flink.frames import SourceRecord, source_frame
from pipelines.flink.manifests import ManifestToMessage
from pipelines.flink.tasks import TaskToMessage
from pipelines.inference.gathering import tasks_of
from pipelines.inference.operators import Infer
from pipelines.promotion.operators import ActToMessage, AdmittedToMessage, SignedToMessage

KEY = b"\x07" * 32
SETTINGS: Any = SimpleNamespace(
    topics=Topics("fluvial.", "1f" * 16), operator_key=KEY.hex(), registrar_key=KEY.hex(), aggregator_key=KEY.hex()
)
RECORDS = 1_000
MOST_LINES = 12
"""One whenever their number has doubled, and two to spare."""


def junk(offset: int) -> SourceRecord:
    return SourceRecord(0, offset, 1, b"task/demo", b"junk")


def by_frames(operator: Any) -> Callable[[list[SourceRecord]], list[Any]]:
    return lambda records: [out for record in records for out in operator.flat_map(source_frame(record))]


def inferred(records: list[SourceRecord]) -> list[Any]:
    operator = Infer(SETTINGS)
    operator._skipped = Tally(logging.getLogger("pipelines.inference.operators"))
    return list(operator._opened(records))


@pytest.mark.parametrize(
    "read",
    [
        by_frames(RoundToMessage(SETTINGS)),
        by_frames(AcceptedToMessage()),
        by_frames(ManifestToMessage(SETTINGS)),
        by_frames(TaskToMessage(SETTINGS)),
        by_frames(SignedToMessage(SETTINGS, "variants", Variant)),
        by_frames(SignedToMessage(SETTINGS, "measurements", Measurement)),
        by_frames(ActToMessage(SETTINGS)),
        by_frames(AdmittedToMessage(SETTINGS)),
        lambda records: tasks_of(records, KEY, KEY),
        inferred,
    ],
    ids=[
        "rounds",
        "accepted",
        "models",
        "tasks",
        "variants",
        "measurements",
        "acts",
        "reports",
        "registry",
        "requests",
    ],
)
def test_junk_is_counted_and_told_in_few_lines(
    read: Callable[[list[SourceRecord]], list[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert read([junk(offset) for offset in range(RECORDS)]) == []
    assert 1 <= len(caplog.records) <= MOST_LINES
    assert "skipped so far" in caplog.records[-1].getMessage()
