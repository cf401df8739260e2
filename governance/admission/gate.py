"""The gate of the validation stage: raw bytes in, exactly one judgement out.

`judge_envelope`, in this order, the first failing step decides:

1. size: nothing is parsed of what is too large.
2. framing: a canonical envelope with exactly one signature.
3. identity: the Kafka key and the keyid name one participant, and the registry has its key.
4. signature over the raw payload bytes; then the key must not be revoked.
5. decode: the verified bytes are a ModelUpdate of the pinned schema, canonical, of the signer.
6. replay: bytes accepted before are a duplicate, others for the same attempt an equivocation.
7. freshness: task and round are known, the round is open, the update was trained from its model.
8. agreement: signed by the participant and in force.
9. manifest: layout, weight, encoding and the list of chunks fit the round.

`inspect_content`, when these have passed:

10. content: each chunk has the digest listed, elements are finite and within max_abs, the norm within max_norm.

An update whose form and time are wrong is thus told by the cheapest step that sees it; cryptography comes after what is
cheaper, decoding after cryptography, tensors last. Task and round are inside the signed payload, so freshness is read after
decoding. Left to the caller: verifying the registry and the rounds before they enter the views, reading chunks, keeping a
parked record for a bounded time, and remembering (`SeenView`) what was accepted. Hostile bytes never raise; an exception
is a bug.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from hashlib import sha256

from fluvial.wire.records import AcceptedUpdate, Reason, Verdict
from governance.admission.agreement import check_agreement
from governance.admission.case import Case, claimed_name
from governance.admission.content import ContentInspector
from governance.admission.framing import open_one_signature
from governance.admission.freshness import find_round
from governance.admission.identity import check_revocation, check_routing, find_participant
from governance.admission.judgement import Fault, GatePolicy, Judgement, NeedsContent, Parked, Refused, Source
from governance.admission.manifest import check_manifest
from governance.admission.payload import read_update
from governance.admission.reasons import keeps_raw
from governance.admission.replay import check_replay
from governance.admission.signature import check_signature
from governance.admission.size import check_size
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
    """Steps 1 to 9 on one record of the topic updates. final: do not park, the wait is over."""
    case = Case(
        source=source,
        record_sha256=sha256(raw).digest(),
        participant=claimed_name(source.key),
        quarantined=policy.quarantined,
    )
    # 1. Size.
    fault = check_size(raw, policy.max_record_bytes)
    if fault is not None:
        return case.settle(fault, final=final)
    # 2. Framing.
    envelope = open_one_signature(raw)
    if isinstance(envelope, Fault):
        return case.settle(envelope, final=final)
    # 3. Identity.
    keyid = envelope.signatures[0].keyid
    fault = check_routing(keyid, source)
    if fault is not None:
        return case.settle(fault, final=final)
    participant = find_participant(keyid, registry)
    if isinstance(participant, Fault):
        return case.settle(participant, final=final)
    # 4. Signature.
    fault = check_signature(envelope, participant.public_key) or check_revocation(participant)
    if fault is not None:
        return case.settle(fault, final=final)
    # 5. Decode.
    update = read_update(envelope, policy.schema_ids)
    if isinstance(update, Fault):
        return case.settle(update, final=final)
    case = replace(case, update=update)
    if update.participant != keyid:
        return case.settle(Fault(reason=Reason.PARTICIPANT_MISMATCH), final=final)
    # 6. Replay.
    fault = check_replay(update, case.record_sha256, seen)
    if fault is not None:
        return case.settle(fault, final=final)
    # 7. Freshness.
    round_ = find_round(update, registry, rounds)
    if isinstance(round_, Fault):
        return case.settle(round_, final=final)
    # 8. Agreement.
    fault = check_agreement(participant, round_.agreement, registry, source.timestamp_ms)
    if fault is not None:
        return case.settle(fault, final=final)
    # 9. Manifest.
    fault = check_manifest(update, round_, policy)
    if fault is not None:
        return case.settle(fault, final=final)
    return NeedsContent(
        source=source, record_sha256=case.record_sha256, update=update, round=round_, participant=participant
    )


class Inspection:
    """Step 10 for one update: hand in its chunks in any order, then ask for the result."""

    def __init__(self, needs: NeedsContent, policy: GatePolicy) -> None:
        self._needs = needs
        self._inspector = ContentInspector(needs.update, needs.round)
        self._case = Case(
            source=needs.source,
            record_sha256=needs.record_sha256,
            participant=needs.participant.participant,
            quarantined=policy.quarantined,
            update=needs.update,
        )
        # 10. Content: the rest comes through `add`.
        if needs.update.inline is None:
            self.add, self.unavailable = self._inspector.add, self._inspector.unavailable
