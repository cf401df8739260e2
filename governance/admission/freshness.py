"""Step 7, freshness: the update is for a round that takes it, and was trained from that round's model.

A synchronous round takes updates of its own attempt. An asynchronous one (buffered, tumbling) takes updates of any
attempt of the last `max_staleness` rounds, each trained from the model of its own round, and one for each participant
and round: what was accepted for one attempt counts for all of them. The deadline plays no part: an update after it is
late, which aggregation says in a receipt.
"""

from __future__ import annotations

from fluvial.admission.case import Case
from fluvial.admission.judgement import Fault
from fluvial.admission.views import RegistryView, RoundsView, SeenView
from fluvial.registry.rounds import is_ahead
from fluvial.wire.records import Reason, RoundStatus, WindowMode


def find_rounds(case: Case, registry: RegistryView, rounds: RoundsView, seen: SeenView) -> Fault | None:
    """Finds the rounds that the update has to do with.

    TASK_UNKNOWN and ROUND_UNKNOWN (newer than the newest heard of), which wait; STALE_ROUND for a round or attempt that
    is no longer taken, and for a task that is paused or over; EQUIVOCATION for a second update of an asynchronous
    round; WRONG_BASE for another base model.
    """
    update = case.signed
    if registry.task(update.task) is None:
        return Fault(reason=Reason.TASK_UNKNOWN, waits=True)
    current = rounds.current(update.task)
    if current is None or is_ahead(update.round, update.attempt, current):
        return Fault(reason=Reason.ROUND_UNKNOWN, waits=True)
    if current.status is not RoundStatus.OPEN or update.round < current.round - current.max_staleness:
        return Fault(reason=Reason.STALE_ROUND)
    if current.window is WindowMode.SYNCHRONOUS:
        trained_for = current if update.attempt == current.attempt else None
    else:
        trained_for = current if update.round == current.round else rounds.opened(update.task, update.round)
        if seen.accepted_in_round(update.participant, update.task, update.round):
            return Fault(reason=Reason.EQUIVOCATION)
    if trained_for is None or update.attempt > trained_for.attempt:
        return Fault(reason=Reason.STALE_ROUND)
    if update.base_version != trained_for.base_version or update.base_digest != trained_for.base_digest:
        return Fault(reason=Reason.WRONG_BASE)
    case.round, case.trained_for = current, trained_for
    return None
