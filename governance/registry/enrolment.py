"""Enrolment: whether a participant enters the registry, or signs a further agreement.

Steps, the first failing one decides (reason codes: `fluvial.admission.decisions`):

1. size: at most MAX_ENROLMENT_BYTES, since step 3 decodes what nobody known has signed.
2. framing: a canonical envelope with exactly one signature; the Kafka key and its keyid name one participant.
3. decode: the one record that is decoded before its signature is verified, because it brings its own key.
4. signature by that key, which must be canonical and of large order: the request proves possession.
5. repeat: the request that made the registry's record is a duplicate, an earlier one of the participant is outdated:
   copied, it would sign again what was withdrawn since. One that is dated more than a day ahead of the broker is
   refused, because none could follow it.
6. right to the name: the key that the registry has for it, a key that this one vouches for, or a one-time token; never
   a key that was revoked.
7. agreements: each is registered, in force at broker time, and signed in its present text; those that are withdrawn are
   signed no more from the next round on (`fluvial.registry.agreements`).

The token of step 6 is known by its SHA-256, issued for this participant, not expired at broker time, not spent, proven
(`fluvial.identity.vouching`), and the key's that named it first (`token_claims`). The key that the registry has needs
no token and spends none, so a request may be sent again after a crash. A new key for a name starts without agreements:
the old key signed those.

Left to the caller: signing the records as registrar, and letting the registry view return them at once, before they
come back through the topic.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from fluvial.admission.agreement import in_force
from fluvial.admission.case import Case, refusal
from fluvial.admission.decisions import QUARANTINED
from fluvial.admission.judgement import Fault, Parked, Refused, Source
from fluvial.admission.request import is_ahead, read_request
from fluvial.admission.views import AgreementsView
from fluvial.identity.vouching import is_public_form, is_vouched
from fluvial.registry.agreements import MAX_AGREEMENTS, agreements_after
from fluvial.registry.order import next_version
from fluvial.registry.records import is_spent, spent
from fluvial.wire.records import (
    EnrolmentRequest,
    EnrolmentToken,
    Participant,
    ParticipantStatus,
    Reason,
    SignedAgreement,
    Verdict,
)
from governance.registry.token_claims import TokenClaims


class EnrolmentView(AgreementsView, Protocol):
    """The verified registry, as far as enrolment reads it."""

    def participant(self, participant: str, /) -> Participant | None: ...

    def is_revoked(self, participant: str, public_key: bytes, /) -> bool:
        """Whether this key of the participant was ever revoked."""

    def token(self, token_sha256: bytes, /) -> EnrolmentToken | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """Accepted, or the repeat of what was. records: what the registrar is to sign now: the participant's, and that its
    token is spent; of a repeat what is missing of these."""

    verdict: Verdict
    records: tuple[Participant | EnrolmentToken, ...]


EnrolmentJudgement = Refused | Parked | Enrolled


def judge_enrolment(
    raw: bytes, source: Source, *, registry: EnrolmentView, claims: TokenClaims, scope: str = ""
) -> EnrolmentJudgement:
    """Exactly one judgement of a record of the topic enrolments. Changes nothing but whose a token is."""
    case = Case.of(raw, source, QUARANTINED, scope)
    # 1 to 4.
    request = read_request(case)
    if isinstance(request, Fault):
        return refusal(case, request)
    known = registry.participant(request.participant)
    token = registry.token(sha256(request.token.encode()).digest())
    is_its_own = token is not None and token.participant == request.participant and not is_spent(token)
    # 5. Repeat.
    if known is not None and known.request_sha256 == case.record_sha256:
        # Of a registry that is older than the records of spent tokens, the token is still there for all to take.
        unsaid = (spent(token),) if token is not None and is_its_own else ()
        return Enrolled(verdict=case.verdict(Reason.DUPLICATE_IGNORED), records=unsaid)
    if is_ahead(request, source.timestamp_ms):
        return refusal(case, Fault(reason=Reason.OUT_OF_RANGE))
    # 6. Right to the name.
    if registry.is_revoked(request.participant, request.public_key):
        return refusal(case, Fault(reason=Reason.KEY_REVOKED))
    same_key = known is not None and known.public_key == request.public_key
    is_successor = known is not None and request.token == known.public_key.hex()
    if known is not None and (same_key or is_successor) and request.requested_ms <= known.requested_ms:
        return refusal(case, Fault(reason=Reason.REQUEST_OUTDATED))
    if is_successor and not same_key:
        if known is None or known.status is not ParticipantStatus.ACTIVE or not _is_vouched(request, scope):
            return refusal(case, Fault(reason=Reason.TOKEN_INVALID))
    elif not same_key:
        fault = _check_token(token, request, source.timestamp_ms, claims, scope)
        if fault is not None:
            return refusal(case, fault)
    # 7. Agreements.
    signed_before = known.agreements if known is not None and same_key else ()
    withdrawn_before = known.withdrawn if known is not None and same_key else ()
    agreements, withdrawn = agreements_after(signed_before, withdrawn_before, request, source.timestamp_ms)
    fault = _check_agreements(request.agreements, agreements, source.timestamp_ms, registry)
    if fault is not None:
        return refusal(case, fault)
    participant = Participant(
        participant=request.participant,
        public_key=request.public_key,
        status=ParticipantStatus.ACTIVE,
        agreements=agreements,
        device=request.device,
        enrolled_ms=known.enrolled_ms if known is not None and same_key else source.timestamp_ms,
        request_sha256=case.record_sha256,
        version=next_version(known),
        withdrawn=withdrawn,
        requested_ms=max(0, request.requested_ms),
    )
    spends = (spent(token),) if token is not None and not same_key else ()
    return Enrolled(verdict=case.verdict(Reason.ACCEPTED), records=(participant, *spends))


def claim_token(raw: bytes, source: Source, *, registry: EnrolmentView, claims: TokenClaims, scope: str = "") -> None:
    """What a request that was judged before shows of its token."""
    request = read_request(Case.of(raw, source, QUARANTINED, scope))
    if not isinstance(request, Fault):
        token = registry.token(sha256(request.token.encode()).digest())
        _check_token(token, request, source.timestamp_ms, claims, scope)


def _check_token(
    token: EnrolmentToken | None, request: EnrolmentRequest, at_ms: int, claims: TokenClaims, scope: str
) -> Fault | None:
    if token is None:
        # It may not have come through the registry yet.
        return Fault(reason=Reason.TOKEN_INVALID, waits=True)
    if token.participant != request.participant or is_spent(token) or at_ms > token.expires_ms:
        return Fault(reason=Reason.TOKEN_INVALID)
    if is_public_form(request.token) and not _is_vouched(request, scope):
        return Fault(reason=Reason.TOKEN_INVALID)
    is_its_own = claims.claim(token.token_sha256, request.public_key)
    return None if is_its_own else Fault(reason=Reason.TOKEN_INVALID)


def _is_vouched(request: EnrolmentRequest, scope: str) -> bool:
    return is_vouched(request.token, request.proof or b"", scope, request.participant, request.public_key)


def _check_agreements(
    signed: tuple[SignedAgreement, ...], after: tuple[SignedAgreement, ...], at_ms: int, registry: EnrolmentView
) -> Fault | None:
    names = [one.agreement for one in signed]
    if len(set(names)) < len(names) or len(after) > MAX_AGREEMENTS:
        return Fault(reason=Reason.AGREEMENT)
    for one in signed:
        terms, digest = registry.agreement(one.agreement), registry.agreement_sha(one.agreement)
        if terms is None or digest is None or digest != one.sha256:
            # Also another text: the newer one may be under way.
            return Fault(reason=Reason.AGREEMENT, waits=True)
        if not in_force(terms, at_ms):
            return Fault(reason=Reason.AGREEMENT)
    return None
