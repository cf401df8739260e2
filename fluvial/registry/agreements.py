"""What a participant has agreed to, and until when: one rule for gate, participants, regions and auditor. Pure.

A withdrawal takes effect with the next round. The registrar writes down the broker's time of the request that
withdraws; a round says when it was opened; both are signed. A round that was opened before takes what the participant
sends for it, because it was begun under the agreement; every later one refuses. So the answer depends on two records
and not on who has heard what first, and it stays the same for whoever asks again.
"""

from __future__ import annotations

from enum import Enum

from fluvial.wire.records import EnrolmentRequest, Participant, SignedAgreement, WithdrawnAgreement

MAX_AGREEMENTS = 64
"""Agreements that one participant may have signed; and that are remembered as withdrawn, the newest."""


class Standing(Enum):
    """How a participant stands to a text. UNTIL_NEXT: it was withdrawn, but not for what was begun before."""

    SIGNED = "signed"
    UNTIL_NEXT = "withdrawn, but the round was opened before"
    WITHDRAWN = "withdrawn"
    NEVER = "not signed in this text"

    @property
    def counts(self) -> bool:
        """Whether an update may be taken."""
        return self in (Standing.SIGNED, Standing.UNTIL_NEXT)


def standing(participant: Participant, agreement: str, sha256: bytes, begun_ms: int) -> Standing:
    """How the participant stands to the text with this digest, 32 bytes. begun_ms: when the round was opened that is to
    take an update; of what has no round, the broker's time of the record."""
    if SignedAgreement(agreement=agreement, sha256=sha256) in participant.agreements:
        return Standing.SIGNED
    gone = next((one for one in participant.withdrawn if one.agreement == agreement), None)
    if gone is None:
        return Standing.NEVER
    return Standing.UNTIL_NEXT if gone.sha256 == sha256 and begun_ms < gone.withdrawn_ms else Standing.WITHDRAWN


def agreements_after(
    signed: tuple[SignedAgreement, ...],
    withdrawn: tuple[WithdrawnAgreement, ...],
    request: EnrolmentRequest,
    at_ms: int,
) -> tuple[tuple[SignedAgreement, ...], tuple[WithdrawnAgreement, ...]]:
    """What is signed and what is withdrawn, by name, after a request that the broker had at `at_ms`. What was withdrawn
    once stays so since then; what is signed again is withdrawn no more."""
    newest = {one.agreement: one for one in (*signed, *request.agreements)}
    gone = {one.agreement: one for one in withdrawn}
    for name in request.withdrawn:
        if (one := newest.pop(name, None)) is not None:
            gone[name] = WithdrawnAgreement(agreement=name, sha256=one.sha256, withdrawn_ms=at_ms)
    left = sorted((one for name, one in gone.items() if name not in newest), key=lambda one: one.withdrawn_ms)
    return (
        tuple(newest[name] for name in sorted(newest)),
        tuple(sorted(left[-MAX_AGREEMENTS:], key=lambda one: one.agreement)),
    )
