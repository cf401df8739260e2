"""The gate of the validation stage: raw bytes in, exactly one judgement out.

`judge`, in this order, the first failing step decides:

1. size: nothing is parsed of what is too large.
2. framing: a canonical envelope with exactly one signature.
3. identity: the Kafka key and the keyid name one participant, and the registry has its key.
4. signature over the raw payload bytes; then the key must not be revoked.
5. decode: the verified bytes are a ModelUpdate of a pinned schema, canonical, of the signer.
6. replay: bytes accepted before are a duplicate, others for the same attempt an equivocation.
7. freshness: task and round are known, the open round takes the update, it was trained from its round's model.
8. invitation: the round's public seed invited the participant.
9. agreement: signed by the participant, not withdrawn before the open round was opened, and in force.
10. manifest: layout, weight, encoding and the list of chunks fit the round.

`conclude`, when these have passed and the evidence has been gathered:

11. evidence: the content (each chunk has the digest listed, elements are finite and within max_abs, the norm within
    max_norm), and whatever else the federation asks for.

What is cheap comes before cryptography, decoding after it, tensors last. Task and round are inside the signed payload,
so replay and freshness are told after decoding. Left to the caller: verifying the registry and the rounds before they
enter the views, gathering evidence, keeping a parked record for a bounded time, and remembering (`SeenView`) what was
accepted. Hostile bytes never raise; an exception is a bug.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fluvial.admission.agreement import check_agreement
from fluvial.admission.case import Case
from fluvial.admission.decisions import QUARANTINED, decision
from fluvial.admission.framing import open_envelope
from fluvial.admission.identity import find_participant
from fluvial.admission.invitation import check_invitation
from fluvial.admission.judgement import Fault, GatePolicy, Judgement, NeedsEvidence, Parked, Refused, Source
from fluvial.admission.manifest import check_manifest
from fluvial.admission.payload import find_update, read_update
from fluvial.admission.size import check_size
from fluvial.admission.views import RegistryView, RoundsView, SeenView
from fluvial.wire.records import AcceptedUpdate, ModelUpdate, Reason, Score, Verdict
from governance.admission.content import numbers_of
from governance.admission.evidence import Finding
from governance.admission.freshness import find_rounds
from governance.admission.reasons import keeps_raw
from governance.admission.replay import check_replay
from governance.admission.signature import check_signatures


def judge(
    records: Sequence[tuple[bytes, Source]],
    *,
    registry: RegistryView,
    rounds: RoundsView,
    seen: SeenView,
    policy: GatePolicy,
) -> Iterator[Judgement]:
    """The judgement of each record, in their order. Steps 6 to 10 are taken when the judgement is asked for, so that
    what was accepted of the records before it counts."""
    cases = [Case.of(raw, source, policy.quarantined, policy.scope) for raw, source in records]
    for case in cases:
        case.fault = (
            check_size(case.raw, policy.max_record_bytes)  # 1. Size.
            or open_envelope(case)  # 2. Framing.
            or find_participant(case, registry)  # 3. Identity.
        )
    check_signatures([case for case in cases if not case.fault])  # 4. Signature: many at once, by several threads.
    for case in cases:
        case.fault = case.fault or read_update(case, policy.schema_ids)  # 5. Decode.
    decoded = [case for case in cases if not case.fault]
    for place, numbers in numbers_of([case.signed for case in decoded]).items():
        decoded[place].numbers = numbers  # For 11: of small deltas together, a tenth of what each by itself takes.
    for case in cases:
        case.fault = (
            case.fault
            or check_replay(case.signed, case.record_sha256, seen)  # 6. Replay.
            or find_rounds(case, registry, rounds, seen)  # 7. Freshness.
            or check_invitation(case.signed, case.trained_for)  # 8. Invitation.
            or _check_agreement(case, registry)  # 9. Agreement.
            or check_manifest(case.signed, case.round, policy)  # 10. Manifest.
        )
        yield case.judgement()


def _check_agreement(case: Case, registry: RegistryView) -> Fault | None:
    """Of the open round, which takes the update, whatever round it was trained for."""
    open_ = case.round
    return check_agreement(case.participant, open_.agreement, registry, case.source.timestamp_ms, open_.opened_ms)


def conclude(
    needs: NeedsEvidence, findings: Sequence[Finding], policy: GatePolicy
) -> tuple[Verdict, AcceptedUpdate | None]:
    """11. Evidence: the verdict, and the reference for aggregation when the update is accepted. The first finding that
    is not in its favour gives the reason; what all of them measured stands in the verdict."""
    source, update = needs.source, needs.update
    reason, norm, max_abs = Reason.ACCEPTED, 0.0, 0.0
    scores: tuple[Score, ...] = ()
    for finding in findings:
        if finding.fault and reason is Reason.ACCEPTED:
            reason = finding.fault
        norm, max_abs = max(norm, finding.norm), max(max_abs, finding.max_abs)
        scores += finding.scores
    verdict = Verdict(
        source_topic=source.topic,
        source_partition=source.partition,
        source_offset=source.offset,
        source_timestamp_ms=source.timestamp_ms,
        record_sha256=needs.record_sha256,
        participant=update.participant,
        task=update.task,
        round=update.round,
        attempt=update.attempt,
        update_id=update.update_id,
        decision=decision(reason, policy.quarantined),
        reason=reason,
        norm=norm,
        max_abs=max_abs,
        scores=scores,
    )
    if reason is not Reason.ACCEPTED:
        return verdict, None
    return verdict, _reference(update, source, needs.record_sha256)


def unhandled(raw: bytes, source: Source) -> Refused:
    """The outcome of a record that no call of the stage could handle: held for a person to look at."""
    return Refused(verdict=Case.of(raw, source, QUARANTINED).verdict(Reason.UNHANDLED))


def readmitted(raw: bytes, source: Source, scope: str = "") -> AcceptedUpdate | None:
    """The reference of a record that was accepted before, of which nothing is judged again; None where it is no update.
    Whoever asks compares its SHA-256 with that of the verdict."""
    case = Case.of(raw, source, frozenset(), scope)
    if open_envelope(case) or find_update(case, {}):
        return None
    return _reference(case.signed, source, case.record_sha256)


def _reference(update: ModelUpdate, source: Source, record_sha256: bytes) -> AcceptedUpdate:
    return AcceptedUpdate(
        task=update.task,
        round=update.round,
        attempt=update.attempt,
        participant=update.participant,
        update_id=update.update_id,
        source_partition=source.partition,
        source_offset=source.offset,
        source_timestamp_ms=source.timestamp_ms,
        record_sha256=record_sha256,
        weight=update.weight,
        encoding=update.encoding,
        scales=update.scales,
        inline=update.inline,
        chunks=update.chunks,
    )


__all__ = [
    "Fault",
    "Finding",
    "GatePolicy",
    "Judgement",
    "NeedsEvidence",
    "Parked",
    "Refused",
    "Source",
    "conclude",
    "judge",
    "keeps_raw",
    "readmitted",
    "unhandled",
]
