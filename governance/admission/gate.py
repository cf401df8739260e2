"""The gate of the validation stage: raw bytes in, exactly one judgement out.

`judge_envelope`, in this order, the first failing step decides:

1. size: nothing is parsed of what is too large.
2. framing: a canonical envelope with exactly one signature.
3. identity: the Kafka key and the keyid name one participant, and the registry has its key.
4. signature over the raw payload bytes; then the key must not be revoked.
5. decode: the verified bytes are a ModelUpdate of the pinned schema, canonical, of the signer.
6. replay: bytes accepted before are a duplicate, others for the same attempt an equivocation.
7. freshness: task and round are known, the open round takes the update, it was trained from its round's model.
8. invitation: the round's public seed invited the participant.
9. agreement: signed by the participant and in force.
10. manifest: layout, weight, encoding and the list of chunks fit the round.

`inspect_content`, when these have passed:

11. content: each chunk has the digest listed, elements are finite and within max_abs, the norm within max_norm.

What is cheap comes before cryptography, decoding after it, tensors last. Task and round are inside the signed payload,
so replay and freshness are told after decoding. Left to the caller: verifying the registry and the rounds before they
enter the views, reading chunks, keeping a parked record for a bounded time, and remembering (`SeenView`) what was
accepted. Hostile bytes never raise; an exception is a bug.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from fluvial.wire.records import AcceptedUpdate, Reason, Verdict
from governance.admission.agreement import check_agreement
from governance.admission.case import Case
from governance.admission.content import ContentInspector
from governance.admission.freshness import find_rounds
from governance.admission.invitation import check_invitation
from governance.admission.judgement import Fault, GatePolicy, Judgement, NeedsContent, Parked, Refused, Source
from governance.admission.manifest import check_manifest
from governance.admission.reasons import keeps_raw
from governance.admission.replay import check_replay
from governance.admission.signed_updates import SignedUpdate, Unsigned, read_signed
from governance.admission.views import RegistryView, RoundsView, SeenView


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
    """Steps 1 to 10 on one record of the topic updates. final: do not park, the wait is over."""
    (read,) = read_signed([(raw, source)], registry=registry, policy=policy)
    return judge_read(read, registry=registry, rounds=rounds, seen=seen, policy=policy, final=final)


def judge_read(
    read: SignedUpdate | Unsigned,
    *,
    registry: RegistryView,
    rounds: RoundsView,
    seen: SeenView,
    policy: GatePolicy,
    final: bool = False,
) -> Judgement:
    """Steps 6 to 10 on a record that `read_signed` took through steps 1 to 5, when what was accepted of those before it
    is in `seen`."""
    case = read.case
    if isinstance(read, Unsigned):
        return case.settle(read.fault, final=final)
    update, participant = read.update, read.participant
    # 6. Replay.
    fault = check_replay(update, case.record_sha256, seen)
    if fault is not None:
        return case.settle(fault, final=final)
    # 7. Freshness.
    found = find_rounds(update, registry, rounds, seen)
    if isinstance(found, Fault):
        return case.settle(found, final=final)
    round_ = found.current
    # 8. Invitation.
    fault = check_invitation(update, found.trained_for)
    if fault is not None:
        return case.settle(fault, final=final)
    # 9. Agreement.
    fault = check_agreement(participant, round_.agreement, registry, case.source.timestamp_ms)
    if fault is not None:
        return case.settle(fault, final=final)
    # 10. Manifest.
    fault = check_manifest(update, round_, policy)
    if fault is not None:
        return case.settle(fault, final=final)
    return NeedsContent(
        source=case.source, record_sha256=case.record_sha256, update=update, round=round_, participant=participant
    )


class Inspection:
    """Step 11 on one update: hand in its chunks in any order, or the inline delta, then ask for the result."""

    def __init__(self, needs: NeedsContent, policy: GatePolicy) -> None:
        self._needs = needs
        self._quarantined = policy.quarantined
        self._content = ContentInspector(needs.update, needs.round)

    @property
    def refused(self) -> bool:
        """Whether a fault is known: further chunks need not be read."""
        return self._content.refused

    def add(self, index: int, chunk: bytes | memoryview) -> bool:
        """Inspect chunk `index` of `update.chunks`. False: a fault is known, stop reading."""
        return self._content.add(index, chunk)

    def add_inline(self, delta: bytes) -> bool:
        """Inspect the delta that the envelope holds. False: a fault is known."""
        return self._content.add_inline(delta)

    def unavailable(self) -> None:
        """A listed chunk can no longer be read."""
        self._content.unavailable()

    def result(self) -> tuple[Verdict, AcceptedUpdate | None]:
        """The verdict, and the reference for aggregation when the update is accepted."""
        needs, content = self._needs, self._content.result()
        case = Case(
            source=needs.source,
            record_sha256=needs.record_sha256,
            participant=needs.participant.participant,
            quarantined=self._quarantined,
            update=needs.update,
        )
        verdict = case.verdict(content.fault or Reason.ACCEPTED, norm=content.norm, max_abs=content.max_abs)
        return verdict, _accepted(needs) if content.fault is None else None


def inspect_content(needs: NeedsContent, policy: GatePolicy) -> Inspection:
    """Begin step 11."""
    return Inspection(needs, policy)


class ContentFault(StrEnum):
    """Why there are no chunks to judge."""

    UNAVAILABLE = "UNAVAILABLE"


def judge_content(
    needs: NeedsContent, chunks: Sequence[bytes] | ContentFault, policy: GatePolicy
) -> tuple[Verdict, AcceptedUpdate | None]:
    """Step 11 at once, for who has the chunks in memory, in the order of `update.chunks`; none for an inline delta."""
    inspection = inspect_content(needs, policy)
    if needs.update.inline is not None:
        inspection.add_inline(needs.update.inline)
    elif isinstance(chunks, ContentFault):
        inspection.unavailable()
    else:
        for index, chunk in enumerate(chunks):
            inspection.add(index, chunk)
    return inspection.result()


def _accepted(needs: NeedsContent) -> AcceptedUpdate:
    update, source = needs.update, needs.source
    return AcceptedUpdate(
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


__all__ = [
    "ContentFault",
    "GatePolicy",
    "Inspection",
    "Judgement",
    "NeedsContent",
    "Parked",
    "Refused",
    "SignedUpdate",
    "Source",
    "Unsigned",
    "inspect_content",
    "judge_content",
    "judge_envelope",
    "judge_read",
    "keeps_raw",
    "read_signed",
]
