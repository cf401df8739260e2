"""What earlier workers answered, read from the log as far back as it is needed."""

from __future__ import annotations

import numpy as np

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.records import InferenceAnswer, InferenceResults, InferenceStatus
from pipelines.flink.frames import SourceRecord
from pipelines.inference.answered import REMEMBERED_MS, Answered
from pipelines.inference.logic import Asked
from tests.unit.pipelines.inference.test_logic import a_request

KEY, OTHER = (SigningKey.from_seed(bytes([number]) * 32) for number in (8, 9))


def asked(name: str, arrived_ms: int) -> Asked:
    return Asked(request=a_request(np.zeros((1, 3)), name), arrived_ms=arrived_ms)


class Log:
    """Results at broker times; remembers from where it was read."""

    def __init__(self) -> None:
        self.records: list[SourceRecord] = []
        self.read_since: list[int] = []

    def answer(self, names: list[str], at_ms: int, key: SigningKey = KEY, caller: str = "anna") -> None:
        answers = tuple(
            InferenceAnswer(
                caller=caller, request_id=name, status=InferenceStatus.ANSWERED, reason="", shape=(1,), outputs=b"1234"
            )
            for name in names
        )
        results = InferenceResults(
            task="credit",
            promotion=1,
            version=1,
            variant="v",
            artefact_sha256=bytes(32),
            answers=answers,
            answered_ms=at_ms,
            worker="0",
        )
        self.records.append(SourceRecord(0, len(self.records), at_ms, b"", seal(results, key, "aggregator")))

    def read(self, since_ms: int) -> list[SourceRecord]:
        self.read_since.append(since_ms)
        return [record for record in self.records if record.timestamp_ms >= since_ms]


def names(found: list[Asked]) -> list[str]:
    return [one.request.request_id for one in found]


def test_what_was_answered_is_not_answered_again() -> None:
    log = Log()
    log.answer(["a", "b"], 120)
    known = Answered(log.read, KEY.public_key)
    assert names(known.unanswered([asked("a", 100), asked("c", 110)])) == ["c"]


def test_the_log_is_read_once_while_nothing_older_comes() -> None:
    log = Log()
    known = Answered(log.read, KEY.public_key)
    known.unanswered([asked("a", 100)])
    known.unanswered([asked("b", 100), asked("c", 300)])
    assert log.read_since == [100]


def test_an_older_request_has_the_log_read_further_back() -> None:
    log = Log()
    log.answer(["old"], 60)
    known = Answered(log.read, KEY.public_key)
    assert names(known.unanswered([asked("new", 100)])) == ["new"]
    assert names(known.unanswered([asked("old", 50)])) == []
    assert log.read_since == [100, 50]


def test_nothing_is_read_before_somebody_asks() -> None:
    log = Log()
    assert Answered(log.read, KEY.public_key).unanswered([]) == []
    assert log.read_since == []


def test_an_answer_that_the_federation_did_not_sign_is_none() -> None:
    log = Log()
    log.answer(["a"], 120, key=OTHER)
    log.records.append(SourceRecord(0, 9, 130, b"", b"junk"))
    assert names(Answered(log.read, KEY.public_key).unanswered([asked("a", 100)])) == ["a"]


def test_ids_are_each_callers_own() -> None:
    log = Log()
    log.answer(["a"], 120, caller="berta")
    assert names(Answered(log.read, KEY.public_key).unanswered([asked("a", 100)])) == ["a"]


def test_a_copy_of_a_request_is_not_answered_again_while_its_deadline_may_lie_ahead() -> None:
    known = Answered(Log().read, KEY.public_key)
    (first,) = known.unanswered([asked("a", 100), asked("a", 100)])
    known.remember([first], 1_000)
    assert names(known.unanswered([asked("a", 200), asked("b", 200)])) == ["b"]
    known.remember([asked("b", 200)], 1_001 + REMEMBERED_MS)
    assert names(known.unanswered([asked("a", 300), asked("b", 300)])) == []
    known.remember([asked("c", 300)], 1_002 + 2 * REMEMBERED_MS)
    assert names(known.unanswered([asked("a", 400), asked("b", 400), asked("c", 400)])) == ["a"]
