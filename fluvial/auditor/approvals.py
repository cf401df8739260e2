"""Checks that terms were weakened by as many operators as those before ask for (`fluvial.registry.approval`): in the
registry from one record of a task to the next, and in the rounds from one that the aggregator signed to the next.

Whoever holds the operator's key can sign weaker terms alone, and whoever holds the cluster can open rounds under them
without any. Both topics are compacted: where records between two rounds are gone, signatures may be gone with them.
That is taken on trust, and counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fluvial.auditor.reader import TopicRecord
from fluvial.auditor.report import Problems
from fluvial.registry.approval import weakened, why_not_approved
from fluvial.registry.order import order
from fluvial.registry.round_terms import UNSTATED, changed, of_round
from fluvial.registry.rounds import place
from fluvial.wire.errors import FluvialError
from fluvial.wire.records import Round, RoundStatus, Task
from fluvial.wire.task_file import TaskFile

CHECK = "approvals"


@dataclass(frozen=True, slots=True)
class Registered:
    """A task's record as the operator has signed it. where: its place in the registry; its value is the envelope."""

    where: TopicRecord
    task: Task

    @property
    def sealed(self) -> bytes:
        return self.where.value or b""


def check_approvals(registered: Iterable[Registered], rounds: Iterable[Round], problems: Problems) -> int:
    """How many times terms became weaker of which the registry has forgotten who signed.

    1. A record of a task that is weaker than the newest one before it that was approved bears the signatures that this
    one asks for, and counts for nothing otherwise. 2. A round whose terms are weaker than those of the round before it
    follows from these by records that are approved, one after the other.
    """
    by_task: dict[str, list[Registered]] = defaultdict(list)
    for each in registered:
        by_task[each.task.task].append(each)
    for found in by_task.values():
        found.sort(key=lambda each: (*order(each.task), each.where.offset))
        _check_records(found, problems)
    opened: dict[str, list[Round]] = defaultdict(list)
    for round_ in rounds:
        if round_.status is RoundStatus.OPEN and not round_.partial:
            opened[round_.task].append(round_)
    return sum(_check_rounds(sorted(each, key=place), by_task.get(task, ()), problems) for task, each in opened.items())


def _check_records(found: Sequence[Registered], problems: Problems) -> None:
    before: TaskFile | None = None
    for each in found:
        after = _file(each)
        if after is None:
            continue
        if before is not None and (why := why_not_approved(before, after, each.sealed)):
            problems.add(CHECK, each.where, f"version {each.task.version} of the task {each.task.task}: {why}")
        else:
            before = after


def _check_rounds(rounds: Sequence[Round], found: Sequence[Registered], problems: Problems) -> int:
    base = next((file for each in reversed(found) if (file := _file(each)) is not None), None)
    if base is None:
        return 0
    versions = {each.task.version for each in found}  # copies say nothing of what is missing
    is_whole = versions == set(range(len(versions)))
    on_trust = 0
    before: tuple[Round, TaskFile] | None = None
    for round_ in rounds:
        try:
            terms = of_round(base, round_)
        except (ValueError, FluvialError):
            continue  # of a newer release, or not to be read: the gate refuses all that is sent for it
        fields = () if before is None else _weakened(before, (round_, terms), found)
        if fields and is_whole:
            problems.add(
                CHECK,
                f"round {round_.round}, attempt {round_.attempt} of {round_.task}",
                f"its terms weaken {', '.join(fields)}, which the operators that must sign have not signed",
            )
            continue
        on_trust += bool(fields)
        before = round_, terms
    return on_trust


def _weakened(
    before: tuple[Round, TaskFile], after: tuple[Round, TaskFile], found: Sequence[Registered]
) -> tuple[str, ...]:
    """What a round weakens that nobody has allowed; empty where its terms are as strong as those of the round before,
    or as those that approved records have made of them."""
    held, agreement = before[1], before[0].agreement
    if not held.approval.operators:
        return ()
    fields = _weaker(held, agreement, after)
    for each in found:
        file = _file(each)
        if not fields or file is None:
            continue
        new = changed(held, file)
        if not why_not_approved(held, new, each.sealed):
            held, agreement = new, file.agreement.name if file.agreement else ""
            fields = _weaker(held, agreement, after)
    return fields


def _weaker(held: TaskFile, agreement: str, after: tuple[Round, TaskFile]) -> tuple[str, ...]:
    """A round states the agreement's name alone, so this is compared by itself; and nothing of sections that rounds do
    not state, which are the file's."""
    round_, terms = after
    same = terms.model_copy(update={name: getattr(held, name) for name in UNSTATED})
    fields = weakened(held, same)
    return (*fields, "agreement") if round_.agreement != agreement else fields


def _file(registered: Registered) -> TaskFile | None:
    try:
        return TaskFile.model_validate_json(registered.task.specification)
    except ValueError:
        return None
