"""Counting what is skipped, and saying so without filling the log: whoever writes junk could otherwise write ours."""

from __future__ import annotations

import logging

_MAX_REASON = 200


class Tally:
    """How many records were skipped. Told at the first, and whenever their number has doubled."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self.count = 0

    def add(self, where: str, why: str) -> None:
        """Note a record. where: topic/partition@offset. why: may quote the record; control characters are escaped."""
        self.count += 1
        if self.count.bit_count() == 1:
            reason = ascii(why)[1:-1][:_MAX_REASON]
            self._logger.warning("%s is skipped: %s (%d skipped so far)", where, reason, self.count)
