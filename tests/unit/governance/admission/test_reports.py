"""The gate of participants' measurements: exactly one judgement, whatever comes."""

import json
from dataclasses import dataclass, field, replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.admission.judgement import Parked, Refused, Source
from fluvial.admission.report import MAX_CLASSES, MAX_REPORT_BYTES
from fluvial.identity.envelope import seal
from fluvial.wire.records import Decision, GroupCounts, MetricDrop, ParticipantStatus, Reason, Task
from governance.admission.reports import Admitted, ReportsSeen, judge_report, subject_of
from tests.unit.governance.admission.builders import KEY, NOW_MS, OTHER_KEY, TERMS, TERMS_SHA256, a_participant
from tests.unit.pipelines.inference.test_serving import SPECIFICATION
from tests.unit.pipelines.promotion.builders import ARTEFACT, SPEC, a_measurement, counts

VARIANTS = [{"name": "int8", "recipe": "int8_static"}, {"name": "onnx", "recipe": "onnx_fp32"}]
ASKING = {**SPEC.model_dump(mode="json"), "variants": VARIANTS, "participants_measure": True}
AGREEMENT = {"name": "terms", "text": "Be good."}
ASKED = {**SPECIFICATION, "agreement": AGREEMENT, "acceleration": ASKING}
DROP = MetricDrop(metric="auc", group="all", num_examples=500, value=0.5, drop=0.1, bound=0.2, p_value=1.0)
ROWS = (counts("agreement", "all", 500, 3), counts("agreement", "sex:women", 240, 1))


@dataclass
class Known:
    """Registry and variants."""

    specification: dict = field(default_factory=lambda: ASKED)
    participants: dict = field(default_factory=lambda: {"alice": a_participant()})
    artefacts: dict = field(default_factory=lambda: {("credit", 8, "int8"): ARTEFACT})

    def participant(self, name):
        return self.participants.get(name)

    def agreement(self, name):
        return TERMS if name == "terms" else None

    def agreement_sha(self, name):
        return TERMS_SHA256 if name == "terms" else None

    def artefact(self, task, version, variant):
        return self.artefacts.get((task, version, variant))

    def task(self, name):
        if name != "credit":
            return None
        return Task(
            task="credit",
            specification=json.dumps(self.specification),
            layout=(),
            base_version=0,
            base_digest=bytes(32),
            base_chunks=(),
            created_ms=1,
        )


def a_report(rows=ROWS, **changes):
    fields = {"measurer": "alice", "data": "own", "data_sha256": b"", "num_examples": 500, **changes}
    return a_measurement(rows, **fields)


def judged(report, known=None, seen=None, key=KEY, raw=None, kafka_key=b"alice"):
    source = Source(topic="reports", partition=0, offset=7, timestamp_ms=NOW_MS, key=kafka_key)
    raw = raw if raw is not None else seal(report, key, "alice")
    return judge_report(raw, source, registry=known or Known(), seen=seen or ReportsSeen())


def test_what_a_participant_measured_is_admitted():
    judgement = judged(a_report())
    assert isinstance(judgement, Admitted)
    verdict = judgement.verdict
    assert (verdict.decision, verdict.reason) == (Decision.ACCEPT, Reason.ACCEPTED)
    assert subject_of(verdict) == ("alice", "credit", 8, "int8/AVX2")


def test_there_is_one_measurement_of_a_participant_variant_and_class_of_processors():
    seen = ReportsSeen()
    first = judged(a_report())
    seen.accept(subject_of(first.verdict), first.verdict.record_sha256)
    assert judged(a_report(), seen=seen).verdict.reason is Reason.DUPLICATE_IGNORED
    assert judged(a_report(measured_ms=6), seen=seen).verdict.reason is Reason.EQUIVOCATION
    on_arm = judged(a_report(measured_ms=6, processor="NEON"), seen=seen)
    assert isinstance(on_arm, Admitted)
    assert subject_of(on_arm.verdict) == ("alice", "credit", 8, "int8/NEON")
    other = judged(a_report(version=9), Known(artefacts={("credit", 9, "int8"): ARTEFACT}), seen)
    assert isinstance(other, Admitted)


def test_nobody_has_more_classes_of_processors_than_there_can_be_in_a_drawer():
    seen = ReportsSeen()
    for number in range(MAX_CLASSES):
        judgement = judged(a_report(processor=f"CUDA_{number + 1}_0"), seen=seen)
        assert isinstance(judgement, Admitted)
        for _ in range(2):  # of a subject that comes again the first stands
            seen.accept(subject_of(judgement.verdict), judgement.verdict.record_sha256)
    assert judged(a_report(), seen=seen).verdict.reason is Reason.EQUIVOCATION
    assert judged(a_report(processor="CUDA_1_0"), seen=seen).verdict.reason is Reason.DUPLICATE_IGNORED


def test_what_a_former_release_accepted_is_not_accepted_again_by_another_name():
    seen = ReportsSeen()
    seen.accept(("alice", "credit", 8, "int8"), judged(a_report()).verdict.record_sha256)
    assert judged(a_report(), seen=seen).verdict.reason is Reason.DUPLICATE_IGNORED


def test_a_class_of_processors_that_there_is_not_is_refused_and_named_nowhere():
    verdict = judged(a_report(processor="int8/AVX2")).verdict
    assert (verdict.reason, verdict.update_id) == (Reason.OUT_OF_RANGE, "int8")


@pytest.mark.parametrize(
    ("changes", "known", "reason", "waits"),
    [
        ({"task": "other"}, {}, Reason.TASK_UNKNOWN, True),
        ({}, {"specification": SPECIFICATION}, Reason.NOT_ASKED, False),
        ({}, {"specification": {"task": "credit"}}, Reason.NOT_ASKED, False),
        ({"variant": "low"}, {}, Reason.NOT_ASKED, False),
        ({}, {"artefacts": {}}, Reason.ARTEFACT_UNKNOWN, True),
        ({"artefact_sha256": bytes(32)}, {}, Reason.ARTEFACT_UNKNOWN, False),
        ({}, {"artefacts": {("credit", 8, "int8"): b""}}, Reason.ARTEFACT_UNKNOWN, False),
        ({"measurer": "bob"}, {}, Reason.PARTICIPANT_MISMATCH, False),
        ({"version": -1}, {}, Reason.DECODE, False),
        ({}, {"participants": {"alice": a_participant(agreements=())}}, Reason.AGREEMENT, True),
        ({}, {"participants": {"alice": a_participant(status=ParticipantStatus.REVOKED)}}, Reason.KEY_REVOKED, False),
        ({}, {"participants": {}}, Reason.KEY_UNKNOWN, True),
    ],
)
def test_what_was_not_asked_for_is_refused_or_waits(changes, known, reason, waits):
    judgement = judged(a_report(**changes), Known(**known))
    assert isinstance(judgement, Parked if waits else Refused)
    assert judgement.verdict.reason is reason


NAN = float("nan")


@pytest.mark.parametrize(
    "changes",
    [
        {"data": "gate"},
        {"data_sha256": bytes(32)},
        {"num_examples": 9},
        {"num_examples": 499},
        {"threads": 0},
        {"calls": 0},
        {"batch": 0},
        {"runtime": ""},
        {"runtime": "x" * 129},
        {"processor": "a\nb"},
        {"latency_p50_us": NAN},
        {"latency_p50_us": -1.0},
        {"latency_p50_us": 50.0},
        {"latency_p99_us": 45.0},
        {"throughput": float("inf")},
        {"joules": -1.0},
        {"peak_memory_bytes": -1},
        {"rows": ()},
        {"rows": ROWS[:1] * 2},
        {"rows": (counts("agreement", "all", 9),)},
        {"rows": (GroupCounts(metric="agreement", group="all", both=400, harmed=0, helped=1, neither=0),)},
        {"rows": (GroupCounts(metric="accuracy", group="all", both=600, harmed=-100, helped=0, neither=0),)},
        {"rows": (counts("f1", "all", 500),)},
        {"rows": (counts("recall", "all", 500),)},
        {"rows": (counts("agreement", "g" * 129, 500),)},
        {"rows": tuple(counts("agreement", f"a:{number}", 20) for number in range(501))},
        {
            "drops": (
                MetricDrop(metric="auc", group="all", num_examples=500, value=0.5, drop=0.1, bound=0.0, p_value=1),
            )
        },
        {"drops": (replace(DROP, bound=0.0),)},
        {"drops": (replace(DROP, value=NAN),)},
        {"drops": (replace(DROP, p_value=2.0),)},
    ],
)
def test_numbers_that_no_measurement_gives_are_refused(changes):
    assert judged(a_report(**changes)).verdict.reason is Reason.OUT_OF_RANGE


def test_signatures_of_others_and_names_of_others_are_refused():
    assert judged(a_report(), key=OTHER_KEY).verdict.reason is Reason.SIGNATURE
    assert judged(a_report(), kafka_key=b"bob").verdict.reason is Reason.PARTICIPANT_MISMATCH
    assert judged(None, raw=b"x" * (MAX_REPORT_BYTES + 1)).verdict.reason is Reason.SIZE_LIMIT


def test_another_signed_record_is_held_for_a_person():
    verdict = judged(TERMS).verdict
    assert (verdict.decision, verdict.reason) == (Decision.QUARANTINE, Reason.SCHEMA_UNKNOWN)


@given(st.binary(max_size=300))
def test_hostile_bytes_never_raise(raw):
    judgement = judged(None, raw=raw)
    assert judgement.verdict.decision in (Decision.REJECT, Decision.QUARANTINE)
    assert judgement.verdict.record_sha256 == sha256(raw).digest()


@given(st.data())
def test_cut_and_changed_records_never_raise_and_are_never_admitted(data):
    raw = bytearray(seal(a_report(), KEY, "alice"))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    judgement = judged(None, raw=bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    assert not isinstance(judgement, Admitted)


def test_a_verdict_keeps_the_names_of_what_was_refused():
    verdict = judged(replace(a_report(), artefact_sha256=bytes(32))).verdict
    assert (verdict.task, verdict.round, verdict.update_id) == ("credit", 8, "int8/AVX2")
