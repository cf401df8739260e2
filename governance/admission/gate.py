"""The gate: one judgement for every record of topic updates, whatever its bytes.

The steps, cheap before dear, nothing decoded for an unknown signer (the same numbers stand in the code):

1. size
2. envelope, and the participant it claims
3. the participant is enrolled and active, the signature over the raw bytes is its own
4. strict decode of the payload by its pinned schema; payload and signature name the same participant
5. replay: the very bytes were accepted before
6. task and round: registered, open, the announced base model
7. the round's agreement is signed and in force
8. one update per participant and attempt
9. manifest: layout, encoding, weight, chunks
10. content: chunk digests, finite numbers, bounds (`inspect_content`, fed by the caller)

Left to the caller: reading chunks, parking, remembering what was accepted, writing verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from fluvial.wire.errors import DecodeError, NonCanonical, SchemaUnknown
from fluvial.wire.framing import decode
from fluvial.wire.records import AcceptedUpdate, ModelUpdate, Reason, Round, Verdict
from governance.admission.content import ContentInspector
from governance.admission.freshness import check_agreement, check_repeat, check_round
from governance.admission.identity import check_signer, open_claim
from governance.admission.manifest import check_manifest
from governance.admission.refusal import Refused, keeps_raw, make_verdict
from governance.admission.source import GatePolicy, RegistryView, RoundsView, SeenView, Source


@dataclass(frozen=True, slots=True)
class Parked:
    """It cannot be judged yet: a record that it depends on may still be on its way."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class NeedsContent:
    """All is well so far; the content decides."""

    update: ModelUpdate
    round: Round
    source: Source
    record_sha256: bytes


Judgement = Refused | Parked | NeedsContent


def judge_envelope(
    raw: bytes,
    source: Source,
    *,
    registry: RegistryView,
    rounds: RoundsView,
    seen: SeenView,
    policy: GatePolicy,
    final: bool = False,
) -> Judgement:
    """Steps 1 to 9. final: the wait is over, so what is still unknown is refused."""
    digest = sha256(raw).digest()

    def refuse(reason: Reason, participant: str = "", update: ModelUpdate | None = None) -> Refused:
        return Refused(make_verdict(reason, source, digest, participant, update))

    # 1
    if len(raw) > policy.max_record_bytes:
        return refuse(Reason.SIZE_LIMIT)
    # 2
    claim = open_claim(raw, ModelUpdate, source.key)
    if claim is None:
        return refuse(Reason.ENVELOPE)
    envelope, claimed = claim
    # 3
    participant = registry.participant(claimed)
    if participant is None:
        return refuse(Reason.KEY_UNKNOWN, claimed) if final else Parked(Reason.KEY_UNKNOWN)
    reason = check_signer(envelope, participant)
    if reason is not None:
        return refuse(reason, claimed)
    # 4
    try:
        update = decode(envelope.payload, ModelUpdate)
    except SchemaUnknown:
        return refuse(Reason.SCHEMA_UNKNOWN, claimed)
    except NonCanonical:
        return refuse(Reason.NON_CANONICAL, claimed)
    except DecodeError:
        return refuse(Reason.DECODE, claimed)
    if update.participant != claimed:
        return refuse(Reason.PARTICIPANT_MISMATCH, claimed, update)
    # 5
    if seen.digest_seen(digest):
        return refuse(Reason.DUPLICATE_IGNORED, claimed, update)
    # 6
    round_ = rounds.current(update.task)
    reason = check_round(update, round_)
    if reason is Reason.ROUND_UNKNOWN and not final:
        return Parked(reason)
    if reason is Reason.ROUND_UNKNOWN and registry.task(update.task) is None:
        reason = Reason.TASK_UNKNOWN
    if reason is not None or round_ is None:
        return refuse(reason or Reason.ROUND_UNKNOWN, claimed, update)
    # 7, 8, 9
    reason = (
        check_agreement(round_.agreement, participant, registry, source.timestamp_ms)
        or check_repeat(update, digest, seen)
        or check_manifest(update, round_, policy.partitions)
    )
    if reason is not None:
        return refuse(reason, claimed, update)
    return NeedsContent(update, round_, source, digest)


def inspect_content(needs: NeedsContent) -> ContentInspector:
    """Step 10 begins: give the inspector every chunk, then call `judge_content`."""
    return ContentInspector(needs.update, needs.round)


def judge_content(needs: NeedsContent, inspector: ContentInspector) -> tuple[Verdict, AcceptedUpdate | None]:
    """Step 10 ends: the verdict, and the accepted update if it is one."""
    update, source = needs.update, needs.source
    reason = inspector.finding() or Reason.ACCEPTED
    measured = reason not in (Reason.INCOMPLETE, Reason.CHUNK_MISMATCH, Reason.NON_FINITE)
    verdict = make_verdict(
        reason,
        source,
        needs.record_sha256,
        update.participant,
        update,
        norm=inspector.norm if measured else 0.0,
        max_abs=inspector.max_abs if measured else 0.0,
    )
    if reason is not Reason.ACCEPTED:
        return verdict, None
    accepted = AcceptedUpdate(
        task=update.task,
        round=update.round,
        attempt=update.attempt,
        participant=update.participant,
        update_id=update.update_id,
        source_partition=source.partition,
        source_offset=source.offset,
        source_timestamp_ms=source.timestamp_ms,
        record_sha256=needs.record_sha256,
        weight=update.weight,
        encoding=update.encoding,
        scales=update.scales,
        inline=update.inline,
        chunks=update.chunks,
    )
    return verdict, accepted


__all__ = [
    "ContentInspector",
    "GatePolicy",
    "Judgement",
    "NeedsContent",
    "Parked",
    "Refused",
    "Source",
    "inspect_content",
    "judge_content",
    "judge_envelope",
    "keeps_raw",
]
