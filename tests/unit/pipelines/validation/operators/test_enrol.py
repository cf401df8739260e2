"""Enrol over dict-backed state: one verdict for every request, whatever it waits for, at a bounded price."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from fluvial.identity.envelope import open_envelope, seal, unseal
from fluvial.identity.keys import SigningKey
from fluvial.registry.records import RegistryRecord, is_spent, registry_key
from fluvial.wire.framing import decode
from fluvial.wire.media_types import media_type
from fluvial.wire.records import (
    EnrolmentRequest,
    EnrolmentToken,
    Participant,
    ParticipantStatus,
    SignedAgreement,
    Verdict,
)
from fluvial.wire.tally import Tally
from governance.registry import enrolment
from pipelines.flink.bundles import Kind, pack_bundle
from pipelines.flink.frames import SourceRecord, source_frame
from pipelines.flink.messages import pack
from pipelines.validation import process
from pipelines.validation.known import CommittedRecords, apply, known
from pipelines.validation.operators import enrol, judging
from pipelines.validation.trusted_records import TrustedRecords
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
DIGEST = sha256(TOKEN.encode()).digest()


class Enrolling:
    """Enrol with one lane, and the registry that it reads and writes."""

    def __init__(self, keys_dir: Path, clock: SimpleNamespace) -> None:
        REGISTRAR.save(keys_dir / "registrar.pem")
        self.settings = SETTINGS.model_copy(update={"keys_dir": keys_dir})
        self.flink = FlinkState()
        self.clock = clock
        self.verdicts: list[Verdict] = []
        self.catching_up: Any = SimpleNamespace(is_known=lambda at_ms: True)
        self.registered: list[SourceRecord] = []
        """What was written to the registry, and is not read from it yet."""
        self.topics: dict[str, list[SourceRecord]] = {"registry": [], "enrolments": [], "verdicts": []}

    def restart(self) -> None:
        """Another process, on the same state."""
        records = CommittedRecords(rounds=[], receipts=[], bounds={}, **self.topics)
        self.known = known(records, TrustedRecords.of(SETTINGS), SETTINGS.topics)
        self.operator = enrol.Enrol(self.settings)
        self.operator.open(self.flink)

    def start_anew(self) -> None:
        """Another submission, which has no state and reads all requests again."""
        self.flink = FlinkState()
        self.restart()
        self._deliver(self.topics["enrolments"])

    def register(self, record: RegistryRecord, key: SigningKey = OPERATOR) -> None:
        self.registered.append(self._record("registry", registry_key(record).encode(), seal(record, key, "operator")))
        self.come_back()

    def come_back(self) -> None:
        """What was written to the registry is read from it."""
        while self.registered:
            record = self.registered.pop(0)._replace(offset=len(self.topics["registry"]))
            self.topics["registry"].append(record)
            self._take(self.flink.broadcast(self.operator, pack("", "registry", [source_frame(record)])))

    def write(self, key: str, raw: bytes) -> None:
        """Whoever may write to the registry does."""
        self.registered.append(self._record("registry", key.encode(), raw))
        self.come_back()

    def compact(self) -> None:
        """Of each key the last record is left."""
        last = {record.key: record for record in self.topics["registry"]}
        self.topics["registry"] = [record for record in self.topics["registry"] if record is last[record.key]]

    def send(self, raws: list[bytes], key: bytes = b"alice") -> None:
        records = []
        for raw in raws:
            records.append(self._record("enrolments", key, raw))
            self.topics["enrolments"].append(records[-1])
        self._deliver(records)

    def _deliver(self, records: list[SourceRecord]) -> None:
        bundle = pack_bundle(Kind.SOURCE, [source_frame(record) for record in records])
        self._take(self.flink.call(self.operator, LANE, bundle))

    def _record(self, topic: str, key: bytes, raw: bytes) -> SourceRecord:
        return SourceRecord(0, len(self.topics[topic]), self.clock.now_ms, key, raw)

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
                    self.topics["verdicts"].append(self._record("verdicts", b"", value))
                elif topic == SETTINGS.topics.registry:
                    kind = (
                        Participant if media_type(Participant) == open_envelope(value).payload_type else EnrolmentToken
                    )
                    record = unseal(value, kind, REGISTRAR.public_key)
                    self.registered.append(self._record("registry", registry_key(record).encode(), value))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Enrolling]:
    clock = SimpleNamespace(now_ms=NOW_MS)
    enrolling = Enrolling(tmp_path, clock)
    with (
        patch.object(enrol, "now_ms", lambda: clock.now_ms),
        patch.object(judging, "now_ms", lambda: clock.now_ms),
        patch.object(
            process,
            "acquire",
            lambda settings, attempt: SimpleNamespace(known=enrolling.known, catching_up=enrolling.catching_up),
        ),
        patch.object(process, "release", lambda settings, attempt: None),
    ):
        enrolling.restart()
        yield enrolling


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


def test_tokens_are_in_no_checkpoint_however_many_there_are(stage: Enrolling) -> None:
    for number in range(100):
        stage.register(a_token(f"token {number}", participant=f"participant-{number}"))
    assert stage.flink.num_values() == 0


def test_a_token_enrols_its_participant_once(stage: Enrolling) -> None:
    stage.register(a_token())
    stage.send([a_request(), a_request(OTHER_KEY), a_request()])
    assert stage.reasons() == ["ACCEPTED", "TOKEN_INVALID", "DUPLICATE_IGNORED"]
    assert [record.key for record in stage.registered] == [b"participant/alice", b"token/" + DIGEST.hex().encode()]
    assert stage.flink.is_empty("parked")


def test_a_request_waits_for_its_token(stage: Enrolling) -> None:
    stage.send([a_request()])
    assert stage.verdicts == []
    stage.restart()
    stage.register(a_token())
    stage.settle()
    assert stage.reasons() == ["ACCEPTED"]


def test_a_token_that_the_registrys_source_brings_too_late_is_read_from_the_log(stage: Enrolling) -> None:
    """A slow machine: parked for its time, an honest request was refused for a token that stood in the log."""
    token = stage._record("registry", registry_key(a_token()).encode(), seal(a_token(), OPERATOR, "operator"))
    readings: list[int] = []

    def read_on(at_ms: int) -> bool:
        """The first time it begins to read, the second it is through."""
        readings.append(at_ms)
        if len(readings) == 2:
            apply(stage.known.trusted, "registry", token, Tally(logging.getLogger()))
        return len(readings) > 1

    stage.catching_up = stage.operator._process.catching_up = SimpleNamespace(is_known=read_on)
    stage.send([a_request()])
    stage.settle()
    assert stage.reasons() == ["ACCEPTED"]
    assert set(readings) == {NOW_MS}


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


def test_after_a_restart_what_was_signed_is_known_before_the_registry_shows_it(stage: Enrolling) -> None:
    stage.register(a_token())
    stage.send([a_request()])
    stage.restart()
    stage.send([a_request(OTHER_KEY), a_request()])
    assert stage.reasons() == ["ACCEPTED", "TOKEN_INVALID", "DUPLICATE_IGNORED"]


def test_what_was_signed_leaves_the_state_when_it_must_have_come(stage: Enrolling) -> None:
    for token in ("first", "second"):
        stage.register(a_token(token, participant="alice"))
    stage.send([a_request(token="first")])
    stage.come_back()
    assert not stage.flink.is_empty("signed")
    stage.clock.now_ms += 3_600_000
    stage.send([a_request(OTHER_KEY, token="second")])
    (signed,) = (cell for (name, _), cell in stage.flink.cells.items() if name == "signed")
    assert len(signed) == 2


def test_a_job_without_state_lets_nobody_in_with_a_token_that_was_used(stage: Enrolling) -> None:
    """The request of its owner is a duplicate then, and the token, which all could read, was good for anybody."""
    stage.register(a_token())
    stage.send([a_request(), a_request(OTHER_KEY)])
    stage.come_back()
    stage.start_anew()
    stage.send([a_request(OTHER_KEY, requested_ms=1)])
    stage.settle()
    assert stage.reasons() == ["ACCEPTED", "TOKEN_INVALID", "TOKEN_INVALID"]
    known = stage.known.trusted.participant("alice")
    assert known is not None
    assert known.public_key == KEY.public_key


def test_a_registry_of_former_times_learns_that_the_token_is_spent(stage: Enrolling) -> None:
    stage.register(a_token())
    stage.send([a_request()])
    stage.registered = stage.registered[:1]
    stage.come_back()
    stage.start_anew()
    assert [record.key for record in stage.registered] == [b"token/" + DIGEST.hex().encode()]
    stage.send([a_request(OTHER_KEY)])
    stage.settle()
    assert stage.reasons() == ["ACCEPTED", "TOKEN_INVALID"]


def test_a_token_that_was_shown_in_vain_stays_its_owners_without_state_too(stage: Enrolling) -> None:
    stage.register(a_token())
    unknown = SignedAgreement(agreement="none", sha256=bytes(32))
    stage.send([a_request(agreements=(unknown,))])
    stage.settle()
    stage.start_anew()
    stage.send([a_request(OTHER_KEY), a_request()])
    stage.settle()
    assert stage.reasons() == ["AGREEMENT", "TOKEN_INVALID", "ACCEPTED"]


def test_a_key_that_was_revoked_never_comes_back(stage: Enrolling) -> None:
    tokens = ("first", "second", "third")
    for token in tokens:
        stage.register(a_token(token))
    stage.send([a_request(token="first")])
    known = stage.known.trusted.participant("alice")
    assert known is not None
    stage.register(replace(known, status=ParticipantStatus.REVOKED, version=known.version + 1))
    stage.send([a_request(token="second"), a_request(OTHER_KEY, token="second"), a_request(token="third")])
    stage.settle()
    assert stage.reasons() == ["ACCEPTED", "KEY_REVOKED", "ACCEPTED", "KEY_REVOKED"]


FORGED = ("a former record", "junk", "a tombstone")


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("restarted", [False, True])
def test_what_is_in_force_outlives_compaction_whatever_was_written_behind_it(
    stage: Enrolling, forged: str, restarted: bool
) -> None:
    """Who may write to the registry writes behind a spent token and behind a revocation, and waits for a day."""
    stage.register(a_token())
    former = stage.topics["registry"][-1].value
    stage.send([a_request()])
    stage.come_back()
    written = {"a former record": former, "junk": b"junk", "a tombstone": b""}[forged]
    key = f"token/{DIGEST.hex()}"
    if restarted:  # it was written while no job ran
        stage.topics["registry"].append(
            SourceRecord(0, len(stage.topics["registry"]), stage.clock.now_ms, key.encode(), written)
        )
        stage.restart()
        stage.send([a_request(OTHER_KEY, "none")], b"mallory")
        stage.come_back()
    else:
        stage.write(key, written)
    stage.compact()
    registry = TrustedRecords.of(SETTINGS)
    for record in stage.topics["registry"]:
        apply(registry, "registry", record, Tally(logging.getLogger("test")))
    token = registry.token(DIGEST)
    assert token is not None
    assert is_spent(token)
