"""What a participant can do about a refusal, in words. What each reason means: docs/reasons.md."""

from fluvial.wire.records import Outcome, Reason, Receipt, Verdict

_ADVICE = {
    Reason.TOKEN_INVALID: "the token is unknown, used, expired, or another participant's: ask the operator for one for "
    "this name (`fluvial task token NAME`)",
    Reason.KEY_UNKNOWN: "nobody of this name is enrolled with this key: `fluvial enrol` does it",
    Reason.SIGNATURE: "another key than the one that is enrolled signed it: was the key replaced meanwhile?",
    Reason.KEY_REVOKED: "the operator took the key out of force",
    Reason.AGREEMENT: "the task's agreement is not signed, or no more: `fluvial enrol --task TASK` shows and signs it",
    Reason.AGREEMENT_WITHDRAWN: "the task's agreement was withdrawn: `fluvial enrol --task TASK` shows it and signs it "
    "again",
    Reason.REQUEST_OUTDATED: "another request of this participant was accepted since: run the command again",
    Reason.OUT_OF_RANGE: "a number that cannot be; of an enrolment, that it is dated more than a day ahead of the "
    "broker: set this device's clock",
    Reason.WEIGHT: "the number of examples is outside what the task takes (participation.min_examples, "
    "limits.max_weight)",
    Reason.EQUIVOCATION: "another update of this name for the round was accepted: one process at a time takes part "
    "under a name, and always with the same outbox",
    Reason.OTHER_FEDERATION: "it was signed for another federation: is the federation file the right one?",
    Reason.OVER_RATE: "too much was sent at once: send it again later",
}


def advice(verdict: Verdict) -> str:
    """Empty for an accepted record, and where there is nothing to be done."""
    if verdict.reason is Reason.NORM_EXCEEDED:
        return _smaller(f"its L2 norm is {verdict.norm:.4g}", "max_norm")
    if verdict.reason is Reason.MAGNITUDE_EXCEEDED:
        return _smaller(f"its largest element is {verdict.max_abs:.4g}", "max_abs")
    return _ADVICE.get(verdict.reason, "")


def advice_on(receipt: Receipt) -> str:
    """What to make of a receipt that is no inclusion; empty for the others."""
    if receipt.outcome is Outcome.ROUND_FAILED:
        return (
            "no model came of this attempt, mostly for want of updates by its deadline; the next one takes this update "
            "again"
        )
    return ""


def _smaller(what: str, limit: str) -> str:
    return (
        f"{what}, above the task's limits.{limit}: a smaller learning_rate or fewer epochs make it smaller, inputs of "
        "a scale near 1 what BatchNorm keeps of them; the operator can allow more (`fluvial task update`)"
    )
