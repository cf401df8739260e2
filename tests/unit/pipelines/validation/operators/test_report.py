"""Report over dict-backed state: one verdict for every measurement, and what was admitted handed on."""

import json
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.framing import decode
from fluvial.wire.records import Task, Verdict
from pipelines.flink.bundles import Kind, pack_bundle
from pipelines.flink.frames import SourceRecord, source_frame
from pipelines.flink.messages import pack
from pipelines.validation import process
from pipelines.validation.known import CommittedRecords, known
from pipelines.validation.operators import judging, report
from pipelines.validation.trusted_records import TrustedRecords
from tests.unit.governance.admission.builders import KEY, NOW_MS, TERMS, a_participant
from tests.unit.governance.admission.test_reports import AGREEMENT, ASKING, a_report
from tests.unit.pipelines.flink_state import FlinkState
from tests.unit.pipelines.inference.test_serving import SPECIFICATION
from tests.unit.pipelines.promotion.builders import a_variant
from tests.unit.pipelines.validation.stage import (
    AGGREGATOR,
    LANE,
    OPERATOR,
    REGISTRAR,
    SETTINGS,
    parse_bundle,
    parse_sink,
)

TASK = Task(
    task="credit",
    specification=json.dumps({**SPECIFICATION, "agreement": AGREEMENT, "acceleration": ASKING}),
    layout=(),
    base_version=0,
    base_digest=bytes(32),
    base_chunks=(),
    created_ms=1,
)


class Stage:
    """Report with one lane, and the log that it reads and writes."""

    def __init__(self, clock):
        self.clock = clock
        registry = (("task/credit", TASK, OPERATOR), ("agreement/terms", TERMS, OPERATOR))
        registry += (("participant/alice", a_participant(), REGISTRAR),)
        self.topics = {"registry": [], "variants": [], "reports": [], "verdicts": []}
        for key, record, signer in registry:
            self.write("registry", key.encode(), seal(record, signer, "x"))
        self.admitted, self.frames = [], []

    def write(self, topic, key, raw):
        record = SourceRecord(0, len(self.topics[topic]), self.clock.now_ms, key, raw)
        self.topics[topic].append(record)
        return record

    def start(self):
        held = {name: self.topics[name] for name in ("registry", "variants", "verdicts")}
        records = CommittedRecords(rounds=[], receipts=[], enrolments=[], bounds={}, **held)
        self.known = known(records, TrustedRecords.of(SETTINGS), SETTINGS.topics)
        self.flink = FlinkState()
        self.operator = report.Report(SETTINGS)
        self.operator.open(self.flink)

    def build(self, key=AGGREGATOR):
        record = self.write("variants", b"credit/8/int8", seal(a_variant(), key, "aggregator"))
        self.flink.broadcast(self.operator, pack("", "variants", [source_frame(record)]))

    def send(self, *reports):
        for one in reports:
            self.write("reports", b"alice", seal(one, KEY, "alice"))
        self.deliver(self.topics["reports"][-len(reports) :])

    def deliver(self, records):
        bundle = pack_bundle(Kind.SOURCE, [source_frame(record) for record in records])
        self.take(self.flink.call(self.operator, LANE, bundle))

    def settle(self):
        while (at_ms := self.flink.next_timer()) is not None:
            self.clock.now_ms = max(self.clock.now_ms, at_ms)
            self.take(self.flink.fire(self.operator, self.clock.now_ms))

    def take(self, bundles):
        for bundle in bundles:
            for topic, value in map(parse_sink, parse_bundle(bundle)[1]):
                if topic == SETTINGS.topics.verdicts:
                    self.write("verdicts", b"alice", value)
                elif topic == SETTINGS.topics.admitted_reports:
                    self.admitted.append(value)

    def reasons(self):
        return [decode(record.value, Verdict).reason.value for record in self.topics["verdicts"]]


@pytest.fixture
def stage():
    clock = SimpleNamespace(now_ms=NOW_MS)
    made = Stage(clock)
    with (
        patch.object(judging, "now_ms", lambda: clock.now_ms),
        patch.object(
            process,
            "acquire",
            lambda settings, attempt: SimpleNamespace(
                known=made.known, catching_up=SimpleNamespace(is_known=lambda at_ms: True)
            ),
        ),
        patch.object(process, "release", lambda settings, attempt: None),
    ):
        made.start()
        yield made


def test_a_measurement_is_admitted_once_with_the_bytes_that_were_signed(stage):
    stage.build()
    stage.send(a_report(), a_report(), a_report(measured_ms=7))
    assert stage.reasons() == ["ACCEPTED", "DUPLICATE_IGNORED", "EQUIVOCATION"]
    assert stage.admitted == [stage.topics["reports"][0].value]


def test_a_measurement_that_overtakes_its_variant_waits_for_it(stage):
    stage.send(a_report())
    assert stage.reasons() == []
    stage.build(SigningKey.generate())
    stage.build()
    stage.settle()
    assert stage.reasons() == ["ACCEPTED"]


def test_a_measurement_of_what_nobody_built_is_refused_when_the_wait_is_over(stage):
    stage.send(a_report())
    stage.settle()
    assert stage.reasons() == ["ARTEFACT_UNKNOWN"]
    assert stage.admitted == []


def test_a_stage_without_state_gives_no_second_verdict_and_remembers_what_it_admitted(stage):
    stage.build()
    stage.send(a_report())
    stage.start()
    stage.deliver(stage.topics["reports"])
    stage.send(a_report(measured_ms=9))
    assert stage.reasons() == ["ACCEPTED", "EQUIVOCATION"]
    assert len(stage.admitted) == 1
