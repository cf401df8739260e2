"""Enrolment: a participant's name bound to its key, under agreements it has signed.

1. Read each agreement from the registry; the operator's signature is verified there.
2. Put the SHA-256 of its signed payload into the request and sign the request with the key that it enrols: that signs
   the agreement.
3. Send it, and wait for the registrar's record of this key, or for the verdict that refuses this very request.

What is checked elsewhere: the token, whether the agreement is in force, whether the name is free (governance/registry).
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace

from fluvial.edge.device import profile
from fluvial.edge.errors import EnrolmentRejected, EnrolmentTimeout
from fluvial.edge.mailbox import Mailbox
from fluvial.edge.registry import Registry
from fluvial.identity.envelope import seal
from fluvial.identity.federation import Federation
from fluvial.identity.keys import SigningKey
from fluvial.identity.vouching import public_form, token_key, vouch
from fluvial.kafka import Position, Transport, TransportUnavailable
from fluvial.wire.names import check_participant, check_token
from fluvial.wire.records import Decision, EnrolmentRequest, Participant, ParticipantStatus, SignedAgreement, Verdict

_POLL_SECONDS = 0.1
_CONTRADICTED_SECONDS = 2.0
"""After a refusal: whoever may write verdicts can forge one, but not keep the registrar from enrolling meanwhile."""


def enrol(
    transport: Transport,
    federation: Federation,
    name: str,
    key: SigningKey,
    token: str,
    agreements: Sequence[str] = (),
    timeout: float = 60.0,
    *,
    former_key: SigningKey | None = None,
    withdrawn: Sequence[str] = (),
) -> Participant:
    """The registrar's record of the participant, present or made now.

    token: the one-time token; may be empty when the participant is enrolled already and signs a further agreement.
    former_key: the key that `key` takes the place of, and that vouches for it; agreements are signed anew by the new
    one. withdrawn: agreements that are signed no more.
    Raises ValueError for a name or token that cannot be one, an agreement that the registry lacks, a missing token or a
    name that another key has, EnrolmentRejected,
    EnrolmentTimeout, TransportUnavailable.
    """
    check_participant(name)
    deadline = time.monotonic() + timeout
    registry = Registry(transport, federation)
    try:
        registry.refresh(timeout)
        known = registry.participant(name)
        check_may_ask(known, name, key, token, former_key)
        signed = tuple(_sign_for(registry, agreement) for agreement in sorted(set(agreements)))
        if known is not None:
            is_signed = {one.agreement for one in known.agreements}.isdisjoint(withdrawn)
            if known.public_key == key.public_key and is_signed and set(signed) <= set(known.agreements):
                return known
        request = EnrolmentRequest(
            participant=name,
            public_key=key.public_key,
            token=public_form(token) if known is None else "",
            agreements=signed,
            device=profile(),
            requested_ms=_requested_ms(known),
            withdrawn=tuple(sorted(set(withdrawn))),
        )
        topics = federation.topics
        voucher = token_key(token) if known is None else former_key
        if voucher is not None and voucher.public_key != key.public_key:
            proof = vouch(voucher, topics.scope, name, key.public_key)
            request = replace(request, token=voucher.public_key.hex(), proof=proof)
        raw = seal(request, key, name, topics.scope)
        position = _send(transport, topics.enrolments, name, raw, deadline)
        mailbox = Mailbox(transport, topics, name, position.timestamp_ms)
        try:
            return _await_answer(registry, mailbox, topics.enrolments, name, raw, position, deadline)
        finally:
            mailbox.close()
    finally:
        registry.close()


def _requested_ms(known: Participant | None) -> int:
    """This device's clock, but after the request before, whatever clock that one was made by."""
    now_ms = time.time_ns() // 1_000_000
    return now_ms if known is None else max(now_ms, known.requested_ms + 1)


def _sign_for(registry: Registry, agreement: str) -> SignedAgreement:
    terms = registry.terms(agreement)
    if terms is None:
        raise ValueError(f"the registry has no agreement {agreement!r} signed by the operator")
    return SignedAgreement(agreement=agreement, sha256=terms.sha256)


def check_may_ask(
    known: Participant | None, name: str, key: SigningKey, token: str, former_key: SigningKey | None = None
) -> None:
    """What can be said of a request before anybody reads an agreement for it. known: the registry's entry of that
    name. Raises ValueError for a name that is revoked or another key's, and for a token that is missing or is none."""
    check_token(token)
    if known is None:
        if not token:
            raise ValueError(
                f"{name} is not enrolled yet: that takes the one-time token that the operator gave out (`fluvial enrol "
                "--token-file FILE`, or the variable FLUVIAL_TOKEN)"
            )
        return
    if known.status is ParticipantStatus.REVOKED:
        raise ValueError(f"the participant {known.participant} is revoked")
    own = [each.public_key for each in (key, former_key) if each is not None]
    if known.public_key not in own:
        raise ValueError(f"the name {known.participant} is enrolled with another key")


def _send(transport: Transport, topic: str, name: str, raw: bytes, deadline: float) -> Position:
    try:
        return transport.produce(topic, raw, key=name.encode()).result(max(0.0, deadline - time.monotonic()))
    except TimeoutError as error:
        raise TransportUnavailable(f"{topic}: no acknowledgement in time") from error


def _await_answer(
    registry: Registry, mailbox: Mailbox, topic: str, name: str, raw: bytes, position: Position, deadline: float
) -> Participant:
    """The record made from this request; its digest tells it from one made from an earlier request."""
    request_sha256 = hashlib.sha256(raw).digest()
    refusal: Verdict | None = None
    until = deadline
    while time.monotonic() < until:
        mailbox.poll(0.0)
        registry.poll(_POLL_SECONDS)
        record = registry.participant(name)
        if record is not None and record.request_sha256 == request_sha256:
            return record
        verdict = mailbox.verdict_at(topic, position, _POLL_SECONDS)
        # Nobody signs verdicts: one that names other bytes was written by whoever guessed the place.
        is_of_it = verdict is not None and verdict.record_sha256 == request_sha256
        if verdict is None or not is_of_it or verdict.decision is Decision.ACCEPT:
            refusal, until = None, deadline
        elif refusal is None:
            refusal, until = verdict, min(deadline, time.monotonic() + _CONTRADICTED_SECONDS)
    if refusal is not None:
        raise EnrolmentRejected(refusal)
    raise EnrolmentTimeout(
        f"no answer to the enrolment of {name}; is the validation job running? Enrolling again is safe"
    )
