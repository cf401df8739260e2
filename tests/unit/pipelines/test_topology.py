"""The topology is closed: every topic has one writing stage or comes from outside, and somebody reads it."""

import importlib.util
from collections import Counter

import pytest

from fluvial.wire.topics import NAMES
from pipelines.topology import OF_EVERY_JOB, OF_EVERY_STAGE, STAGES, WRITTEN_OUTSIDE, stages_named

READ_OUTSIDE = {"verdicts", "quarantine", "receipts", "models", "releases", "checkpoints", "rounds", "audit"}
READ_OUTSIDE |= {"results"}
OF_ALL = {*OF_EVERY_STAGE, *OF_EVERY_JOB}


def test_every_topic_has_a_writer_and_a_reader() -> None:
    written = {topic for stage in STAGES.values() for topic in stage.writes} | {*WRITTEN_OUTSIDE, *OF_ALL}
    read = {topic for stage in STAGES.values() for topic in stage.reads} | {*READ_OUTSIDE, *OF_ALL}
    assert written == read == set(NAMES)


def test_a_topic_has_one_writing_stage_except_the_events() -> None:
    writers = Counter(topic for stage in STAGES.values() for topic in stage.writes)
    assert {topic for topic, count in writers.items() if count > 1} == {"events"}


def test_stages_name_modules_that_exist() -> None:
    assert all(importlib.util.find_spec(stage.module) is not None for stage in STAGES.values())


def test_stages_come_in_the_order_of_the_data() -> None:
    assert list(stages_named(["audit", "validation"])) == ["validation", "audit"]
    for wrong in (["accounting"], [], ["audit", "audit"]):
        with pytest.raises(ValueError, match="stage"):
            stages_named(wrong)
