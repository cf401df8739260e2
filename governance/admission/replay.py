"""Step 6, replay: has this participant contributed to this attempt before, or failed to too often?

The identity of a record is the SHA-256 of its raw bytes. Asked before freshness: see `reasons`.
"""

from __future__ import annotations

from fluvial.admission.judgement import Fault
from fluvial.admission.views import SeenView
from fluvial.wire.records import ModelUpdate, Reason

MAX_FAILURES = 3
"""Updates of one participant for one round that may fail for their evidence. To gather it costs the federation more
than it costs to sign one more envelope that names the same chunks."""


def check_replay(update: ModelUpdate, record_sha256: bytes, seen: SeenView) -> Fault | None:
    """DUPLICATE_IGNORED for bytes accepted before, EQUIVOCATION for others signed for the same attempt,
    TOO_MANY_FAILURES when nothing was accepted but too much has failed."""
    if seen.digest_seen(update.participant, record_sha256):
        return Fault(reason=Reason.DUPLICATE_IGNORED)
    accepted = seen.accepted(update.participant, update.task, update.round, update.attempt)
    if accepted is not None:
        return Fault(reason=Reason.DUPLICATE_IGNORED if accepted == record_sha256 else Reason.EQUIVOCATION)
    exhausted = seen.num_failures(update.participant, update.task, update.round) >= MAX_FAILURES
    return Fault(reason=Reason.TOO_MANY_FAILURES) if exhausted else None
