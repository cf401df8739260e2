"""Reconciles rounds and leaves: what the aggregator signed, and what the log says was opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fluvial.auditor.leaves import RoundPlace, round_place
from fluvial.auditor.log import Log
from fluvial.auditor.patience import Patience
from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Findings, Problems, Reconciled
from fluvial.auditor.settling import Settling
from fluvial.identity.envelope import unseal
from fluvial.registry.rounds import NewestRounds
from fluvial.wire.errors import DecodeError, VerificationError
from fluvial.wire.records import Round, RoundStatus, RoundTransition

CHECK = "rounds"


@dataclass(slots=True)
class Rounds:
    """The rounds that the topic still has, as the aggregator signed them. The topic is compacted: of older rounds the
    leaves alone tell, and the newest of each task is there."""

    signed: dict[RoundPlace, Round] = field(default_factory=dict)
    reconciled: Reconciled = field(default_factory=Reconciled)


def read_rounds(
    records: Iterator[TopicRecord],
    log: Log,
    events_topic: str,
    aggregator_key: bytes,
    patience: Patience,
    findings: Findings,
    scope: str = "",
) -> Rounds:
    """Check the topic `rounds` and the leaves of rounds against one another.

    1. What the aggregator has not signed is skipped. 2. A round that it signed has the leaf that says it was opened, on
    the same version, or is too new. 3. A leaf opens no round beyond the newest that is signed, and each after the one
    before it. 4. What is closed or has failed was opened before. Leaves may lack where retention took events.
    """
    rounds, newest = Rounds(), NewestRounds(aggregator_key, scope)
    lacks_leaves = any(gap.topic == events_topic for gap in log.gaps)
    problems, settling = findings.problems, Settling()
    total = matched = 0
    for record in records:
        try:
            round_ = unseal(record.value or b"", Round, aggregator_key, scope)
        except (DecodeError, VerificationError) as error:
            total += 1
            findings.skipped.add(CHECK, record, f"no round signed by the aggregator: {error}")
            continue
        newest.take(round_)
        if round_.status is not RoundStatus.OPEN:
            continue  # it opens nothing, so there is no leaf to be counted
        total += 1
        place = round_.task, round_.round, round_.attempt
        rounds.signed[place] = round_
        leaf = log.opened.get(place)
        if leaf is None:
            settling.waiting(record)
            continue
        settling.settled(record)
        if leaf.record.base_version != round_.base_version:
            problems.add(CHECK, record, f"begins on version {round_.base_version}, but not in leaf {leaf.sequence}")
        else:
            matched += 1
    pending, overdue = settling.overdue(patience)
    for record in overdue if not lacks_leaves else ():
        problems.add(CHECK, record, "has no leaf that says it was opened, though newer rounds have, or for too long")
    _check_leaves(log, newest, lacks_leaves, problems)
    rounds.reconciled = Reconciled(total=total, matched=matched, pending=pending)
    return rounds


def _check_leaves(log: Log, newest: NewestRounds, lacks_leaves: bool, problems: Problems) -> None:
    before: dict[str, tuple[int, int]] = {}
    for leaf in log.opened.each():
        task, number, attempt = round_place(leaf.record)
        known, described = newest.newest(task), f"opens round {number}, attempt {attempt} of {task}"
        if known is None or (number, attempt) > (known.round, known.attempt):
            problems.add(CHECK, f"leaf {leaf.sequence}", f"{described}, which nobody signed")
        if (number, attempt) <= before.get(task, (0, 0)):
            problems.add(CHECK, f"leaf {leaf.sequence}", f"{described} after a later one")
        before[task] = number, attempt
    for ended in log.ended.each():
        event = ended.record
        opened = log.opened.get((event.task, event.round, event.attempt))
        if event.transition not in (RoundTransition.CLOSED, RoundTransition.FAILED) or lacks_leaves:
            continue
        if opened is None or opened.sequence > ended.sequence:
            problems.add(
                CHECK,
                f"leaf {ended.sequence}",
                f"says {event.transition} of round {event.round}, attempt {event.attempt} of {event.task}, "
                "which was not opened",
            )
