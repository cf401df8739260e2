"""Enrolment: whether a request makes a participant. Pure; the registrar's signature is the caller's.

1. size and envelope; the record's key is the participant it claims
2. strict decode; the payload names the same participant
3. the request is signed by the very key it brings: proof of possession (low-order keys are refused with it)
4. a known participant with this key needs no token; anyone else needs one that is registered for the name, not
   expired by broker time, and not used. Revoked keys do not come back
5. every agreement it signs is registered, in force, and signed as registered
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from fluvial.identity.envelope import verify_envelope
from fluvial.wire.errors import DecodeError, NonCanonical, SchemaUnknown
from fluvial.wire.framing import decode
from fluvial.wire.records import (
    EnrolmentRequest,
    EnrolmentToken,
    Participant,
    ParticipantStatus,
    Reason,
    SignedAgreement,
    Verdict,
)
from governance.admission.identity import open_claim
from governance.admission.refusal import make_verdict
from governance.admission.source import GatePolicy, RegistryView, Source


class EnrolmentView(RegistryView, Protocol):
    """The registry, with its tokens."""

    def token(self, token_sha256: bytes) -> EnrolmentToken | None: ...


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The judgement: a verdict; for an accepted request the participant's record and the token that is now used.

    parked: the token or an agreement may still be on its way; ask again, and finally with final=True.
    """

    verdict: Verdict
    participant: Participant | None = None
    used_token: bytes | None = None
    parked: bool = False


def judge_enrolment(
    raw: bytes,
    source: Source,
    *,
    registry: EnrolmentView,
    token_used: Callable[[bytes], bool],
    policy: GatePolicy,
    final: bool = False,
) -> Enrolment:
    """Judge one record of topic enrolments. token_used: by SHA-256 of the token."""
    digest = sha256(raw).digest()

    def refuse(reason: Reason, participant: str = "", *, parked: bool = False) -> Enrolment:
        return Enrolment(make_verdict(reason, source, digest, participant), parked=parked and not final)

    # 1
    if len(raw) > policy.max_record_bytes:
        return refuse(Reason.SIZE_LIMIT)
    claim = open_claim(raw, EnrolmentRequest, source.key)
    if claim is None:
        return refuse(Reason.ENVELOPE)
    envelope, claimed = claim
    # 2
    try:
        request = decode(envelope.payload, EnrolmentRequest)
    except SchemaUnknown:
        return refuse(Reason.SCHEMA_UNKNOWN, claimed)
    except NonCanonical:
        return refuse(Reason.NON_CANONICAL, claimed)
    except DecodeError:
        return refuse(Reason.DECODE, claimed)
    if request.participant != claimed:
        return refuse(Reason.PARTICIPANT_MISMATCH, claimed)
    # 3
    if not verify_envelope(envelope, request.public_key):
        return refuse(Reason.SIGNATURE, claimed)
    # 4
    known = registry.participant(claimed)
    same_key = known is not None and known.public_key == request.public_key
    if same_key and known is not None and known.status is not ParticipantStatus.ACTIVE:
        return refuse(Reason.KEY_REVOKED, claimed)
    used: bytes | None = None
    if not same_key or request.token:
        used = sha256(request.token.encode()).digest()
        token = registry.token(used)
        if token is None:
            return refuse(Reason.TOKEN_INVALID, claimed, parked=bool(request.token))
        if token.participant != claimed or source.timestamp_ms > token.expires_ms or token_used(used):
            return refuse(Reason.TOKEN_INVALID, claimed)
    # 5
    signed = {entry.agreement: entry.sha256 for entry in known.agreements} if same_key and known is not None else {}
    for entry in request.agreements:
        registered = registry.agreement_sha(entry.agreement)
        period = registry.agreement_period(entry.agreement)
        if registered is None or period is None:
            return refuse(Reason.AGREEMENT, claimed, parked=True)
        if registered != entry.sha256 or not period[0] <= source.timestamp_ms <= period[1]:
            return refuse(Reason.AGREEMENT, claimed)
        signed[entry.agreement] = entry.sha256
    participant = Participant(
        participant=claimed,
        public_key=request.public_key,
        status=ParticipantStatus.ACTIVE,
        agreements=tuple(SignedAgreement(agreement=name, sha256=signed[name]) for name in sorted(signed)),
        device=request.device,
        enrolled_ms=source.timestamp_ms,
        request_sha256=digest,
    )
    return Enrolment(make_verdict(Reason.ACCEPTED, source, digest, claimed), participant, used)
