"""The topics of a federation as lists, from which aggregation recovers in the tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.records import AcceptedUpdate, Decision, ModelManifest, Outcome, Reason, Receipt, Round, Task, Verdict
from pipelines.aggregation.rounds import task_life
from pipelines.aggregation.rounds.recovery import Recovery
from pipelines.flink.frames import SourceRecord

OPERATOR, REGISTRAR, AGGREGATOR = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2, 3))


class CommittedLog:
    """What stands committed. Broker times count up from `now_ms`."""

    def __init__(self) -> None:
        self.now_ms = 1_000
        self.records: defaultdict[str, list[SourceRecord]] = defaultdict(list)
        self.receipts: list[Receipt] = []
        self.verdicts: list[Verdict] = []

    def write(self, topic: str, key: str, value: bytes) -> None:
        found = self.records[topic]
        self.now_ms += 1
        found.append(SourceRecord(0, len(found), self.now_ms, key.encode(), value))

    def register(self, task: Task, key: SigningKey = OPERATOR) -> None:
        self.write("registry", f"task/{task.task}", seal(task, key, "operator"))

    def announce(self, round_: Round, key: SigningKey = AGGREGATOR) -> None:
        self.write("rounds", round_.task, seal(round_, key, "aggregator"))

    def publish(self, manifest: ModelManifest, key: SigningKey = AGGREGATOR) -> None:
        self.write("models", f"{manifest.task}/{manifest.version}", seal(manifest, key, "aggregator"))

    def perform(self, effects: Iterable[task_life.Effect]) -> None:
        """What the keeper writes of its effects."""
        for effect in effects:
            match effect:
                case task_life.Announce(round_):
                    self.announce(round_)
                case task_life.Publish(manifest, updates):
                    self.publish(manifest)
                    for update in updates:
                        self.answer(update, Outcome.INCLUDED)
                case task_life.GiveBack(updates):
                    for update in updates:
                        self.answer(update, Outcome.ROUND_FAILED)

    def accept(self, *updates: AcceptedUpdate) -> None:
        self.verdicts += map(a_verdict, updates)

    def answer(self, update: AcceptedUpdate, outcome: Outcome, **changes: Any) -> None:
        self.receipts.append(a_receipt(update, outcome, **changes))

    def recovery(self) -> Recovery:
        recovery = an_empty_recovery()
        recovery.take_registry(self.records["registry"])
        recovery.take_rounds(self.records["rounds"])
        recovery.take_models(self._since("models", recovery.models_since_ms))
        recovery.take_receipts(self.receipts)
        recovery.take_verdicts(self.verdicts)
        return recovery

    def _since(self, topic: str, since_ms: int | None) -> list[SourceRecord]:
        return [record for record in self.records[topic] if since_ms is not None and record.timestamp_ms >= since_ms]


def an_empty_recovery() -> Recovery:
    return Recovery(
        operator_key=OPERATOR.public_key,
        registrar_key=REGISTRAR.public_key,
        aggregator_key=AGGREGATOR.public_key,
        ends={},
    )


def a_verdict(update: AcceptedUpdate, **changes: Any) -> Verdict:
    values: dict[str, Any] = {
        "source_topic": "updates",
        "source_partition": update.source_partition,
        "source_offset": update.source_offset,
        "source_timestamp_ms": update.source_timestamp_ms,
        "record_sha256": update.record_sha256,
        "participant": update.participant,
        "task": update.task,
        "round": update.round,
        "attempt": update.attempt,
        "update_id": update.update_id,
        "decision": Decision.ACCEPT,
        "reason": Reason.ACCEPTED,
        "norm": 1.0,
        "max_abs": 1.0,
    }
    return Verdict(**{**values, **changes})


def a_receipt(update: AcceptedUpdate, outcome: Outcome, **changes: Any) -> Receipt:
    values: dict[str, Any] = {
        "task": update.task,
        "round": update.round,
        "attempt": update.attempt,
        "participant": update.participant,
        "update_id": update.update_id,
        "outcome": outcome,
        "version": 0,
        "weight": update.weight,
        "model_digest": b"",
    }
    return Receipt(**{**values, **changes})
