"""Events have ids that are functions of their cause, unlike for unlike causes, and hold their record's bytes."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.base import Format
from hypothesis import given
from hypothesis import strategies as st

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.transparency.event import (
    EVENT_TYPES,
    RECORD_TYPES,
    SIGNED_PARTICIPANT,
    Recorded,
    event_id,
    read_event,
    subject,
)
from fluvial.wire.errors import DecodeError
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import (
    AuditEvent,
    Decision,
    DeviceProfile,
    InferenceSummary,
    InputGap,
    Lease,
    LeaseCause,
    Metric,
    Outcome,
    OverRate,
    Participant,
    ParticipantStatus,
    Promotion,
    PromotionDecision,
    PublishedModel,
    Reason,
    Receipt,
    Release,
    RoundEvent,
    RoundTransition,
    Run,
    SetAside,
    Variant,
    Verdict,
)
from governance.audit.cloud_events import attributes, headers
from governance.audit.events import (
    MAX_DATA_BYTES,
    MAX_TIME_MS,
    EventRefused,
    audit_event,
    encoded_event,
    open_event,
    participant_event,
    verdict_event,
)

VERDICT = Verdict(
    source_topic="fluvial.updates",
    source_partition=3,
    source_offset=17,
    source_timestamp_ms=1_700_000_000_123,
    record_sha256=bytes(32),
    participant="anna",
    task="digits",
    round=2,
    attempt=1,
    update_id="u",
    decision=Decision.ACCEPT,
    reason=Reason.ACCEPTED,
    norm=1.0,
    max_abs=0.5,
)
ROUND = RoundEvent(task="digits", round=2, attempt=1, transition=RoundTransition.CLOSED, num_updates=4, base_version=1)
MODEL = PublishedModel(
    task="digits",
    version=2,
    round=2,
    attempt=1,
    model_digest=bytes(32),
    manifest_sha256=bytes(32),
    num_selected=3,
    num_contributions=4,
)
PARTICIPANT = Participant(
    participant="anna",
    public_key=bytes(32),
    status=ParticipantStatus.ACTIVE,
    agreements=(),
    device=DeviceProfile(platform="", machine="", memory_bytes=0, accelerator="", network=""),
    enrolled_ms=0,
    request_sha256=b"\xab" * 32,
)
RECEIPT = Receipt(
    task="digits",
    round=2,
    attempt=1,
    participant="anna",
    update_id="u",
    outcome=Outcome.INCLUDED,
    version=2,
    weight=10,
    model_digest=bytes(32),
)
RELEASE = Release(
    task="digits",
    version=2,
    model_digest=bytes(32),
    metrics=(Metric(name="accuracy", value=0.97),),
    num_examples=100,
    device="cpu",
    duration_ms=12,
)
VARIANT = Variant(
    task="credit",
    version=8,
    model_digest=bytes(32),
    name="int8",
    recipe="{}",
    builders="{}",
    calibration_sha256=bytes(32),
    artefact_sha256=bytes(32),
    artefact_bytes=0,
    deterministic=True,
    chunks=(),
    failure="no chain of layers",
    created_ms=0,
)
PROMOTION = Promotion(
    task="credit",
    sequence=3,
    version=8,
    model_digest=bytes(32),
    variant="int8",
    artefact_sha256=bytes(32),
    runtime="onnxruntime 1.32.0",
    processor="AVX2",
    decision=PromotionDecision.HELD,
    reason="held: int8 loses 7.9 points of recall",
    policy_sha256=bytes(32),
    measurements=(bytes(32),),
    findings=(),
    gate_uses=3,
    signers=(),
    acts=(),
    created_ms=0,
)
SET_ASIDE = SetAside(operator="validate", item="3@17", item_sha256=b"\xab" * 32, error="KeyError")
MINUTE = InferenceSummary(
    task="credit",
    worker="0",
    minute_ms=60_000,
    promotion=3,
    version=8,
    variant="int8",
    requests=10,
    examples=80,
    refused=1,
    p50_us=19_000.0,
    p95_us=40_000.0,
    p99_us=60_000.0,
    root=bytes(32),
    results=4,
)
INPUT_GAP = InputGap(topic="fluvial.updates", partition=2, first=5, end=9)
LEASE = Lease(
    epoch=7,
    stages=("audit",),
    job="federation",
    host="host",
    pid=0,
    process_started_ms=0,
    cause=LeaseCause.TRANSACTION_LOST,
    taken_ms=4,
)
OVER_RATE = OverRate(
    source_topic="fluvial.updates",
    source_partition=3,
    first=17,
    source_timestamp_ms=4,
    participant="anna",
    runs=(Run(skipped=0, length=2), Run(skipped=3, length=1)),
    records_sha256=b"\xab" * 32,
)
EXPECTED: list[tuple[Recorded, str, str, str]] = [
    (VERDICT, "verdict/fluvial.updates/3/17", "/validation", "anna"),
    (ROUND, "round/digits/2/1/CLOSED", "/aggregation", "digits"),
    (MODEL, "model/digits/2", "/aggregation", "digits"),
    (PARTICIPANT, f"participant/anna/{'ab' * 32}/ACTIVE", "/validation", "anna"),
    (RECEIPT, "receipt/anna/digits/2/1/u", "/aggregation", "anna"),
    (RELEASE, "release/digits/2", "/evaluation", "digits"),
    (VARIANT, "variant/credit/8/int8", "/acceleration", "credit"),
    (PROMOTION, "promotion/credit/3", "/promotion", "credit"),
    (MINUTE, "inference/credit/0/60000", "/inference", "credit"),
    (SET_ASIDE, f"set-aside/validate/3@17/{'ab' * 32}", "/jobs", "validate"),
    (INPUT_GAP, "input-gap/fluvial.updates/2/5/9", "/validation", "fluvial.updates"),
    (LEASE, "lease/7", "/jobs", "federation"),
    (OVER_RATE, "over-rate/fluvial.updates/3/17", "/validation", "anna"),
]


@pytest.mark.parametrize(("record", "identity", "source", "subject"), EXPECTED, ids=lambda value: type(value).__name__)
def test_each_record_has_its_event(record: Recorded, identity: str, source: str, subject: str) -> None:
    event = audit_event(record, 5)
    assert (event.id, event.source, event.subject, event.time_ms) == (identity, source, subject, 5)
    assert decode(event.data, RECORD_TYPES[event.type]) == record
    assert decode(encode(event), AuditEvent) == event


def test_every_recorded_type_is_tested_and_named_apart() -> None:
    assert {type(record) for record, *_ in EXPECTED} == EVENT_TYPES.keys()
    assert len(RECORD_TYPES) == len(EVENT_TYPES)


def test_a_verdict_happened_when_its_record_arrived() -> None:
    assert verdict_event(VERDICT).time_ms == VERDICT.source_timestamp_ms


def test_ids_depend_on_the_cause_alone() -> None:
    assert event_id(replace(VERDICT, decision=Decision.REJECT, participant="ben")) == event_id(VERDICT)
    assert event_id(replace(VERDICT, source_offset=18)) != event_id(VERDICT)
    assert event_id(replace(PARTICIPANT, status=ParticipantStatus.REVOKED)) != event_id(PARTICIPANT)


def test_names_with_separators_do_not_collide() -> None:
    ids = [
        event_id(replace(RECEIPT, participant=participant, task=task))
        for participant, task in (("a/b", "c"), ("a", "b/c"), ("a%2Fb", "c"), ("a%252Fb", "c"))
    ]
    assert len(set(ids)) == len(ids)


def test_a_record_too_large_for_an_event_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        audit_event(replace(VERDICT, update_id="x" * MAX_DATA_BYTES), 0)


def test_attributes_of_the_event_become_headers() -> None:
    named = dict(headers(attributes(verdict_event(VERDICT))))
    assert named == {
        "content-type": b"application/vnd.fluvial.sequenced-event.v1+avro",
        "ce_specversion": b"1.0",
        "ce_id": b"verdict/fluvial.updates/3/17",
        "ce_source": b"/validation",
        "ce_type": b"org.fluvial.verdict.v1",
        "ce_subject": b"anna",
        "ce_time": b"2023-11-14T22:13:20.123Z",
    }


class AsItIs(Format):
    """For the SDK: the leaf is the data, in Avro."""

    def read_data(self, body: bytes, datacontenttype: str | None) -> bytes:
        return body

    def write_data(self, data: Any, datacontenttype: str | None) -> bytes:
        raise NotImplementedError

    def read(self, event_factory: Any, data: str | bytes) -> Any:
        raise NotImplementedError

    def write(self, event: Any) -> bytes:
        raise NotImplementedError

    def get_content_type(self) -> str:
        raise NotImplementedError


def nameless(record: Recorded) -> Recorded:
    """The record as it is told of a sender that claims no valid name, or of a task without one."""
    return replace(record, **{name: "" for name in ("participant", "task") if hasattr(record, name)})


@pytest.mark.parametrize("time_ms", [0, 1_700_000_000_123, MAX_TIME_MS])
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("record", [record for record, *_ in EXPECTED], ids=lambda record: type(record).__name__)
def test_a_leaf_is_a_cloud_event(record: Recorded, named: bool, time_ms: int) -> None:
    """As the SDK of CloudEvents reads the Kafka binding's binary mode, for all types of events."""
    recorded = record if named else nameless(record)
    event = audit_event(recorded, time_ms)
    message = KafkaMessage(headers=dict(headers(attributes(event))), key=None, value=b"leaf")
    read = from_binary(message, AsItIs())
    assert (read.get_id(), read.get_source(), read.get_type()) == (event.id, event.source, event.type)
    assert read.get_subject() == (subject(recorded) or None)
    assert read.get_data() == b"leaf"
    time = read.get_time()
    assert time is not None
    assert (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == time_ms


@pytest.mark.parametrize("record", [record for record, *_ in EXPECTED], ids=lambda record: type(record).__name__)
def test_an_event_that_a_stage_wrote_is_opened(record: Recorded) -> None:
    for one in (record, nameless(record)):
        event = audit_event(one, 1_700_000_000_000)
        assert open_event(encode(event)) == event


@pytest.mark.parametrize("time_ms", [0, 1_700_000_000_123, -1, 1 << 62])
@pytest.mark.parametrize("record", [record for record, *_ in EXPECTED], ids=lambda record: type(record).__name__)
def test_an_event_written_at_once_has_the_bytes_of_the_event(record: Recorded, time_ms: int) -> None:
    for one in (record, nameless(record)):
        event = audit_event(one, time_ms)
        assert encoded_event(one, time_ms) == encoded_event(one, time_ms, encode(one)) == (event.id, encode(event))


def test_an_event_too_large_is_not_written_at_once_either() -> None:
    with pytest.raises(ValueError, match="does not fit an audit event"):
        encoded_event(replace(VERDICT, update_id="x" * MAX_DATA_BYTES), 0)
    with pytest.raises(ValueError, match="64-bit"):
        encoded_event(VERDICT, 1 << 63)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"id": "verdict/fluvial.updates/3/18"}, "it is called verdict/fluvial.updates/3/18, its data verdict/"),
        ({"source": "/aggregation"}, "it is called"),
        ({"subject": ""}, "it is called"),
        ({"type": "org.fluvial.round.v1"}, "a Verdict where a RoundEvent is expected"),
        ({"type": "x"}, "unknown type"),
        ({"time_ms": -1}, "its time is -1 ms"),
        ({"time_ms": MAX_TIME_MS + 1}, "its time is"),
        ({"time_ms": 1 << 62}, "its time is"),
        ({"data": b""}, "no Avro single-object header"),
        ({"data": bytes(MAX_DATA_BYTES)}, "no Avro"),
    ],
)
def test_what_no_stage_writes_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(EventRefused, match=why):
        open_event(encode(replace(verdict_event(VERDICT), **changes)))


def test_a_record_larger_than_an_event_may_hold_is_refused() -> None:
    large = replace(VERDICT, update_id="x" * MAX_DATA_BYTES)
    event = replace(verdict_event(VERDICT), id=event_id(large), data=encode(large))
    with pytest.raises(EventRefused, match="does not fit"):
        open_event(encode(event))


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused_or_opened(value: bytes) -> None:
    """Nothing that anybody sends raises anything else."""
    genuine = encode(verdict_event(VERDICT))
    for mutated in (value, genuine[: len(value)] + value, genuine + value):
        with contextlib.suppress(EventRefused):
            open_event(mutated)


# A participant's event carries the signature of the registry's record.


def test_the_event_of_a_participant_holds_the_record_that_was_signed() -> None:
    sealed = seal(PARTICIPANT, SigningKey.from_seed(b"r" * 32), "registrar")
    event = participant_event(sealed, 5)
    assert event == replace(audit_event(PARTICIPANT, 5, sealed), type=SIGNED_PARTICIPANT)
    assert (event.data, event.id) == (sealed, event_id(PARTICIPANT))
    assert open_event(encode(event)) == event
    assert read_event(event) == PARTICIPANT
    with pytest.raises(EventRefused, match="it is called"):
        open_event(encode(replace(event, id="participant/other")))
    with pytest.raises(EventRefused):
        open_event(encode(replace(event, data=encode(PARTICIPANT))))
    with pytest.raises(DecodeError, match="not of a Participant"):
        participant_event(seal(VERDICT, SigningKey.from_seed(b"r" * 32), "registrar"), 5)
