"""Step 6, replay: has this participant contributed to this attempt before?

The identity of a record is the SHA-256 of its raw bytes. Asked before freshness: see `reasons`.
"""

from __future__ import annotations

from fluvial.wire.records import ModelUpdate, Reason
from governance.admission.judgement import Fault
from governance.admission.views import SeenView


def check_replay(update: ModelUpdate, record_sha256: bytes, seen: SeenView) -> Fault | None:
    """DUPLICATE_IGNORED for bytes accepted before, EQUIVOCATION for others signed for the same attempt."""
    if seen.digest_seen(record_sha256):
        return Fault(reason=Reason.DUPLICATE_IGNORED)
    accepted = seen.accepted(update.task, update.round, update.attempt)
    if accepted is None:
        return None
    return Fault(reason=Reason.DUPLICATE_IGNORED if accepted == record_sha256 else Reason.EQUIVOCATION)
