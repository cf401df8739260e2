"""Steps 1 to 5 on many records at once: who signed them, and what.

Nothing here depends on what was accepted before, so records that came together are taken through each step together.
Signatures, a third of an envelope's cost, are then checked by several threads, and what a step needs stays in the
processor's caches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from fluvial.wire.records import Envelope, ModelUpdate, Participant, Reason
from governance.admission.case import Case, claimed_name
from governance.admission.framing import open_one_signature
from governance.admission.identity import check_revocation, check_routing, find_participant
from governance.admission.judgement import Fault, GatePolicy, Source
from governance.admission.payload import read_update
from governance.admission.signature import check_signatures
from governance.admission.size import check_size
from governance.admission.views import RegistryView


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedUpdate:
    """A record that passed: its participant signed this update."""

    case: Case
    participant: Participant
    update: ModelUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsigned:
    """A record that failed, or must wait."""

    case: Case
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """After step 3: an envelope, and whose it claims to be."""

    case: Case
    envelope: Envelope
    participant: Participant


def read_signed(
    records: Sequence[tuple[bytes, Source]], *, registry: RegistryView, policy: GatePolicy
) -> list[SignedUpdate | Unsigned]:
    """What became of each record, in their order."""
    opened = [_open(raw, source, registry, policy) for raw, source in records]
    # 4. Signature.
    claims = [one for one in opened if isinstance(one, _Claim)]
    faults = iter(check_signatures([(claim.envelope, claim.participant.public_key) for claim in claims]))
    return [_read(one, next(faults), policy) if isinstance(one, _Claim) else one for one in opened]


def _open(raw: bytes, source: Source, registry: RegistryView, policy: GatePolicy) -> _Claim | Unsigned:
    case = Case(
        source=source,
        record_sha256=sha256(raw).digest(),
        participant=claimed_name(source.key),
        quarantined=policy.quarantined,
    )
    # 1. Size.
    fault = check_size(raw, policy.max_record_bytes)
    if fault is not None:
        return Unsigned(case=case, fault=fault)
    # 2. Framing.
    envelope = open_one_signature(raw)
    if isinstance(envelope, Fault):
        return Unsigned(case=case, fault=envelope)
    # 3. Identity.
    keyid = envelope.signatures[0].keyid
    fault = check_routing(keyid, source)
    if fault is not None:
        return Unsigned(case=case, fault=fault)
    participant = find_participant(keyid, registry)
    if isinstance(participant, Fault):
        return Unsigned(case=case, fault=participant)
    return _Claim(case=case, envelope=envelope, participant=participant)


def _read(claim: _Claim, signature: Fault | None, policy: GatePolicy) -> SignedUpdate | Unsigned:
    case = claim.case
    fault = signature or check_revocation(claim.participant)
    if fault is not None:
        return Unsigned(case=case, fault=fault)
    # 5. Decode.
    update = read_update(claim.envelope, policy.schema_ids)
    if isinstance(update, Fault):
        return Unsigned(case=case, fault=update)
    case.update = update
    if update.participant != claim.envelope.signatures[0].keyid:
        return Unsigned(case=case, fault=Fault(reason=Reason.PARTICIPANT_MISMATCH))
    return SignedUpdate(case=case, participant=claim.participant, update=update)
