"""Step 1: size. Before any parsing, so that a flood stays cheap. Rates are the broker's quotas."""

from __future__ import annotations

from fluvial.admission.judgement import Fault
from fluvial.wire.records import Reason


def check_size(raw: bytes, max_record_bytes: int) -> Fault | None:
    """SIZE_LIMIT for a record above the limit."""
    return Fault(reason=Reason.SIZE_LIMIT) if len(raw) > max_record_bytes else None
