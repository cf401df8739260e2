"""What runs between the operators of aggregation: side outputs, and the records inside messages."""

from __future__ import annotations

from functools import lru_cache

from pyflink.datastream import OutputTag

from fluvial.wire.framing import decode
from fluvial.wire.records import AcceptedUpdate, Round
from pipelines.flink.graph import BYTES

TO_MEASURE = OutputTag("to-measure", BYTES)
TO_COMBINE = OutputTag("to-combine", BYTES)
TO_SELECT = OutputTag("to-select", BYTES)
TO_KEEPER = OutputTag("to-keeper", BYTES)
TO_SINK = OutputTag("to-sink", BYTES)


@lru_cache(maxsize=64)
def decoded_round(data: bytes) -> Round:
    """Decoded rounds, by their bytes: a round of many chunks takes longer to decode than all else in a step."""
    return decode(data, Round)


def round_and_updates(parts: list[bytes]) -> tuple[Round, list[AcceptedUpdate]]:
    """A message's parts: a round, and updates of it."""
    return decoded_round(parts[0]), [decode(part, AcceptedUpdate) for part in parts[1:]]
