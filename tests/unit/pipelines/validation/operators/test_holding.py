"""A record that validation cannot handle has its verdict, too, and no other waits for it in vain."""

from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import patch

import pytest

from fluvial.wire.records import Decision, Failure
from governance.admission import gate
from pipelines.flink.bundles import Kind, pack_bundle
from pipelines.flink.frames import SourceRecord, source_frame
from pipelines.validation.operators import validate
from tests.unit.pipelines.validation.stage import LANE, ValidationStage, uploaded

FAILURE = Failure(operator="validate", submission="s", items=("3@0",), error="KeyError", traceback="", time_ms=1)
POISON = b"poison"


def test_a_record_in_hand_is_held_with_a_verdict() -> None:
    with ValidationStage() as stage:
        record = SourceRecord(3, 7, stage.now_ms, b"alice", POISON)
        stage.flink.key = LANE
        bundle = pack_bundle(Kind.SOURCE, [source_frame(record)])
        stage._take(list(stage.operator.set_aside(bundle, stage.flink, FAILURE)))
        assert stage.reasons() == {(3, 7): ["UNHANDLED"]}
        assert [verdict.decision for verdict in stage.verdicts] == [Decision.QUARANTINE]
        assert stage.quarantined == [], "its bytes are kept with the traceback, once"
        stage.settle()
        assert len(stage.verdicts) == 1


def test_a_record_that_waits_is_held_and_those_beside_it_go_on() -> None:
    with ValidationStage() as stage:
        (unheard,) = stage.send([uploaded(stage, 300, round=4)])
        (guilty,) = stage.send([uploaded(stage, 400, round=5)])
        with patch.object(validate.gate, "judge", _raising_on(stage, guilty)):
            stage.restart()  # what waits is looked at anew
            stage.flink.key = LANE
            with pytest.raises(KeyError):
                stage.operator.on_timer(stage.now_ms, stage.flink)
            stage.restart()
            stage._take(list(stage.operator.timer_set_aside(stage.now_ms, stage.flink, FAILURE)))
            assert stage.reasons() == {(3, guilty): ["UNHANDLED"]}
            stage.settle()
        assert stage.reasons() == {(3, guilty): ["UNHANDLED"], (3, unheard): ["ROUND_UNKNOWN"]}
        assert stage.flink.is_empty("parked")


def _raising_on(stage: ValidationStage, offset: int) -> Any:
    whole = gate.judge

    def judge(records: Sequence[tuple[bytes, gate.Source]], **views: Any) -> Iterator[gate.Judgement]:
        if any(source.offset == offset for _, source in records):
            raise KeyError("what it cannot stand")
        return whole(records, **views)

    return judge
