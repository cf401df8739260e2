"""Step 7, freshness: the update is for the round that is open, and was trained from that round's model.

The deadline plays no part: an update after it is late, which aggregation says in a receipt.
"""

from __future__ import annotations

from fluvial.wire.records import ModelUpdate, Reason, Round, RoundStatus
from governance.admission.judgement import Fault
from governance.admission.views import RegistryView, RoundsView


def find_round(update: ModelUpdate, registry: RegistryView, rounds: RoundsView) -> Round | Fault:
    """The open round that the update is for.

    TASK_UNKNOWN and ROUND_UNKNOWN (newer than the newest heard of), which wait; STALE_ROUND for an older round or
    attempt and for a finished task; WRONG_BASE for another base model.
    """
    if registry.task(update.task) is None:
        return Fault(reason=Reason.TASK_UNKNOWN, waits=True)
    current = rounds.current(update.task)
    if current is None or (update.round, update.attempt) > (current.round, current.attempt):
        return Fault(reason=Reason.ROUND_UNKNOWN, waits=True)
    if (update.round, update.attempt) < (current.round, current.attempt) or current.status is not RoundStatus.OPEN:
        return Fault(reason=Reason.STALE_ROUND)
    if update.base_version != current.base_version or update.base_digest != current.base_digest:
        return Fault(reason=Reason.WRONG_BASE)
    return current
