"""What became of each participant, in words, from its verdicts and receipts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from deploy.demo.cast import Member, Role
from deploy.demo.ledger import Ledger, Place
from deploy.demo.reports import Sent, Stuck
from deploy.demo.summary import Outcome
from fluvial.wire.records import Decision, Receipt, Verdict
from fluvial.wire.records import Outcome as ReceiptOutcome


def outcomes(
    members: Sequence[Member], ledger: Ledger, sent: Iterable[Sent], stuck: Mapping[str, Stuck]
) -> list[Outcome]:
    """One outcome per member, in their order. sent: where their envelopes lie. stuck: uploads cut short, by member."""
    kinds: dict[tuple[str, str], list[Sent]] = {}
    for report in sent:
        kinds.setdefault((report.member, report.kind), []).append(report)
    found = []
    for member in members:
        parts = []
        if member.enrols:
            own = ledger.verdicts_on(_places(kinds.get((member.name, "own"), [])))
            parts.append(_of_updates(own, ledger.receipts_of(member.name)))
        if member.role is Role.VANISHING:
            parts.insert(0, _of_upload(stuck.get(member.name), kinds.get((member.name, "own"), [])))
        for kind, noun in (("replay", "replays"), ("forgery", "forgeries")):
            places = _places(kinds.get((member.name, kind), []))
            if places:
                parts.append(_of_attacks(ledger.verdicts_on(places), len(places), noun))
        found.append(Outcome(name=member.name, role=member.role.value, outcome="; ".join(parts) or "sent nothing"))
    return found


def breaches(ledger: Ledger, sent: Iterable[Sent]) -> list[str]:
    """Attacks that validation accepted, in words."""
    return [
        f"a {report.kind} by {report.member} in round {report.round} was accepted"
        for report in sent
        if report.kind != "own"
        for verdict in ledger.verdicts_on([(report.partition, report.offset)])
        if verdict.decision is Decision.ACCEPT
    ]


def _places(reports: Iterable[Sent]) -> list[Place]:
    return [(report.partition, report.offset) for report in reports]


def _of_updates(verdicts: Sequence[Verdict], receipts: Sequence[Receipt]) -> str:
    counts = Counter(receipt.outcome for receipt in receipts)
    words = {
        ReceiptOutcome.INCLUDED: "included",
        ReceiptOutcome.EXCLUDED: "accepted, then left out by the rule",
        ReceiptOutcome.LATE: "late",
        ReceiptOutcome.ROUND_FAILED: "in a round without a quorum",
    }
    parts = [f"{counts[outcome]} {word}" for outcome, word in words.items() if counts[outcome]]
    refused = _reasons(verdict for verdict in verdicts if verdict.decision is not Decision.ACCEPT)
    if refused:
        parts.append(f"refused: {refused}")
    return f"{len(verdicts)} updates: " + (", ".join(parts) or "no answer yet")


def _of_attacks(verdicts: Sequence[Verdict], num_sent: int, noun: str) -> str:
    accepted = sum(verdict.decision is Decision.ACCEPT for verdict in verdicts)
    if accepted:
        return f"{accepted} of {num_sent} {noun} ACCEPTED"
    refused = _reasons(verdicts)
    return f"{len(verdicts)} of {num_sent} {noun} refused" + (f": {refused}" if refused else "")


def _of_upload(stuck: Stuck | None, own: Sequence[Sent]) -> str:
    if stuck is None:
        return "was not interrupted"
    resumed = next((report for report in own if report.round == stuck.round), None)
    what = f"killed in round {stuck.round} after {stuck.num_acknowledged} of {stuck.num_chunks} chunks"
    if stuck.num_chunks == 0:
        what = f"killed in round {stuck.round} before its envelope was out"
    if resumed is None:
        return f"{what}, came back too late for that round"
    return (
        f"{what}, came back and sent the other {resumed.num_uploaded}"
        if stuck.num_chunks
        else f"{what}, came back and sent it"
    )


def _reasons(verdicts: Iterable[Verdict]) -> str:
    counts = Counter(verdict.reason.value for verdict in verdicts)
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
