"""How long records of each topic are kept, where an operator decides nothing else (`topic_policy`)."""

from collections.abc import Mapping
from types import MappingProxyType

DAYS: Mapping[str, float] = MappingProxyType(
    {
        "enrolments": 7,
        # Short, for privacy; longer than any round and an outage.
        "update_blobs": 1,
        "updates": 30,
        "reports": 30,
        "verdicts": 365,
        "accepted": 7,
        "quarantine": 7,
        "receipts": 365,
        "requests": 1,
        "results": 1,
        "events": 7,
        "failures": 30,
    }
)
"""How long records of a topic are kept where nothing else is said. Topics that are not named here are kept for ever, or
hold the newest record of each key for ever."""
