"""Exit statuses: 0 success; 1 refused or not proven; 2 wrong usage; 3 the broker is away or too slow, trying again may
help; 130 interrupted; 141 nobody reads the output any more, as after `| head`."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses."""

    SUCCESS = 0
    FAILURE = 1
    USAGE = 2
    UNAVAILABLE = 3
    INTERRUPTED = 130
    BROKEN_PIPE = 141
