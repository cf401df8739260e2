"""A decision as it is written: so much of it that it fits an event of the audit log, whatever was measured. Pure.

Names of groups and classes come from participants, and so does the number of comparisons. A decision that did not fit
would be written nowhere, and no later one of its task either.
"""

from __future__ import annotations

from dataclasses import replace

from fluvial.wire.framing import encode
from fluvial.wire.records import Promotion
from governance.audit.events import MAX_DATA_BYTES

MAX_REASON = 1_000
"""Characters that are left of the reason of a decision that does not fit even without its comparisons."""

_MORE = " [...]"


def recorded(decision: Promotion) -> Promotion:
    """The decision with as many of its comparisons as fit, the worst first; as it is, where all do. What it came to and
    the digests of what it rests on are never left out, so it can be computed again."""
    if _fits(decision):
        return decision
    least, most = 0, len(decision.findings)
    while least + 1 < most:
        middle = (least + most) // 2
        if _fits(replace(decision, findings=decision.findings[:middle])):
            least = middle
        else:
            most = middle
    shorter = replace(decision, findings=decision.findings[:least])
    return shorter if _fits(shorter) else replace(shorter, reason=decision.reason[:MAX_REASON] + _MORE)


def _fits(decision: Promotion) -> bool:
    return len(encode(decision)) <= MAX_DATA_BYTES
