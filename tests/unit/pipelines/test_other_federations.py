"""A genuine record of another federation, of another prefix, of an incarnation before, or of none: whatever topic it is
put into, nobody who reads that topic believes it. Its keys are the same, as they are where a hospital takes part in two
federations, or an operator begins one anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from fluvial.auditor.keys import read_keys
from fluvial.auditor.log import read_log
from fluvial.auditor.manifests import ManifestKeys
from fluvial.auditor.manifests import read_manifests as audit_manifests
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Findings
from fluvial.identity.envelope import open_envelope, seal, verify_envelope
from fluvial.inference.releases import opened
from fluvial.registry.records import RegistryRecord, registry_key
from fluvial.registry.rounds import NewestRounds
from fluvial.registry.view import VerifiedRegistry
from fluvial.wire.errors import FluvialError, OtherFederation
from fluvial.wire.media_types import media_type
from fluvial.wire.records import (
    Agreement,
    EnrolmentToken,
    Measurement,
    ModelManifest,
    OperatorAct,
    Promotion,
    Reason,
    Round,
    Variant,
)
from fluvial.wire.topics import Topics
from governance.admission import gate
from governance.admission.reports import Admitted, ReportsSeen, judge_report
from governance.registry.enrolment import Enrolled, judge_enrolment
from governance.registry.token_claims import TokenClaims
from pipelines.aggregation.operators.sources import RoundToMessage
from pipelines.flink.frames import SourceRecord, source_frame
from pipelines.flink.manifests import ManifestToMessage
from pipelines.leases.table import LeaseTable
from pipelines.promotion.operators import ActToMessage, AdmittedToMessage, SignedToMessage
from pipelines.validation.trusted_records import TrustedRecords
from tests.unit.fluvial.auditor.world import honest_world
from tests.unit.fluvial.wire.samples import sample
from tests.unit.governance.admission.builders import (
    KEY,
    POLICY,
    a_participant,
    a_round,
    a_source,
    a_task,
    a_world,
    an_update,
)
from tests.unit.governance.admission.test_reports import Known, a_report
from tests.unit.governance.registry.test_enrolment import a_registry, a_request
from tests.unit.pipelines.leases.builders import lease

ID, FORMER_ID = "1f" * 16, "2e" * 16
HERE = Topics("fluvial.", ID)
ELSEWHERE = {
    "another federation, or incarnation": Topics("fluvial.", FORMER_ID).scope,
    "another prefix": Topics("other.", ID).scope,
    "none": "",
}
PUBLIC = KEY.public_key
SETTINGS: Any = SimpleNamespace(
    topics=HERE, operator_key=PUBLIC.hex(), registrar_key=PUBLIC.hex(), aggregator_key=PUBLIC.hex()
)


def in_registry(record: RegistryRecord) -> Callable[[str], bool]:
    def believed(scope: str) -> bool:
        view = VerifiedRegistry(PUBLIC, PUBLIC, HERE.scope)
        return does_not_raise(lambda: view.apply(registry_key(record), seal(record, KEY, "operator", scope)))

    return believed


def does_not_raise(read: Callable[[], object]) -> bool:
    try:
        read()
    except FluvialError:
        return False
    return True


def passes(operator: Any, record: Any) -> Callable[[str], bool]:
    """Whether something comes out of the operator that reads the topic."""

    def believed(scope: str) -> bool:
        frame = source_frame(SourceRecord(0, 0, 1, b"key", seal(record, KEY, "aggregator", scope)))
        return bool(list(operator.flat_map(frame)))

    return believed


def an_update_is_judged(scope: str) -> bool:
    policy = replace(POLICY, scope=HERE.scope)
    raw, world = seal(an_update(), KEY, "alice", scope), a_world()
    (judgement,) = gate.judge([(raw, a_source())], registry=world, rounds=world, seen=world, policy=policy)
    return told(isinstance(judgement, gate.NeedsEvidence), judgement)


def a_request_is_judged(scope: str) -> bool:
    raw, source = seal(a_request(), KEY, "alice", scope), a_source(topic="fluvial.enrolments")
    judgement = judge_enrolment(raw, source, registry=a_registry(), claims=TokenClaims(), scope=HERE.scope)
    return told(isinstance(judgement, Enrolled), judgement)


def a_report_is_judged(scope: str) -> bool:
    raw = seal(a_report(), KEY, "alice", scope)
    judgement = judge_report(raw, a_source(), registry=Known(), seen=ReportsSeen(), scope=HERE.scope)
    return told(isinstance(judgement, Admitted), judgement)


def told(accepted: bool, judgement: Any) -> bool:
    assert accepted or judgement.verdict.reason is Reason.OTHER_FEDERATION
    return accepted


def rounds_go_on(scope: str) -> bool:
    return does_not_raise(lambda: NewestRounds(PUBLIC, HERE.scope).apply(seal(a_round(), KEY, "aggregator", scope)))


def validation_takes_the_round(scope: str) -> bool:
    return does_not_raise(lambda: TrustedRecords.of(SETTINGS).apply_round(seal(a_round(), KEY, "aggregator", scope)))


def a_lease_counts(scope: str) -> bool:
    return LeaseTable(PUBLIC, HERE.scope).add(seal(lease(1, "audit"), KEY, "aggregator", scope), 0, 0)


def the_auditor_takes_the_manifest(scope: str) -> bool:
    manifest = replace(sample(ModelManifest), terms="")
    record = TopicRecord(
        topic="models", partition=0, offset=0, timestamp_ms=1, key=b"k", value=seal(manifest, KEY, "aggregator", scope)
    )
    keys = ManifestKeys(aggregator=PUBLIC, operator=PUBLIC, scope=HERE.scope)
    return bool(audit_manifests(iter([record]), keys, Findings()).records)


READERS: dict[str, Callable[[str], bool]] = {
    "registry: task": in_registry(a_task()),
    "registry: agreement": in_registry(Agreement(agreement="a", text="Be good.", valid_from_ms=1, valid_until_ms=2)),
    "registry: token": in_registry(EnrolmentToken(token_sha256=bytes(32), participant="alice", expires_ms=1)),
    "registry: participant": in_registry(a_participant()),
    "updates": an_update_is_judged,
    "enrolments": a_request_is_judged,
    "reports": a_report_is_judged,
    "rounds: participants and auditors": rounds_go_on,
    "rounds: validation": validation_takes_the_round,
    "rounds: aggregation": passes(RoundToMessage(SETTINGS), a_round()),
    "models: auditors": the_auditor_takes_the_manifest,
    "models: stages": passes(ManifestToMessage(SETTINGS), sample(ModelManifest)),
    "leases": a_lease_counts,
    "variants: stages": passes(SignedToMessage(SETTINGS, HERE.variants, Variant), sample(Variant)),
    "measurements": passes(SignedToMessage(SETTINGS, HERE.measurements, Measurement), sample(Measurement)),
    "admitted-reports": passes(AdmittedToMessage(SETTINGS), sample(Measurement)),
    "operator-acts": passes(ActToMessage(SETTINGS), sample(OperatorAct)),
    "variants: clients": lambda scope: does_not_raise(
        lambda: opened("variants", seal(sample(Variant), KEY, "aggregator", scope), PUBLIC, HERE.scope)
    ),
    "promotions": lambda scope: does_not_raise(
        lambda: opened("promotions", seal(sample(Promotion), KEY, "aggregator", scope), PUBLIC, HERE.scope)
    ),
}


@pytest.mark.parametrize("topic", READERS)
def test_what_was_signed_for_this_federation_is_believed_and_what_was_signed_elsewhere_is_not(topic: str) -> None:
    believed = READERS[topic]
    assert believed(HERE.scope)
    assert {where: believed(scope) for where, scope in ELSEWHERE.items()} == dict.fromkeys(ELSEWHERE, False)


def test_a_federation_without_an_id_does_not_believe_what_names_one() -> None:
    raw = seal(a_round(), KEY, "aggregator", HERE.scope)
    assert not does_not_raise(lambda: NewestRounds(PUBLIC).apply(raw))


def test_the_reader_is_told_that_it_is_of_another_federation() -> None:
    with pytest.raises(OtherFederation, match="not signed for this federation"):
        NewestRounds(PUBLIC, HERE.scope).apply(seal(a_round(), KEY, "aggregator", ELSEWHERE["another prefix"]))


def test_the_name_cannot_be_written_over_the_signature() -> None:
    """The media type is signed: an envelope whose type is changed is nobody's."""
    envelope = open_envelope(seal(a_round(), KEY, "aggregator", ELSEWHERE["none"]))
    assert verify_envelope(envelope, PUBLIC)
    assert not verify_envelope(replace(envelope, payload_type=media_type(Round, HERE.scope)), PUBLIC)


def test_a_leaf_that_enrols_a_key_for_another_federation_is_a_forgery() -> None:
    world = honest_world()
    keys = [world.key(name).public_key for name in ("registrar", "operator")]
    log, findings = read_log(world.records(world.topics.audit)), Findings()
    read_keys(iter(()), log, keys[0], keys[1], findings, HERE.scope)
    assert findings.problems.count == len(log.participants) > 0
    assert all("not signed for this federation" in problem for problem in map(str, findings.problems.kept))
