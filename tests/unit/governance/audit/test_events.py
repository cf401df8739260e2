"""Events have ids that are functions of their cause, unlike for unlike causes, and hold their record's bytes."""

from dataclasses import replace

import pytest

from fluvial.transparency.event import EVENT_TYPES, RECORD_TYPES, Recorded, event_id
from fluvial.wire.framing import decode, encode
from fluvial.wire.records import (
    AuditEvent,
    Decision,
    DeviceProfile,
    Metric,
    Outcome,
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
    SetAside,
    Variant,
    Verdict,
)
from governance.audit.cloud_events import headers
from governance.audit.events import MAX_DATA_BYTES, audit_event, verdict_event

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
    created_ms=0,
)
SET_ASIDE = SetAside(operator="validate", item="3@17", item_sha256=b"\xab" * 32, error="KeyError")
EXPECTED: list[tuple[Recorded, str, str, str]] = [
    (VERDICT, "verdict/fluvial.updates/3/17", "/validation", "anna"),
    (ROUND, "round/digits/2/1/CLOSED", "/aggregation", "digits"),
    (MODEL, "model/digits/2", "/aggregation", "digits"),
    (PARTICIPANT, f"participant/anna/{'ab' * 32}/ACTIVE", "/validation", "anna"),
    (RECEIPT, "receipt/anna/digits/2/1/u", "/aggregation", "anna"),
    (RELEASE, "release/digits/2", "/evaluation", "digits"),
    (VARIANT, "variant/credit/8/int8", "/acceleration", "credit"),
    (PROMOTION, "promotion/credit/3", "/promotion", "credit"),
    (SET_ASIDE, f"set-aside/validate/3@17/{'ab' * 32}", "/jobs", "validate"),
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
    named = dict(headers(verdict_event(VERDICT)))
    assert named == {
        "content-type": b"application/vnd.fluvial.sequenced-event.v1+avro",
        "ce_specversion": b"1.0",
        "ce_id": b"verdict/fluvial.updates/3/17",
        "ce_source": b"/validation",
        "ce_type": b"org.fluvial.verdict.v1",
        "ce_subject": b"anna",
        "ce_time": b"2023-11-14T22:13:20.123Z",
    }
