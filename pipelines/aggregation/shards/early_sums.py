"""Takes chunks into the sums of their round while the content check of this process has them in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import suppress

from fluvial.wire.records import ModelUpdate, Round
from models.aggregation.rule import parse_rule
from pipelines.aggregation.shards.shard import addend_of
from pipelines.aggregation.shards.sums import Addend, ExactSums

_REMEMBERED = 1024


class EarlySums:
    """Listener of checked chunks; there is one for the sums of a job in a process. Safe to use from several threads.

    What a rule does not take in as it arrives is left to the shards. What the gate, the window or the rule leaves out
    in the end need not be known here: sums know what is in them, and those who take them make up the difference.
    """

    def __init__(self, sums: ExactSums) -> None:
        self._sums = sums
        self._addends: OrderedDict[tuple[str, int, int, bytes], Addend | None] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, round_: Round, index: int, record_sha256: bytes, update: ModelUpdate, chunk: bytes) -> None:
        addend = self._addend(round_, record_sha256, update)
        if addend is not None:
            # What no sum can take in fails where it counts: in the shard that is told to.
            with suppress(ValueError):
                self._sums.add(round_, index, addend, chunk)

    def _addend(self, round_: Round, record_sha256: bytes, update: ModelUpdate) -> Addend | None:
        """The update as the round's rule takes it in, remembered for its other chunks."""
        key = round_.task, round_.round, round_.attempt, record_sha256
        with self._lock:
            if key not in self._addends:
                self._addends[key] = _addend(round_, record_sha256, update)
                while len(self._addends) > _REMEMBERED:
                    self._addends.popitem(last=False)
            return self._addends[key]


def _addend(round_: Round, record_sha256: bytes, update: ModelUpdate) -> Addend | None:
    try:
        return addend_of(round_, update, record_sha256) if parse_rule(round_.rule).linear else None
    except ValueError:
        return None
