"""What each reason code means; the decision that it stands for says `fluvial.admission.decisions`.

A record's first failing check gives its reason; nothing after it is looked at. Rules that are not in one check's file:

* **Duplicate before everything that can change.** Bytes that were accepted before are a DUPLICATE whatever has happened
  since, also when their round is over: a repeat is the broker's or the sender's, and does no harm. Some rounds later
  they are forgotten, and STALE_ROUND as everything else for that round.
* **Equivocation before freshness.** Two different records that one key signed for one attempt of a round contradict
  each other whenever they are read. The one accepted first counts.
* **A few failures.** While none is accepted, a participant may send another update for a round, because an upload can
  go wrong; but to look at content costs more than to sign an envelope, so after MAX_FAILURES it is over.
* **Waiting.** Registry, rounds and updates are three topics, and a record may overtake what it refers to. Where a
  record under way may still turn the answer, the gate says `Parked`; when the wait is over, it is refused. That is so
  for KEY_UNKNOWN, TASK_UNKNOWN, ROUND_UNKNOWN and ARTEFACT_UNKNOWN, for AGREEMENT and AGREEMENT_WITHDRAWN when the
  agreement or its signing is not heard of (an agreement that has ended is refused at once), and for TOKEN_INVALID when
  the token or the enrolment that used it is not. SIGNATURE never waits: anybody can make a wrong signature in somebody
  else's name.
* **Late is not refused here.** Broker time after the round's deadline is the business of aggregation, which gives a
  receipt.
* **Who decides QUARANTINE.** Reasons named by `GatePolicy.quarantined` (by default SCHEMA_UNKNOWN: a newer client is
  not an attack; LOW_SCORE: nor is a rare kind of data; and UNHANDLED, always: the fault is ours) are held for a person;
  all others are rejected.
* **Which bytes are kept.** `keeps_raw`: those of every record refused, as evidence, but not of a duplicate (its bytes
  are the accepted record's) nor of an oversized one or of one too many (a flood would be written twice, and what is as
  large as the broker allows does not fit once more with its reason; its source position and digest stand in the
  verdict).
"""

from __future__ import annotations

from fluvial.wire.records import Decision, Reason, Verdict

MEANINGS: dict[Reason, str] = {
    Reason.ACCEPTED: "Every check passed; the update goes to aggregation, the enrolment into the registry.",
    Reason.SIZE_LIMIT: "The record, or the delta inside it, is larger than the policy allows. Nothing was parsed.",
    Reason.ENVELOPE: "Not a signed envelope with exactly one signature.",
    Reason.KEY_UNKNOWN: "No enrolled participant has the name that the envelope's keyid claims.",
    Reason.KEY_REVOKED: "The participant's key was revoked; the signature itself is good.",
    Reason.SIGNATURE: "The signature is not by the claimed participant's key, or that key proves nothing.",
    Reason.SCHEMA_UNKNOWN: "Signed, but of another type or version than the one that is decoded here.",
    Reason.DECODE: "The signed bytes are not the record: cut short, or a number, name or digest outside its form.",
    Reason.NON_CANONICAL: "The bytes decode, but the record encodes to others: trailing or padded bytes.",
    Reason.PARTICIPANT_MISMATCH: "The Kafka key, the envelope's keyid and the payload name different participants.",
    Reason.TASK_UNKNOWN: "The registry has no such task.",
    Reason.ROUND_UNKNOWN: "The round or its attempt has not been opened.",
    Reason.STALE_ROUND: "A newer round or attempt is open and takes the update no more, or the task is finished.",
    Reason.WRONG_BASE: "Trained from another model than its round's.",
    Reason.AGREEMENT: "The agreement is unknown, not in force at broker time, or not signed in its present text.",
    Reason.AGREEMENT_WITHDRAWN: "The participant withdrew the agreement before the open round was opened.",
    Reason.REQUEST_OUTDATED: "The participant has asked for something else since: a copy of a former request.",
    Reason.DUPLICATE_IGNORED: "The very bytes were accepted before.",
    Reason.EQUIVOCATION: "The participant signed two different updates for one attempt (of an asynchronous round: for "
    "one round); the one accepted first counts.",
    Reason.MANIFEST_MISMATCH: "Another tensor layout, or chunks that do not cover the model exactly once, in place.",
    Reason.ENCODING: "A tensor encoding that the round does not take, or scales or codes it never makes.",
    Reason.WEIGHT: "The weight is below the round's participation.min_examples or above its max_weight.",
    Reason.INCOMPLETE: "A listed chunk can no longer be read.",
    Reason.CHUNK_MISMATCH: "A chunk's bytes are not those that the signed envelope lists.",
    Reason.NON_FINITE: "NaN or infinity among the elements.",
    Reason.MAGNITUDE_EXCEEDED: "An element, or what an int8 scale stands for, is beyond the round's max_abs.",
    Reason.NORM_EXCEEDED: "The L2 norm is beyond the round's max_norm.",
    Reason.TOKEN_INVALID: "The enrolment token is missing, unknown, used, expired, or another participant's.",
    Reason.NOT_INVITED: "The round's public seed did not invite the participant.",
    Reason.OTHER: "A reason that is newer than whoever reads; never given by this gate.",
    Reason.CHUNK_CLAIMED: "A listed chunk was uploaded by another participant.",
    Reason.UNHANDLED: "The stage failed whenever it was given the record, which is a fault of the stage: the record is "
    "held with the traceback, and everything else goes on.",
    Reason.NOT_ASKED: "The task asks for no measurements of participants, or names no such variant.",
    Reason.ARTEFACT_UNKNOWN: "A measurement of other bytes than the variant's, or of a variant that was not built.",
    Reason.OUT_OF_RANGE: "A number of the measurement that no measurement can give, or names that are too long; an "
    "enrolment that is dated more than a day ahead of the broker's clock.",
    Reason.LOW_SCORE: "With this update the model does worse on the task's canary set than its limits allow.",
    Reason.OTHER_FEDERATION: "Signed, but for another federation, or for none. Take today's federation.json, and a "
    "release that signs for the federation which it names.",
    Reason.OVER_RATE: "The sender, or all together who are not enrolled, sent more than they are given. Nothing was "
    "opened; send again later.",
    Reason.TOO_MANY_FAILURES: "So many updates of the participant for this round failed that no more is looked at.",
}
"""Every reason has its meaning here; a test compares this table with the schema."""

_RAW_NOT_KEPT = frozenset({Reason.SIZE_LIMIT, Reason.OVER_RATE, Reason.UNHANDLED})
"""Of what was set aside, the job's guard keeps the bytes, beside the traceback."""


def keeps_raw(verdict: Verdict) -> bool:
    """Whether the raw bytes of the record go to the quarantine topic."""
    return verdict.decision in (Decision.REJECT, Decision.QUARANTINE) and verdict.reason not in _RAW_NOT_KEPT
