"""Enrol over dict-backed state: one verdict for every request, whatever it waits for, at a bounded price."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from fluvial.identity.envelope import seal, unseal
from fluvial.identity.keys import SigningKey
from fluvial.registry.records import RegistryRecord, registry_key
from fluvial.wire.framing import decode
from fluvial.wire.records import EnrolmentRequest, EnrolmentToken, Participant, Verdict
from governance.registry import enrolment
from pipelines.flink.bundles import Kind, pack_bundle
from pipelines.flink.frames import SourceRecord, source_frame
from pipelines.flink.messages import pack
from pipelines.validation.operators import enrol, trusted_records
from tests.unit.governance.admission.builders import DEVICE, KEY, NOW_MS, OTHER_KEY
from tests.unit.pipelines.flink_state import FlinkState
from tests.unit.pipelines.validation.stage import (
    LANE,
    OPERATOR,
    REGISTRAR,
    SETTINGS,
    parse_bundle,
    parse_sink,
)

TOKEN = "a-token"


class Enrolling:
    """Enrol with one lane, and the registry that it reads and writes."""

    def __init__(self, keys_dir: Path, clock: SimpleNamespace) -> None:
        REGISTRAR.save(keys_dir / "registrar.pem")
        self.settings = SETTINGS.model_copy(update={"keys_dir": keys_dir})
        self.flink = FlinkState()
        self.clock = clock
        self.verdicts: list[Verdict] = []
        self.registered: list[tuple[bytes, bytes]] = []
        self._offset = 0
        self.restart()

    def restart(self) -> None:
        self.operator = enrol.Enrol(self.settings)
        self.operator.open(self.flink)

    def register(self, record: RegistryRecord, key: SigningKey = OPERATOR) -> None:
        self.broadcast(registry_key(record).encode(), seal(record, key, "operator"))

    def broadcast(self, key: bytes, raw: bytes) -> None:
        frame = source_frame(SourceRecord(0, 0, self.clock.now_ms, key, raw))
        self.flink.broadcast(self.operator, pack("", "registry", [frame]))

    def come_back(self) -> None:
        """What was written to the registry is read from it."""
        for key, raw in self.registered:
            self.broadcast(key, raw)
        self.registered.clear()

    def send(self, raws: list[bytes], key: bytes = b"alice") -> None:
        frames = []
        for raw in raws:
            frames.append(source_frame(SourceRecord(0, self._offset, self.clock.now_ms, key, raw)))
            self._offset += 1
        self._take(self.flink.call(self.operator, LANE, pack_bundle(Kind.SOURCE, frames)))

    def settle(self) -> None:
        while (at_ms := self.flink.next_timer()) is not None:
            self.clock.now_ms = max(self.clock.now_ms, at_ms)
            self._take(self.flink.fire(self.operator, self.clock.now_ms))

    def reasons(self) -> list[str]:
        return [verdict.reason.value for verdict in self.verdicts]

    def _take(self, bundles: list[bytes]) -> None:
        for bundle in bundles:
            for topic, value in map(parse_sink, parse_bundle(bundle)[1]):
                if topic == SETTINGS.topics.verdicts:
                    self.verdicts.append(decode(value, Verdict))
                elif topic == SETTINGS.topics.registry:
                    participant = unseal(value, Participant, REGISTRAR.public_key)
                    self.registered.append((registry_key(participant).encode(), value))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Enrolling]:
    clock = SimpleNamespace(now_ms=NOW_MS)
    with (
        patch.object(enrol, "now_ms", lambda: clock.now_ms),
        patch.object(trusted_records, "now_ms", lambda: clock.now_ms),
    ):
        yield Enrolling(tmp_path, clock)


def a_token(token: str = TOKEN, **changes: Any) -> EnrolmentToken:
    values = {"token_sha256": sha256(token.encode()).digest(), "participant": "alice", "expires_ms": 1 << 50}
    return EnrolmentToken(**{**values, **changes})


def a_request(key: SigningKey = KEY, token: str = TOKEN, **changes: Any) -> bytes:
    values: dict[str, Any] = {
        "participant": "alice",
        "public_key": key.public_key,
        "token": token,
        "agreements": (),
        "device": DEVICE,
        "requested_ms": 0,
    }
    return seal(EnrolmentRequest(**{**values, **changes}), key, "alice")


def test_a_token_enrols_its_participant_once(stage: Enrolling) -> None:
    stage.register(a_token())
    stage.send([a_request(), a_request(OTHER_KEY)])
    assert stage.reasons() == ["ACCEPTED"]
    stage.settle()
    assert stage.reasons() == ["ACCEPTED", "TOKEN_INVALID"]
    assert stage.flink.is_empty("parked")


def test_a_request_waits_for_its_token(stage: Enrolling) -> None:
    stage.send([a_request()])
    assert stage.verdicts == []
    stage.restart()
    stage.register(a_token())
    stage.settle()
    assert stage.reasons() == ["ACCEPTED"]


def test_many_requests_that_nobody_knows_cost_few_judgements(stage: Enrolling) -> None:
    """64 requests of 200 bytes were judged 120,864 times in the three seconds that they may wait."""
    raws = [a_request(token=f"none-{number}") for number in range(64)]
    with patch.object(enrol, "judge_enrolment", wraps=enrolment.judge_enrolment) as judged:
        for raw in raws:
            stage.clock.now_ms += 1
            stage.send([raw])
            assert stage.flink.num_timers() <= 2
        for number in range(10):
            stage.register(a_token(f"other-{number}", participant="bob"))
        stage.settle()
    assert stage.reasons() == ["TOKEN_INVALID"] * 64
    assert judged.call_count <= 3 * 64
