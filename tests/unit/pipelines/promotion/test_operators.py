"""The operator of promotion over a log in memory: whose acts count, before and after it starts again."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fluvial.identity.envelope import seal, unseal
from fluvial.identity.keys import SigningKey
from fluvial.wire.records import OperatorAct, OperatorStep, Promotion, Task
from fluvial.wire.topics import Topics
from pipelines.flink.frames import SourceRecord, parse_sink, source_frame
from pipelines.flink.messages import unpack
from pipelines.flink.stage_mac import make_secret
from pipelines.flink.tasks import TaskToMessage
from pipelines.promotion import operators
from pipelines.promotion.operators import ActToMessage, Promote, SignedToMessage
from tests.unit.pipelines.flink_state import FlinkState
from tests.unit.pipelines.inference.test_serving import SPECIFICATION
from tests.unit.pipelines.promotion.acts import KEYS, OPERATORS, a_spec
from tests.unit.pipelines.promotion.builders import ARTEFACT, a_measurement, a_variant

AGGREGATOR, OPERATOR = (SigningKey.from_seed(bytes([number]) * 32) for number in (7, 8))
TOPICS = Topics()


class Stage:
    """The operator and the functions before it; topics are lists of records."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        AGGREGATOR.save(folder / "aggregator.pem")
        make_secret(folder)
        self.log: dict[str, list[SourceRecord]] = {}
        monkeypatch.setattr(operators, "read_to_end", lambda _, topic, **__: list(self.log.get(topic, ())))
        self.settings: Any = SimpleNamespace(
            brokers=None,
            topics=TOPICS,
            keys_dir=folder,
            aggregator_key=AGGREGATOR.public_key.hex(),
            operator_key=OPERATOR.public_key.hex(),
            registrar_key=bytes(32).hex(),
        )
        self.restart()

    def restart(self) -> None:
        self.state = FlinkState()
        self.operator = Promote(self.settings)
        self.operator.open(self.state)
        self.functions = {
            TOPICS.registry: TaskToMessage(self.settings),
            TOPICS.variants: SignedToMessage(self.settings, "variants", type(a_variant())),
            TOPICS.measurements: SignedToMessage(self.settings, "measurements", type(a_measurement())),
            TOPICS.operator_acts: ActToMessage(self.settings),
        }

    def write(self, topic: str, value: bytes, key: str = "credit", *, heard: bool = True) -> list[Promotion]:
        """heard: by the running job; else the log alone has it. What was decided then."""
        log = self.log.setdefault(topic, [])
        log.append(SourceRecord(0, len(log), 1, key.encode(), value))
        messages = self.functions[topic].flat_map(source_frame(log[-1])) if heard else ()
        made = []
        for message in messages:
            task, _, _ = unpack(message)
            for frame in map(parse_sink, self.state.call(self.operator, task, message)):
                if frame.topic == TOPICS.promotions:
                    made.append(unseal(frame.value or b"", Promotion, AGGREGATOR.public_key))
                    promoted = self.log.setdefault(TOPICS.promotions, [])
                    promoted.append(SourceRecord(0, len(promoted), 1, b"credit", frame.value or b""))
        return made

    def register(self, spec: Any, version: int) -> bytes:
        task = Task(
            task="credit",
            specification=json.dumps({**SPECIFICATION, "acceleration": spec.model_dump(mode="json")}),
            layout=(),
            base_version=0,
            base_digest=bytes(32),
            base_chunks=(),
            created_ms=1,
            version=version,
        )
        sealed = seal(task, OPERATOR, "operator")
        self.write(TOPICS.registry, sealed, "task/credit")
        return sealed

    def measured(self) -> list[Promotion]:
        made = self.write(TOPICS.variants, seal(a_variant(), AGGREGATOR, "aggregator"))
        return made + self.write(TOPICS.measurements, seal(a_measurement(), AGGREGATOR, "aggregator"))

    def sign(self, operator: str, step: str = "PROMOTE", promotion: int = 1, *, heard: bool = True) -> list[Promotion]:
        return self.write(TOPICS.operator_acts, an_act(operator, step, promotion), heard=heard)


def an_act(operator: str, step: str = "PROMOTE", promotion: int = 1, key: SigningKey | None = None) -> bytes:
    act = OperatorAct(
        task="credit",
        promotion=promotion,
        artefact_sha256=ARTEFACT,
        step=OperatorStep(step),
        operator=operator,
        reason="seen",
        created_ms=1,
    )
    return seal(act, key or OPERATORS[operator], operator)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    return Stage(monkeypatch, tmp_path)


def names(decisions: list[Promotion]) -> list[str]:
    return [decision.decision.value for decision in decisions]


def test_what_strangers_write_keeps_no_operator_from_being_heard_after_a_restart(stage: Stage) -> None:
    stage.register(a_spec(2), 0)
    forged = an_act("north", key=SigningKey.from_seed(bytes(32)))
    for number in range(150):
        stage.write(TOPICS.operator_acts, forged if number % 2 else b"junk")
    assert names(stage.measured()) == ["AWAITING"]
    assert stage.sign("north") == []
    stage.restart()
    assert names(stage.sign("south")) == ["PROMOTED"]


def test_an_act_that_was_written_while_no_job_ran_is_acted_upon_when_one_starts(stage: Stage) -> None:
    stage.register(a_spec(0), 0)
    assert names(stage.measured()) == ["PROMOTED"]
    stage.sign("north", "HOLD", heard=False)
    stage.restart()
    assert names(stage.measured()) == ["HELD"]


def test_a_copy_of_former_terms_lets_no_removed_operator_act_again(stage: Stage) -> None:
    former = stage.register(a_spec(1), 0)
    stage.measured()
    stage.register(a_spec(1, {"south": KEYS["south"]}), 1)
    for again in range(2):
        stage.write(TOPICS.registry, former, "task/credit")
        assert stage.sign("north", promotion=2) == []
        if not again:
            stage.restart()
    assert [signed.signers for signed in stage.sign("south", promotion=2)] == [("south",)]


def test_a_tasks_tombstone_takes_nobodys_terms_away(stage: Stage) -> None:
    stage.register(a_spec(1), 0)
    stage.measured()
    stage.write(TOPICS.registry, b"", "task/credit", heard=False)
    stage.restart()
    assert names(stage.sign("north")) == ["PROMOTED"]
