"""Enrolment: whether a participant enters the registry, or signs a further agreement.

Steps, the first failing one decides (reason codes: `governance.admission.reasons`):

1. size: at most MAX_ENROLMENT_BYTES, since step 3 decodes what nobody known has signed.
2. framing: a canonical envelope with exactly one signature; the Kafka key and its keyid name one participant.
3. decode: the one record that is decoded before its signature is verified, because it brings its own key.
4. signature by that key, which must be canonical and of large order: the request proves possession.
5. repeat: the request that made the registry's record is a duplicate.
6. right to the name: the key that the registry has for it (unless revoked), or a one-time token.
7. agreements: each is registered, in force at broker time, and signed in its present text.

The token of step 6 is known by its SHA-256, issued for this participant, not expired at broker time, and not used. The
key that the registry has needs no token and spends none, so a request may be sent again after a crash. A new key for a
name starts without agreements: the old key signed those.

Left to the caller: signing the participant's record as registrar, remembering used tokens, and letting the registry
view return its own results at once, before they come back through the topic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from fluvial.identity.envelope import verify_envelope
from fluvial.identity.keys import is_acceptable
from fluvial.wire.media_types import media_type
from fluvial.wire.names import is_name
from fluvial.wire.records import (
    DeviceProfile,
    EnrolmentRequest,
    EnrolmentToken,
    Participant,
    ParticipantStatus,
    Reason,
    SignedAgreement,
    Verdict,
)
from governance.admission.agreement import in_force
from governance.admission.case import Case, refusal
from governance.admission.framing import open_envelope
from governance.admission.identity import check_revocation, check_routing
from governance.admission.judgement import Fault, Parked, Refused, Source
from governance.admission.payload import read_payload
from governance.admission.reasons import QUARANTINED
from governance.admission.size import check_size
from governance.admission.views import AgreementsView

MAX_ENROLMENT_BYTES = 16 << 10
MAX_AGREEMENTS = 64
"""Agreements that one participant may have signed."""

_MAX_DEVICE_CHARACTERS = 128
_MAX_TOKEN_CHARACTERS = 256
_ENROLMENT_REQUEST = media_type(EnrolmentRequest)


class EnrolmentView(AgreementsView, Protocol):
    """The verified registry, as far as enrolment reads it."""

    def participant(self, participant: str, /) -> Participant | None: ...

    def token(self, token_sha256: bytes, /) -> EnrolmentToken | None: ...


UsedView = Callable[[str], bool]
"""Whether the token with this SHA-256 (lower-case hexadecimal) was used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """Accepted. participant: its record, to be signed by the registrar. token_sha256: the token that is used now."""

    verdict: Verdict
    participant: Participant
    token_sha256: bytes | None


EnrolmentJudgement = Refused | Parked | Enrolled


def judge_enrolment(raw: bytes, source: Source, *, registry: EnrolmentView, used: UsedView) -> EnrolmentJudgement:
    """Exactly one judgement of a record of the topic enrolments."""
    case = Case.of(raw, source, QUARANTINED)
    # 1 to 4.
    request = _read(case)
    if isinstance(request, Fault):
        return refusal(case, request)
    known = registry.participant(request.participant)
    # 5. Repeat.
    if known is not None and known.request_sha256 == case.record_sha256:
        return refusal(case, Fault(reason=Reason.DUPLICATE_IGNORED))
    # 6. Right to the name.
    same_key = known is not None and known.public_key == request.public_key
    token_sha256 = None if same_key else sha256(request.token.encode()).digest()
    if token_sha256 is not None:
        fault = _check_token(token_sha256, request.participant, source.timestamp_ms, registry, used)
    elif known is not None:
        fault = check_revocation(known)
    if fault is not None:
        return refusal(case, fault)
    # 7. Agreements.
    before = known.agreements if known is not None and same_key else ()
    fault = _check_agreements(request.agreements, before, source.timestamp_ms, registry)
    if fault is not None:
        return refusal(case, fault)
    participant = Participant(
        participant=request.participant,
        public_key=request.public_key,
        status=ParticipantStatus.ACTIVE,
        agreements=_merged(before, request.agreements),
        device=request.device,
        enrolled_ms=known.enrolled_ms if known is not None and same_key else source.timestamp_ms,
        request_sha256=case.record_sha256,
    )
    return Enrolled(verdict=case.verdict(Reason.ACCEPTED), participant=participant, token_sha256=token_sha256)


def _read(case: Case) -> EnrolmentRequest | Fault:
    """Steps 1 to 4: the request, signed by the key that it brings."""
    fault = (
        check_size(case.raw, MAX_ENROLMENT_BYTES)  # 1. Size.
        or open_envelope(case)  # 2. Framing.
        or check_routing(case)
    )
    if fault is not None:
        return fault
    # 3. Decode.
    request = read_payload(case.envelope, EnrolmentRequest, _ENROLMENT_REQUEST)
    if isinstance(request, Fault):
        return request
    if not _is_well_formed(request):
        return Fault(reason=Reason.DECODE)
    if request.participant != case.envelope.signatures[0].keyid:
        return Fault(reason=Reason.PARTICIPANT_MISMATCH)
    # 4. Signature.
    if not is_acceptable(request.public_key) or not verify_envelope(case.envelope, request.public_key):
        return Fault(reason=Reason.SIGNATURE)
    return request


def _is_well_formed(request: EnrolmentRequest) -> bool:
    return (
        is_name(request.participant)
        and len(request.token) <= _MAX_TOKEN_CHARACTERS
        and all(is_name(signed.agreement) for signed in request.agreements)
        and _is_plain(request.device)
    )


def _is_plain(device: DeviceProfile) -> bool:
    """The device's names are free text that reaches the registry and the audit log: short, one printable line."""
    words = (device.platform, device.machine, device.accelerator, device.network)
    return device.memory_bytes >= 0 and all(
        len(word) <= _MAX_DEVICE_CHARACTERS and word.isprintable() for word in words
    )


def _check_token(
    token_sha256: bytes, participant: str, at_ms: int, registry: EnrolmentView, used: UsedView
) -> Fault | None:
    token = registry.token(token_sha256)
    if token is None or used(token_sha256.hex()):
        # The token, or the record of the enrolment that used it, may not have come through the registry yet.
        return Fault(reason=Reason.TOKEN_INVALID, waits=True)
    if token.participant != participant or at_ms > token.expires_ms:
        return Fault(reason=Reason.TOKEN_INVALID)
    return None


def _check_agreements(
    signed: tuple[SignedAgreement, ...], before: tuple[SignedAgreement, ...], at_ms: int, registry: EnrolmentView
) -> Fault | None:
    names = [one.agreement for one in signed]
    if len(set(names)) < len(names) or len({*names, *(one.agreement for one in before)}) > MAX_AGREEMENTS:
        return Fault(reason=Reason.AGREEMENT)
    for one in signed:
        terms, digest = registry.agreement(one.agreement), registry.agreement_sha(one.agreement)
        if terms is None or digest is None or digest != one.sha256:
            # Also another text: the newer one may be under way.
            return Fault(reason=Reason.AGREEMENT, waits=True)
        if not in_force(terms, at_ms):
            return Fault(reason=Reason.AGREEMENT)
    return None


def _merged(before: tuple[SignedAgreement, ...], signed: tuple[SignedAgreement, ...]) -> tuple[SignedAgreement, ...]:
    """By name, what is signed now in place of what was signed before."""
    newest = {one.agreement: one for one in (*before, *signed)}
    return tuple(newest[name] for name in sorted(newest))
