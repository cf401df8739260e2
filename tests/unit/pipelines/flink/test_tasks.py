"""Tasks of the registry on their way to the stages."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.registry.approval import approve
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import Task
from pipelines.config import Settings
from pipelines.flink.frames import SourceRecord, source_frame
from pipelines.flink.messages import unpack
from pipelines.flink.tasks import TaskToMessage
from pipelines.registered_tasks import newest
from tests.unit.pipelines.aggregation.rounds.test_task_life import a_task

OPERATOR, ANNA = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2))
APPROVAL = {"operators": 1, "operator_keys": {"anna": ANNA.public_key.hex()}}


def the_task(version: int, **changes: Any) -> Task:
    return replace(a_task(rounds=9, approval=APPROVAL, **changes), version=version)


def told(operator: TaskToMessage, sealed: bytes) -> list[tuple[Task, bytes]]:
    frame = source_frame(SourceRecord(0, 0, 1, b"task/demo", sealed))
    messages = [unpack(message) for message in operator.flat_map(frame)]
    return [(decode(record, Task), envelope) for _, _, (record, envelope) in messages]


def test_a_stage_hears_of_no_weaker_terms_before_enough_operators_have_signed_them() -> None:
    key = OPERATOR.public_key.hex()
    settings = SimpleNamespace(operator_key=key, registrar_key=key, topics=SimpleNamespace(scope=""))
    operator = TaskToMessage(cast("Settings", settings))
    first, weaker = seal(the_task(0, quorum=2), OPERATOR, "operator"), seal(the_task(1, quorum=1), OPERATOR, "operator")
    assert told(operator, first) == [(the_task(0, quorum=2), first)]
    assert told(operator, weaker) == []
    signed = approve(weaker, ANNA, "anna")
    assert told(operator, signed) == [(the_task(1, quorum=1), signed)]


def test_a_copy_of_a_tasks_former_record_changes_nothing_whoever_writes_it() -> None:
    key = OPERATOR.public_key.hex()
    settings = SimpleNamespace(operator_key=key, registrar_key=key, topics=SimpleNamespace(scope=""))
    operator = TaskToMessage(cast("Settings", settings))
    former, newer = (seal(the_task(version, quorum=2), OPERATOR, "operator") for version in (0, 1))
    assert [len(told(operator, sealed)) for sealed in (former, newer, former, newer)] == [1, 1, 0, 1]


def test_a_stage_that_has_a_newer_record_keeps_it_after_a_restart() -> None:
    former, newer = encode(the_task(0)), encode(the_task(1))
    assert newest(former, None) == former
    assert newest(newer, former) == newer
    assert newest(former, newer) == newer
